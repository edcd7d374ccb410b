package scenario

import (
	"context"
	"fmt"
	"time"

	"lychgate.dev/bench/cluster/world"
)

const (
	// Here is all that scenarios make, but for namespaces of their own.
	home = "lychgate-bench"
	// What all that scenarios make is called by, so that it can be found and removed.
	label = "lychgate.dev/bench"
	// The control plane's Deployment and its Lease.
	control = "lychgate-control"
)

// Set up what all scenarios use: two backends with two pods each, and a Gateway.
func (s *Stage) Set(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	if err := s.namespace(ctx, home); err != nil {
		return err
	}
	for _, name := range []string{"one", "two"} {
		if err := s.backend(ctx, name, 2); err != nil {
			return err
		}
	}
	address, err := s.gateway(ctx, "shared", "")
	if err != nil {
		return err
	}
	s.Address = address
	for _, name := range []string{"one", "two"} {
		if err := s.RolledOut(ctx, home, name); err != nil {
			return err
		}
	}
	return nil
}

// Strike removes all of it.
func (s *Stage) Strike(ctx context.Context) error {
	return s.Delete(ctx, world.Namespace, "", home)
}

// namespace makes one. What an earlier run had of the name has to be gone first.
func (s *Stage) namespace(ctx context.Context, name string) error {
	for {
		there, err := s.Get(ctx, world.Namespace, "", name)
		if err != nil || there.GetDeletionTimestamp() == nil {
			break
		}
		if err := world.Sleep(ctx, 200*time.Millisecond); err != nil {
			return fmt.Errorf("the namespace %s of an earlier run does not go: %w", name, err)
		}
	}
	_, err := s.Apply(ctx, `{apiVersion: v1, kind: Namespace, metadata: {name: %s, labels: {%s: namespace}}}`, name, label)
	return err
}

// backend is a Deployment of echo servers that say its name, with its Service. Their pods end as pods should behind any load
// balancer: three seconds after they are told to, when nobody sends them anything new.
func (s *Stage) backend(ctx context.Context, name string, pods int) error {
	_, err := s.Apply(ctx, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s, namespace: %[2]s}
spec:
  replicas: %[3]d
  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: echo
          image: %[4]s
          env:
            - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
            - {name: SERVICE_NAME, value: %[1]s}
          readinessProbe: {httpGet: {port: 3000, path: /health}, periodSeconds: 1}
          lifecycle: {preStop: {sleep: {seconds: 3}}}
          resources: {requests: {cpu: 5m, memory: 16Mi}}
`, name, home, pods, s.Image)
	if err != nil {
		return err
	}
	_, err = s.Apply(ctx, `
apiVersion: v1
kind: Service
metadata: {name: %s, namespace: %s}
spec: {selector: {app: %[1]s}, ports: [{port: 80, targetPort: 3000}]}
`, name, home)
	return err
}

// gateway is one with a listener for routes of all namespaces; `more` is what its spec has besides, as YAML.
func (s *Stage) gateway(ctx context.Context, name, more string) (string, error) {
	_, err := s.Apply(ctx, `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: %s, namespace: %s}
spec:
  gatewayClassName: lychgate
  listeners: [{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}]
  %s
`, name, home, more)
	if err != nil {
		return "", err
	}
	return s.Ready(ctx, home, name)
}

// group is the Deployment, and the beginning of the names of the pods, of a Gateway's data plane.
func group(gateway string) string { return "lychgate-" + gateway }

// route is one with a host, all paths of which go to a backend.
func (s *Stage) route(ctx context.Context, gateway, set, name, host, backend string) error {
	_, err := s.Apply(ctx, `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: %[1]s, namespace: %[2]s, labels: {%[3]s: %[4]s}}
spec:
  parentRefs: [{name: %[5]s}]
  hostnames: [%[6]s]
  rules: [{backendRefs: [{name: %[7]s, port: 80}]}]
`, name, home, label, set, gateway, host, backend)
	return err
}

// clear removes the routes of a set, and waits until they are gone.
func (s *Stage) clear(ctx context.Context, set string) error {
	selector := label + "=" + set
	if err := s.DeleteAll(ctx, world.HTTPRoute, home, selector); err != nil {
		return err
	}
	for {
		left, err := s.List(ctx, world.HTTPRoute, home, selector)
		if err != nil {
			return err
		}
		if len(left) == 0 {
			return nil
		}
		if err := world.Sleep(ctx, 100*time.Millisecond); err != nil {
			return fmt.Errorf("%d routes are still there: %w", len(left), err)
		}
	}
}
