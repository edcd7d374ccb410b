package scenario

import (
	"context"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"lychgate.dev/bench/cluster/report"
	"lychgate.dev/bench/cluster/traffic"
	"lychgate.dev/bench/cluster/world"
)

// scale has many routes in many namespaces, and then lets routes and endpoints change all the time. Each namespace has a
// Service whose EndpointSlice is written by hand, with pods that are there: so few pods are behind many Services, each of
// which can be asked for.
func scale(ctx context.Context, stage *Stage, result *report.Result) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	const name = "scale"
	sizes := stage.Sizes
	address, err := stage.gateway(ctx, name, "")
	if err != nil {
		return err
	}
	defer stage.leave(ctx, name)
	if err := stage.taken(ctx, result, "without a route", name, 0); err != nil {
		return err
	}
	pods, err := stage.addresses(ctx, "one")
	if err != nil {
		return err
	}
	crowd := crowd{stage: stage, gateway: name, pods: pods}
	defer stage.tidy(ctx, crowd.remove)
	begun := time.Now()
	if err := world.Many(ctx, sizes.Namespaces, 4, crowd.namespace); err != nil {
		return err
	}
	if err := world.Many(ctx, sizes.Routes, 8, func(ctx context.Context, at int) error { return crowd.route(ctx, at, 0) }); err != nil {
		return err
	}
	made := time.Now()
	result.Add(fmt.Sprintf("%d routes in %d namespaces, made within", sizes.Routes, sizes.Namespaces), made.Sub(begun).Seconds(), "s")
	err = stage.Until(ctx, world.Gateway, home, name, "right about attached routes", func(object world.Object) bool {
		return world.Attached(object) == int64(sizes.Routes)
	})
	if err != nil {
		return err
	}
	result.Duration("last route made to right count", time.Since(made))
	client := traffic.NewClient(address)
	defer client.Close()
	targets := crowd.targets()
	if err := stage.series(ctx, result, "before anything was asked for", name); err != nil {
		return err
	}
	wrong, err := all(ctx, client, targets)
	if err != nil {
		return err
	}
	result.Add("routes that do not answer right", float64(total(wrong)), "").MustBe(0).Noting("%s", told(wrong))
	if err := stage.taken(ctx, result, "each route asked for once", name, 40); err != nil {
		return err
	}
	if err := stage.series(ctx, result, "each route asked for once", name); err != nil {
		return err
	}
	if err := stage.fresh(ctx, client, name, "", 20, result); err != nil {
		return err
	}
	load := traffic.Start(ctx, client, 100, targets...)
	what := "while 20 routes/s and 20 EndpointSlices/s change"
	err = stage.during(ctx, result, what, name, sizes.Churn, func(ctx context.Context) error {
		return world.Pace(ctx, 20, func(ctx context.Context, at int) error {
			if err := crowd.route(ctx, at%sizes.Routes, at/sizes.Routes+1); err != nil {
				return err
			}
			return crowd.slice(ctx, at%sizes.Namespaces, at/sizes.Namespaces+1)
		})
	})
	if err != nil {
		return err
	}
	tell(result, "100 requests/s meanwhile", load.Stop())
	if wrong, err = all(ctx, client, targets); err != nil {
		return err
	}
	result.Add("routes that do not answer right, after it", float64(total(wrong)), "").MustBe(0).Noting("%s", told(wrong))
	return stage.taken(ctx, result, "after it", name, 40)
}

// addresses of the pods of a backend.
func (s *Stage) addresses(ctx context.Context, backend string) ([]string, error) {
	pods, err := s.List(ctx, world.Pod, home, "app="+backend)
	if err != nil {
		return nil, err
	}
	var addresses []string
	for _, pod := range pods {
		address, _, _ := unstructured.NestedString(pod.Object, "status", "podIP")
		if address != "" && pod.GetDeletionTimestamp() == nil {
			addresses = append(addresses, address)
		}
	}
	if len(addresses) == 0 {
		return nil, fmt.Errorf("backend %s has no pod with an address", backend)
	}
	return addresses, nil
}

// series counts those of a Gateway's data plane.
func (s *Stage) series(ctx context.Context, result *report.Result, when, gateway string) error {
	pods, err := s.List(ctx, world.Pod, home, "lychgate.dev/group="+group(gateway))
	if err != nil {
		return err
	}
	if len(pods) == 0 {
		return fmt.Errorf("Gateway %s has no pod", gateway)
	}
	samples, err := s.Scrape(ctx, home, pods[0].GetName())
	result.Add("series of the proxy, "+when, float64(len(samples)), "").AtMost(560)
	return err
}

// crowd is many routes in many namespaces.
type crowd struct {
	stage   *Stage
	gateway string
	pods    []string
}

func (c crowd) place(at int) string { return fmt.Sprintf("%s-%d", home, at%c.stage.Sizes.Namespaces) }

func (c crowd) host(at int) string { return fmt.Sprintf("r%d.%s.example", at, c.gateway) }

func (c crowd) targets() []traffic.Target {
	var targets []traffic.Target
	for at := range c.stage.Sizes.Routes {
		targets = append(targets, traffic.Target{Host: c.host(at), Path: "/", By: []string{"one"}})
	}
	return targets
}

func (c crowd) namespace(ctx context.Context, at int) error {
	if err := c.stage.namespace(ctx, c.place(at)); err != nil {
		return err
	}
	_, err := c.stage.Apply(ctx, `
apiVersion: v1
kind: Service
metadata: {name: app, namespace: %s}
spec: {ports: [{port: 80, targetPort: 3000}]}
`, c.place(at))
	if err != nil {
		return err
	}
	return c.slice(ctx, at, 0)
}

// slice writes the endpoints of a namespace's Service: all pods at first, then another of them each time.
func (c crowd) slice(ctx context.Context, at, version int) error {
	chosen := c.pods
	if version > 0 {
		chosen = []string{c.pods[version%len(c.pods)]}
	}
	var endpoints []string
	for _, pod := range chosen {
		endpoints = append(endpoints, fmt.Sprintf("{addresses: [%s], conditions: {ready: true}}", pod))
	}
	_, err := c.stage.Apply(ctx, `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: app-1, namespace: %s, labels: {kubernetes.io/service-name: app}}
addressType: IPv4
ports: [{name: "", port: 3000, protocol: TCP}]
endpoints: [%s]
`, c.place(at), strings.Join(endpoints, ", "))
	return err
}

// route makes one, and with another version makes it anew with a filter that says so.
func (c crowd) route(ctx context.Context, at, version int) error {
	_, err := c.stage.Apply(ctx, `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r%d, namespace: %s}
spec:
  parentRefs: [{name: %s, namespace: %s}]
  hostnames: [%s]
  rules:
    - filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: version, value: "%d"}]}}]
      backendRefs: [{name: app, port: 80}]
`, at, c.place(at), c.gateway, home, c.host(at), version)
	return err
}

// remove takes the namespaces along, and all in them.
func (c crowd) remove(ctx context.Context) error {
	return world.Many(ctx, c.stage.Sizes.Namespaces, 8, func(ctx context.Context, at int) error {
		return c.stage.Delete(ctx, world.Namespace, "", c.place(at))
	})
}
