package scenario

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"lychgate.dev/bench/cluster/outside"
	"lychgate.dev/bench/cluster/report"
	"lychgate.dev/bench/cluster/traffic"
	"lychgate.dev/bench/cluster/world"
)

// led has a workload that knows of no proxy ask for what routes of an egress Gateway lead to, and one that is looked into
// ask for paths inside TLS, first in shadow, then enforced, then while the policy is edited under load.
func led(ctx context.Context, stage *Stage, result *report.Result) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	l := &leading{outward: outward{stage: stage, domain: "pay.example"}}
	defer l.leave(ctx)
	if err := l.set(ctx); err != nil {
		return err
	}
	for _, step := range []struct {
		name string
		do   func(ctx context.Context) error
	}{
		{"all in shadow: routes lead out, and TLS is carried as it comes", l.shadow},
		{"enforced, by HTTPRoute: a path that is allowed, and one that is not", l.byRequest},
		{"enforced, by TLSRoute: a host that is allowed, until it is not", l.byConnection},
		{"enforced, looked into: a path inside TLS that is allowed, and one that is not", l.lookedInto},
	} {
		result.Check(step.name, l.soon(ctx, step.do))
	}
	return l.edits(ctx, result)
}

// leading is an egress Gateway with routes, and an authority that it looks into TLS with.
type leading struct {
	outward
	// Beyond the cluster, and so asked by nobody but the Gateway.
	names     *outside.Names
	authority *x509.CertPool
	// In the clear to a route, over TLS to a route, and through the proxy with TLS that is carried, and that is not.
	plain, secure, carried, inspected *traffic.Client
	// Two paths by HTTPRoute, one by TLSRoute, and two inside TLS, each at a host of its own: where a rule says how TLS is
	// spoken, no route may say it as well.
	open, closed, tunnel, inside, forbidden traffic.Target
}

func (l *leading) set(ctx context.Context) error {
	// Backends by name are of the experimental API.
	if err := l.stage.Helm.Set(ctx, l.stage.System, "experimental=true"); err != nil {
		return err
	}
	if err := l.outward.set(ctx); err != nil {
		return err
	}
	if err := l.name(); err != nil {
		return err
	}
	if err := l.trust(ctx); err != nil {
		return err
	}
	if err := l.routes(ctx); err != nil {
		return err
	}
	gateway := func(port string) string { return net.JoinHostPort(l.address, port) }
	dial := l.cart.inside.Dial
	l.plain = traffic.NewLedPlain(dial, gateway("80"))
	l.secure = traffic.NewLed(dial, gateway("443"), l.roots)
	l.carried = traffic.NewProxied(dial, l.proxy, l.roots)
	l.inspected = traffic.NewProxied(dial, l.proxy, l.authority)
	at := func(host, path, as string) traffic.Target {
		return traffic.Target{Host: host, Path: path, As: as, By: []string{"origin"}}
	}
	l.open, l.closed = at("pay.shop", "/open", l.elsewhere.Host), at("pay.shop", "/closed", l.elsewhere.Host)
	l.tunnel = l.third
	l.inside, l.forbidden = at(l.origin.Host, "/open", ""), at(l.origin.Host, "/closed", "")
	return nil
}

func (l *leading) leave(ctx context.Context) {
	for _, client := range []*traffic.Client{l.plain, l.secure, l.carried, l.inspected} {
		if client != nil {
			client.Close()
		}
	}
	if l.names != nil {
		l.names.Close()
	}
	l.stage.tidy(ctx, func(ctx context.Context) error {
		return l.stage.Helm.Set(ctx, l.stage.System, "experimental=false")
	})
	l.outward.leave(ctx)
}

// name has a resolver tell where the hosts are.
func (l *leading) name() error {
	known := map[string]netip.Addr{}
	for host, text := range map[string]string{l.origin.Host: l.within, l.elsewhere.Host: l.beyond, l.third.Host: l.farther} {
		address, err := netip.ParseAddr(text)
		if err != nil {
			return fmt.Errorf("the address of %s: %w", host, err)
		}
		known[host+"."] = address
	}
	var err error
	l.names, err = outside.Tell(l.stage.Rig.Machine, known)
	return err
}

