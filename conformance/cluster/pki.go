package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"time"
)

// authority signs what the parts of a cluster show each other. It lives as long as the cluster.
type authority struct {
	directory   string
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         []byte
}

const life = 365 * 24 * time.Hour

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func privateKey() (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	return key, block("EC PRIVATE KEY", der), err
}

func template(name pkix.Name) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      name,
		// Clocks of a machine may step back.
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(life),
		BasicConstraintsValid: true,
	}, err
}

func newAuthority(directory string) (*authority, error) {
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, err
	}
	key, keyPEM, err := privateKey()
	if err != nil {
		return nil, err
	}
	root, err := template(pkix.Name{CommonName: "cluster"})
	if err != nil {
		return nil, err
	}
	root.IsCA, root.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, root, root, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	a := &authority{directory: directory, certificate: certificate, key: key, pem: block("CERTIFICATE", der)}
	return a, a.save("ca", a.pem, keyPEM)
}

func (a *authority) save(name string, certificate, key []byte) error {
	if err := os.WriteFile(a.directory+"/"+name+".crt", certificate, 0o600); err != nil {
		return err
	}
	return os.WriteFile(a.directory+"/"+name+".key", key, 0o600)
}

// issue makes NAME.crt and NAME.key, for a client and, where it has names or addresses, a server.
func (a *authority) issue(name string, subject pkix.Name, hosts []string, addresses []netip.Addr) error {
	key, keyPEM, err := privateKey()
	if err != nil {
		return err
	}
	leaf, err := template(subject)
	if err != nil {
		return err
	}
	leaf.KeyUsage = x509.KeyUsageDigitalSignature
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	leaf.DNSNames = hosts
	for _, address := range addresses {
		leaf.IPAddresses = append(leaf.IPAddresses, net.IP(address.AsSlice()))
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, a.certificate, key.Public(), a.key)
	if err != nil {
		return err
	}
	return a.save(name, block("CERTIFICATE", der), keyPEM)
}

// signer makes NAME.key and NAME.pub: what the API server signs the tokens of ServiceAccounts with.
func (a *authority) signer(name string) error {
	key, keyPEM, err := privateKey()
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := os.WriteFile(a.directory+"/"+name+".pub", block("PUBLIC KEY", der), 0o600); err != nil {
		return err
	}
	return os.WriteFile(a.directory+"/"+name+".key", keyPEM, 0o600)
}

// kubeconfig is how the bearer of NAME.crt reaches the API server.
func (a *authority) kubeconfig(path, name string, server netip.AddrPort) error {
	certificate, err := os.ReadFile(a.directory + "/" + name + ".crt")
	if err != nil {
		return err
	}
	key, err := os.ReadFile(a.directory + "/" + name + ".key")
	if err != nil {
		return err
	}
	text := base64.StdEncoding.EncodeToString
	config := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters:
  - name: lychgate
    cluster: {server: "https://%s", certificate-authority-data: %s}
users:
  - name: %s
    user: {client-certificate-data: %s, client-key-data: %s}
contexts:
  - name: lychgate
    context: {cluster: lychgate, user: %s}
current-context: lychgate
`, server, text(a.pem), name, text(certificate), text(key), name)
	return os.WriteFile(path, []byte(config), 0o600)
}

// credentials makes all that the parts need.
func (c cluster) credentials(n network) error {
	a, err := newAuthority(c.path("pki"))
	if err != nil {
		return err
	}
	api := []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "localhost"}
	local := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	server := netip.AddrPortFrom(n.Node, 6443)
	steps := []func() error{
		func() error { return a.signer("accounts") },
		func() error {
			return a.issue("apiserver", pkix.Name{CommonName: "kube-apiserver"}, api, []netip.Addr{local, n.Node, n.API})
		},
		func() error {
			return a.issue("admin", pkix.Name{CommonName: "admin", Organization: []string{"system:masters"}}, nil, nil)
		},
		func() error {
			of := pkix.Name{CommonName: "system:node:" + nodeName, Organization: []string{"system:nodes"}}
			return a.issue("kubelet", of, []string{nodeName}, []netip.Addr{n.Node})
		},
		func() error { return a.kubeconfig(c.kubeconfig(), "admin", server) },
		func() error { return a.kubeconfig(c.path("kubelet.kubeconfig"), "kubelet", server) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("credentials: %w", err)
		}
	}
	return nil
}
