package scenario

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	"lychgate.dev/bench/cluster/world"
)

// auditLog is where the Gateway's pods keep their record.
const auditLog = "/var/lib/lychgate/audit"

// signing makes the key that signs it, as a Secret.
func (o *outward) signing(ctx context.Context) error {
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	o.public = public
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	_, err = o.stage.Apply(ctx, `{apiVersion: v1, kind: Secret, metadata: {name: signing, namespace: %s}, data: {audit.pem: %s}}`,
		home, base64.StdEncoding.EncodeToString(text))
	return err
}

// signed looks at the audit log in each of the Gateway's pods: it names the Secret's key, and is sealed.
func (o *outward) signed(ctx context.Context) error {
	pods, err := o.stage.List(ctx, world.Pod, home, "gateway.networking.k8s.io/gateway-name=out")
	if err != nil {
		return err
	}
	if len(pods) == 0 {
		return errors.New("the Gateway has no pods")
	}
	for _, pod := range pods {
		log, err := o.stage.Rig.Read(string(pod.GetUID()), "lychgate-gateway", auditLog+"/segment-00000001.jsonl")
		if err != nil {
			return err
		}
		if err := o.signs(log); err != nil {
			return fmt.Errorf("the audit log of pod %s: %w", pod.GetName(), err)
		}
	}
	return nil
}

func (o *outward) signs(log []byte) error {
	first, rest, _ := bytes.Cut(log, []byte("\n"))
	var open struct {
		PublicKey string `json:"publicKey"`
	}
	if err := json.Unmarshal(first, &open); err != nil {
		return fmt.Errorf("%w in %q", err, first)
	}
	if own := base64.StdEncoding.EncodeToString(o.public); open.PublicKey != own {
		return fmt.Errorf("it is signed with %s, and the Secret has %s", open.PublicKey, own)
	}
	if !bytes.Contains(rest, []byte(`"signature":`)) {
		return errors.New("nothing is signed")
	}
	return nil
}
