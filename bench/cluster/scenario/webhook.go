package scenario

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"time"

	"lychgate.dev/bench/cluster/world"
)

// webhookDenies has somebody's webhook deny statuses of routes, and then not answer at all: a new route is served, an Event
// says what its status cannot, and when the webhook is gone, the status is there.
func webhookDenies(ctx context.Context, b *bad) error {
	const name = "lychgate-bench-deny"
	hook, err := newWebhook(b.stage.Address)
	if err != nil {
		return err
	}
	defer hook.close()
	_, err = b.stage.Apply(ctx, `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: %s}
webhooks:
  - name: deny.bench.lychgate.dev
    clientConfig: {url: "https://%s/", caBundle: %s}
    failurePolicy: Fail
    timeoutSeconds: 2
    sideEffects: None
    admissionReviewVersions: [v1]
    rules: [{apiGroups: [gateway.networking.k8s.io], apiVersions: ["*"], operations: [UPDATE], resources: [httproutes/status]}]
`, name, hook.address, hook.ca)
	if err != nil {
		return err
	}
	restore := func(ctx context.Context) error { return b.stage.Delete(ctx, world.Webhook, "", name) }
	err = b.policed(ctx)
	if err == nil {
		err = b.denied(ctx)
	}
	if err == nil {
		hook.close()
		err = b.denied(ctx)
	}
	return errors.Join(err, b.restored(ctx, restore))
}

// webhook is a server of this program that denies whatever it is asked about.
type webhook struct {
	// Where the API server finds it, and what it is to trust, in PEM and base64.
	address, ca string
	server      *http.Server
}

// newWebhook listens where this machine is seen from the cluster: `there` is an address of it.
func newWebhook(there string) (*webhook, error) {
	towards, err := net.Dial("udp", net.JoinHostPort(there, "80"))
	if err != nil {
		return nil, err
	}
	here := towards.LocalAddr().(*net.UDPAddr).IP
	towards.Close()
	certificate, err := selfSigned(nil, here)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(here.String(), "0"))
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: http.HandlerFunc(deny), ReadHeaderTimeout: 5 * time.Second}
	go func() {
		// That it was closed is what it always says.
		_ = server.Serve(tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{certificate}}))
	}()
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
	return &webhook{listener.Addr().String(), base64.StdEncoding.EncodeToString(text), server}, nil
}

func (w *webhook) close() { _ = w.server.Close() }

// deny answers an AdmissionReview.
func deny(to http.ResponseWriter, request *http.Request) {
	var review map[string]any
	if err := json.NewDecoder(http.MaxBytesReader(to, request.Body, 8<<20)).Decode(&review); err != nil {
		http.Error(to, err.Error(), http.StatusBadRequest)
		return
	}
	asked, _ := review["request"].(map[string]any)
	review["response"] = map[string]any{"uid": asked["uid"], "allowed": false, "status": map[string]any{"message": "statuses are not welcome"}}
	delete(review, "request")
	to.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(to).Encode(review)
}
