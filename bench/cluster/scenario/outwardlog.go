package scenario

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"

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

// signed has `lychgate audit verify` look at the audit log in each of the Gateway's pods, with the Secret's key.
func (o *outward) signed(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "lychgate-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	der, err := x509.MarshalPKIXPublicKey(o.public)
	if err != nil {
		return err
	}
	key := filepath.Join(dir, "audit.pub")
	if err := os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600); err != nil {
		return err
	}
	pods, err := o.stage.List(ctx, world.Pod, home, "gateway.networking.k8s.io/gateway-name=out")
	if err != nil {
		return err
	}
	if len(pods) == 0 {
		return errors.New("the Gateway has no pods")
	}
	for _, pod := range pods {
		if err := o.verified(ctx, string(pod.GetUID()), key); err != nil {
			return fmt.Errorf("the audit log of pod %s: %w", pod.GetName(), err)
		}
	}
	return nil
}

// verified is the log of one pod: whole, signed, and not empty. It is being written meanwhile.
func (o *outward) verified(ctx context.Context, pod, key string) error {
	log, err := o.stage.Rig.Path(pod, "lychgate-gateway", auditLog)
	if err != nil {
		return err
	}
	text, err := o.stage.Rig.Lychgate(ctx, "audit", "verify", log, "--key", key, "--output", "json")
	if err != nil {
		return err
	}
	return isSigned(text)
}

// isSigned says whether a report of `lychgate audit verify` is about a log with records and with signatures.
func isSigned(report []byte) error {
	var found struct{ Lines, Records, Unsigned uint64 }
	if err := json.Unmarshal(report, &found); err != nil {
		return fmt.Errorf("%w in %q", err, report)
	}
	if found.Records == 0 || found.Unsigned >= found.Lines {
		return fmt.Errorf("%d records, and of %d lines %d are not signed", found.Records, found.Lines, found.Unsigned)
	}
	return nil
}