// enforce says what becomes of what no rule allows, and besides whom to ask for names and how TLS is looked into.
func (l *leading) enforce(ctx context.Context, mode string) error {
	return l.parameters(ctx, mode,
		fmt.Sprintf("dns: {upstreams: [{address: %s, port: %d}]}", l.stage.Rig.Machine, l.names.Port()),
		"inspection: {certificateRef: {name: inspection}}")
}

// trust gives the Gateway an authority to look into TLS with, and the policy the one of the origin.
func (l *leading) trust(ctx context.Context) error {
	authority, err := l.stage.identity(ctx, "inspection")
	if err != nil {
		return err
	}
	l.authority = x509.NewCertPool()
	l.authority.AppendCertsFromPEM([]byte(authority))
	if err := l.enforce(ctx, "Shadow"); err != nil {
		return err
	}
	origin, err := l.stage.Get(ctx, world.Secret, home, "origin")
	if err != nil {
		return err
	}
	certificate, _ := world.At(origin, "data", "tls.crt").(string)
	for _, namespace := range []string{home, shop} {
		_, err := l.stage.Apply(ctx, `{apiVersion: v1, kind: ConfigMap, metadata: {name: origin, namespace: %s}, binaryData: {ca.crt: %s}}`, namespace, certificate)
		if err != nil {
			return err
		}
	}
	return nil
}

// routes lead requests to one host over TLS, and connections to another as they are.
func (l *leading) routes(ctx context.Context) error {
	backend := func(name, host, tls string) error {
		_, err := l.stage.Apply(ctx, `
apiVersion: gateway.networking.x-k8s.io/v1alpha1
kind: XBackend
metadata: {name: %s, namespace: %s}
spec:
  type: ExternalHostname
  externalHostname: {hostname: %s}
  port: {number: 443}
  %s
`, name, home, host, tls)
		return err
	}
	verified := fmt.Sprintf("tls: {mode: ServerOnly, validation: {hostname: %s, caCertificateRefs: [{group: '', kind: ConfigMap, name: origin}]}}", l.elsewhere.Host)
	if err := errors.Join(backend("elsewhere", l.elsewhere.Host, verified), backend("third", l.third.Host, "")); err != nil {
		return err
	}
	_, err := l.stage.Apply(ctx, `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: elsewhere, namespace: %[1]s}
spec:
  parentRefs: [{name: out, sectionName: http}]
  hostnames: [pay.shop]
  rules:
    - filters: [{type: URLRewrite, urlRewrite: {hostname: %[2]s}}]
      backendRefs: [{group: gateway.networking.x-k8s.io, kind: XBackend, name: elsewhere}]
`, home, l.elsewhere.Host)
	if err != nil {
		return err
	}
	_, err = l.stage.Apply(ctx, `
apiVersion: gateway.networking.k8s.io/v1
kind: TLSRoute
metadata: {name: third, namespace: %s}
spec:
  parentRefs: [{name: out, sectionName: tls}]
  hostnames: [%s]
  rules: [{backendRefs: [{group: gateway.networking.x-k8s.io, kind: XBackend, name: third}]}]
`, home, l.third.Host)
	if err != nil {
		return err
	}
	for _, route := range []struct {
		kind world.Kind
		name string
	}{{world.HTTPRoute, "elsewhere"}, {world.TLSRoute, "third"}} {
		if err := l.stage.Until(ctx, route.kind, home, route.name, "accepted", world.Accepted); err != nil {
			return err
		}
	}
	return nil
}

// allow one path by the route and one inside TLS, and nothing else; `more` is another rule.
func (l *leading) allow(ctx context.Context, mode, reason, more string) error {
	return l.rules(ctx, mode, fmt.Sprintf(`
    - name: inside
      action: Allow
      to: {hosts: [%[1]s], within: [%[2]s/32]}
      ports: ['443']
      protocols: [{type: HTTP, http: {methods: [GET], paths: [{value: /open}]}}]
      tls: {mode: Inspect, caCertificateRefs: [{group: '', kind: ConfigMap, name: origin}]}
    - name: open
      action: Allow
      to: {hosts: [%[3]s], within: [%[4]s/32]}
      ports: ['443']
      protocols: [{type: HTTP, http: {methods: [GET], paths: [{value: /open}]}}]
    - name: closed
      action: Deny
      to: {hosts: [%[1]s, %[3]s]}
      protocols: [{type: HTTP, http: {paths: [{value: /closed}]}}]
      reason: %[5]s
    %[6]s`, l.origin.Host, l.within, l.elsewhere.Host, l.beyond, reason, more))
}

