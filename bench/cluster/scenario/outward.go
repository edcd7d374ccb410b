package scenario

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"lychgate.dev/bench/cluster/node"
	"lychgate.dev/bench/cluster/traffic"
	"lychgate.dev/bench/cluster/world"
)

// shop is where the workloads are whose way out is the egress Gateway.
const shop = "lychgate-bench-shop"

// outward is an egress Gateway, a server that has several names, and two workloads that ask for it.
type outward struct {
	stage *Stage
	// Where the Gateway is, and as a proxy.
	address, proxy string
	roots          *x509.CertPool
	// What the server's names end with: those of Services where empty.
	domain string
	// The same server by several names, and their addresses.
	origin, elsewhere, third traffic.Target
	within, beyond, farther  string
	// What checks the audit logs of the Gateway's pods.
	public      ed25519.PublicKey
	cart, thief *workload
}

// workload is a pod with a service account of its own, and a client in its network.
type workload struct {
	name    string
	inside  *node.Inside
	client  *traffic.Client
	dialled atomic.Int64
}

func (w *workload) close() {
	w.client.Close()
	w.inside.Close()
}

// set all of it up, with the default in shadow.
func (o *outward) set(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := o.stage.namespace(ctx, shop); err != nil {
		return err
	}
	if err := o.server(ctx); err != nil {
		return err
	}
	if err := o.gateway(ctx); err != nil {
		return err
	}
	for _, name := range []string{"cart", "thief"} {
		if err := o.pod(ctx, name); err != nil {
			return err
		}
	}
	if err := o.stage.RolledOut(ctx, home, "origin"); err != nil {
		return err
	}
	var err error
	if o.cart, err = o.workload(ctx, "cart"); err != nil {
		return err
	}
	o.thief, err = o.workload(ctx, "thief")
	return err
}

func (o *outward) leave(ctx context.Context) {
	for _, workload := range []*workload{o.cart, o.thief} {
		if workload != nil {
			workload.close()
		}
	}
	o.stage.tidy(ctx, func(ctx context.Context) error {
		return errors.Join(
			o.stage.Delete(ctx, world.Gateway, home, "out"),
			o.stage.Delete(ctx, world.Deployment, home, "origin"),
			o.stage.Delete(ctx, world.Namespace, "", shop),
		)
	})
}

// server speaks TLS, by its names.
func (o *outward) server(ctx context.Context) error {
	if o.domain == "" {
		o.domain = home + ".svc.cluster.local"
	}
	host := func(service string) string { return service + "." + o.domain }
	o.origin = traffic.Target{Host: host("origin"), Path: "/", By: []string{"origin"}}
	o.elsewhere = traffic.Target{Host: host("elsewhere"), Path: "/", By: []string{"origin"}}
	o.third = traffic.Target{Host: host("third"), Path: "/", By: []string{"origin"}}
	roots, err := o.stage.identity(ctx, "origin", o.origin.Host, o.elsewhere.Host, o.third.Host)
	if err != nil {
		return err
	}
	o.roots = x509.NewCertPool()
	o.roots.AppendCertsFromPEM([]byte(roots))
	_, err = o.stage.Apply(ctx, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: origin, namespace: %s}
spec:
  selector: {matchLabels: {app: origin}}
  template:
    metadata: {labels: {app: origin}}
    spec:
      securityContext: {runAsNonRoot: true, runAsUser: 65532, fsGroup: 65532, seccompProfile: {type: RuntimeDefault}}
      volumes: [{name: tls, secret: {secretName: origin}}]
      containers:
        - name: echo
          image: %s
          volumeMounts: [{name: tls, mountPath: /tls, readOnly: true}]
          env:
            - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
            - {name: SERVICE_NAME, value: origin}
            - {name: TLS_SERVER_CERT, value: /tls/tls.crt}
            - {name: TLS_SERVER_PRIVKEY, value: /tls/tls.key}
          readinessProbe: {tcpSocket: {port: 8443}, periodSeconds: 1}
          resources: {requests: {cpu: 5m, memory: 16Mi}}
`, home, o.stage.Image)
	if err != nil {
		return err
	}
	for name, at := range map[string]*string{"origin": &o.within, "elsewhere": &o.beyond, "third": &o.farther} {
		service, err := o.stage.Apply(ctx, `
apiVersion: v1
kind: Service
metadata: {name: %s, namespace: %s}
spec: {selector: {app: origin}, ports: [{port: 443, targetPort: 8443}]}
`, name, home)
		if err != nil {
			return err
		}
		*at, _ = world.At(service, "spec", "clusterIP").(string)
	}
	return nil
}

// gateway is a proxy, and is there when its status says so.
func (o *outward) gateway(ctx context.Context) error {
	if err := o.signing(ctx); err != nil {
		return err
	}
	if err := o.parameters(ctx, "Shadow"); err != nil {
		return err
	}
	_, err := o.stage.Apply(ctx, `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: out, namespace: %s}
