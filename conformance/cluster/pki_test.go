package main

import (
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"os"
	"testing"
)

func TestTheAPIServerIsWhoItIsByEachOfItsNames(t *testing.T) {
	c := newCluster(t.TempDir())
	n := plan(netip.MustParsePrefix("198.18.0.0/18"))
	if err := c.credentials(n); err != nil {
		t.Fatal(err)
	}
	root, err := os.ReadFile(c.path("pki", "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(root)
	pair, err := tls.LoadX509KeyPair(c.path("pki", "apiserver.crt"), c.path("pki", "apiserver.key"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{n.Node.String(), n.API.String(), "127.0.0.1", "kubernetes.default.svc"} {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: n.Host.String()}); err == nil {
		t.Error("it is the machine, too")
	}
}