// tunnels is the rule by which the third host is reached.
func (l *leading) tunnels() string {
	return fmt.Sprintf("- {name: tunnel, action: Allow, to: {hosts: [%s], within: [%s/32]}, ports: ['443'], protocols: [{type: TLS}]}", l.third.Host, l.farther)
}

func (l *leading) shadow(ctx context.Context) error {
	if err := l.allow(ctx, "Shadow", "is not wanted", ""); err != nil {
		return err
	}
	for _, way := range []struct {
		client *traffic.Client
		target traffic.Target
	}{{l.plain, l.open}, {l.plain, l.closed}, {l.secure, l.tunnel}, {l.carried, l.inside}, {l.carried, l.forbidden}} {
		if _, _, err := way.client.UntilRight(ctx, way.target, probeEvery); err != nil {
			return err
		}
	}
	return nil
}

// byRequest enforces all of it.
func (l *leading) byRequest(ctx context.Context) error {
	if err := l.enforce(ctx, "Enforce"); err != nil {
		return err
	}
	if err := l.allow(ctx, "Enforce", "read only", l.tunnels()); err != nil {
		return err
	}
	if err := l.plain.UntilRefused(ctx, l.closed, "403", "read only", probeEvery); err != nil {
		return err
	}
	return l.plain.Each(ctx, l.open)
}

func (l *leading) byConnection(ctx context.Context) error {
	// Those of before go on for as long as they are allowed.
	l.secure.Close()
	if err := l.secure.Each(ctx, l.tunnel); err != nil {
		return err
	}
	if err := l.allow(ctx, "Enforce", "read only", ""); err != nil {
		return err
	}
	if err := l.secure.UntilRefused(ctx, l.tunnel, traffic.Other, "access denied", probeEvery); err != nil {
		return err
	}
	if err := l.allow(ctx, "Enforce", "read only", l.tunnels()); err != nil {
		return err
	}
	// Its status says that it holds. That the data planes have it is seen.
	_, _, err := l.secure.UntilRight(ctx, l.tunnel, probeEvery)
	return err
}

// lookedInto asks with trust in the Gateway's authority alone, which shows who speaks TLS with the workload.
func (l *leading) lookedInto(ctx context.Context) error {
	if err := l.inspected.UntilRefused(ctx, l.forbidden, "403", "read only", probeEvery); err != nil {
		return err
	}
	if err := l.inspected.Each(ctx, l.inside); err != nil {
		return err
	}
	l.carried.Close()
	if outcome, said := l.carried.Ask(ctx, l.inside); outcome == traffic.Right || !strings.Contains(said, "unknown authority") {
		return fmt.Errorf("who trusts the origin alone is answered %s: %q", outcome, said)
	}
	return nil
}

// edits the policy again and again while all that it allows is asked for.
func (l *leading) edits(ctx context.Context, result *report.Result) error {
	// Few: who falls behind on a busy machine opens more connections, each with a handshake or two.
	loads := map[string]*traffic.Load{
		"by HTTPRoute": traffic.Start(ctx, l.plain, 30, l.open),
		"by TLSRoute":  traffic.Start(ctx, l.secure, 30, l.tunnel),
		"looked into":  traffic.Start(ctx, l.inspected, 30, l.inside),
	}
	// With connections of its own: it does not wait behind the load.
	asking := traffic.NewLedPlain(l.cart.inside.Dial, net.JoinHostPort(l.address, "80"))
	defer asking.Close()
	var failed error
	for at := range l.stage.Sizes.Changes {
		reason := fmt.Sprintf("edit %d", at)
		if failed = l.soon(ctx, func(ctx context.Context) error { return l.edit(ctx, asking, reason) }); failed != nil {
			break
		}
	}
	for _, name := range []string{"by HTTPRoute", "by TLSRoute", "looked into"} {
		tell(result, fmt.Sprintf("%d edits of the policy, %s", l.stage.Sizes.Changes, name), loads[name].Stop())
	}
	return failed
}

// edit the policy once, until it is seen.
func (l *leading) edit(ctx context.Context, asking *traffic.Client, reason string) error {
	if err := l.allow(ctx, "Enforce", reason, l.tunnels()); err != nil {
		return err
	}
	if err := asking.UntilRefused(ctx, l.closed, "403", reason, probeEvery); err != nil {
		return err
	}
	return world.Sleep(ctx, 250*time.Millisecond)
}