spec:
  gatewayClassName: lychgate-egress
  infrastructure: {parametersRef: {group: lychgate.dev, kind: GatewayParameters, name: out}}
  listeners:
    - {name: proxy, port: 3128, protocol: lychgate.dev/Proxy}
    - {name: dns, port: 53, protocol: lychgate.dev/DNS}
    - {name: http, port: 80, protocol: HTTP}
    - {name: tls, port: 443, protocol: TLS, tls: {mode: Passthrough}}
`, home)
	if err != nil {
		return err
	}
	address, err := o.stage.Ready(ctx, home, "out")
	if err != nil {
		return err
	}
	o.address, o.proxy = address, net.JoinHostPort(address, "3128")
	return o.stage.Until(ctx, world.Gateway, home, "out", "accepted", func(object world.Object) bool {
		return world.Condition(world.Conditions(object), "Accepted") == "True"
	})
}

// parameters say what becomes of what no rule allows; `more` is what they say besides.
func (o *outward) parameters(ctx context.Context, mode string, more ...string) error {
	egress := strings.Join(append([]string{"default: {mode: " + mode + "}"}, more...), ", ")
	_, err := o.stage.Apply(ctx, `
apiVersion: lychgate.dev/v1alpha1
kind: GatewayParameters
metadata: {name: out, namespace: %s}
spec:
  deployment: {args: [--audit-dir=%s], auditKeyRef: {name: signing, key: audit.pem}}
  egress: {%s}
`, home, auditLog, egress)
	return err
}

// pod is a workload: it does nothing of itself.
func (o *outward) pod(ctx context.Context, name string) error {
	_, err := o.stage.Apply(ctx, `{apiVersion: v1, kind: ServiceAccount, metadata: {name: %s, namespace: %s}, automountServiceAccountToken: false}`, name, shop)
	if err != nil {
		return err
	}
	_, err = o.stage.Apply(ctx, `
apiVersion: v1
kind: Pod
metadata: {name: %s, namespace: %s}
spec:
  serviceAccountName: %[1]s
  terminationGracePeriodSeconds: 1
  securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
  containers: [{name: workload, image: %[3]s, resources: {requests: {cpu: 5m, memory: 16Mi}}}]
`, name, shop, o.stage.Image)
	if err != nil {
		return err
	}
	return o.stage.Until(ctx, world.Pod, shop, name, "ready", func(object world.Object) bool {
		return world.Condition(world.Conditions(object), "Ready") == "True"
	})
}

// workload is a client in the network of a pod.
func (o *outward) workload(ctx context.Context, name string) (*workload, error) {
	pod, err := o.stage.Get(ctx, world.Pod, shop, name)
	if err != nil {
		return nil, err
	}
	inside, err := o.stage.Rig.Inside(string(pod.GetUID()), "echo-basic")
	if err != nil {
		return nil, err
	}
	w := &workload{name: name, inside: inside}
	w.client = traffic.NewProxied(func(ctx context.Context, network, address string) (net.Conn, error) {
		w.dialled.Add(1)
		return inside.Dial(ctx, network, address)
	}, o.proxy, o.roots)
	return w, nil
}
