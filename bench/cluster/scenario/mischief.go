package scenario

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net"
	"strings"

	"lychgate.dev/bench/cluster/world"
)

func brokenRoute(ctx context.Context, b *bad) error {
	if err := b.invalid(ctx, "broken"); err != nil {
		return err
	}
	return b.says(ctx, "broken", "Accepted", "False")
}

// invalid makes a route that the API server takes, and nobody can serve: an expression that is none.
func (b *bad) invalid(ctx context.Context, name string) error {
	_, err := b.stage.Apply(ctx, `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: %[1]s, namespace: %[2]s, labels: {%[3]s: bad}}
spec:
  parentRefs: [{name: bad}]
  hostnames: [%[1]s.bad.example]
  rules:
    - matches: [{path: {type: RegularExpression, value: "/(unclosed"}}]
      backendRefs: [{name: one, port: 80}]
`, name, home, label)
	return err
}

func brokenSecret(ctx context.Context, b *bad) error {
	const garbage = "-----BEGIN NOTHING-----"
	return b.secret(ctx, garbage, garbage)
}

// largeSecret has a chain of certificates that no client would take, as large as the API server lets a Secret be.
func largeSecret(ctx context.Context, b *bad) error {
	one, err := selfSigned(nil, net.IPv4(192, 0, 2, 1))
	if err != nil {
		return err
	}
	key, err := x509.MarshalPKCS8PrivateKey(one.PrivateKey)
	if err != nil {
		return err
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: one.Certificate[0]}))
	return b.secret(ctx, strings.Repeat(text, 1_000_000/len(text)), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
}

// secret gives a listener a certificate that cannot be used, waits until its status says so, and takes it away.
func (b *bad) secret(ctx context.Context, chain, key string) error {
	encode := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	_, err := b.stage.Apply(ctx, `
apiVersion: v1
kind: Secret
metadata: {name: broken, namespace: %s}
type: kubernetes.io/tls
data: {tls.crt: %s, tls.key: %s}
`, home, encode(chain), encode(key))
	if err != nil {
		return err
	}
	for _, tls := range []string{", {name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: broken}]}}", ""} {
		_, err := b.stage.Apply(ctx, `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: bad, namespace: %s}
spec:
  gatewayClassName: lychgate
  listeners: [{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}%s]
`, home, tls)
		if err != nil {
			return err
		}
		err = b.stage.Until(ctx, world.Gateway, home, "bad", "clear about its certificate", func(object world.Object) bool {
			listeners, _ := world.At(object, "status", "listeners").([]any)
			if tls == "" {
				return len(listeners) == 1
			}
			for _, listener := range listeners {
				fields, _ := listener.(map[string]any)
				conditions, _ := fields["conditions"].([]any)
				if status, message := world.Said(conditions, "ResolvedRefs"); fields["name"] == "https" && status == "False" && strings.Contains(message, "broken") {
					return true
				}
			}
			return false
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// largeRoute is as large as the schema and the API server take it: many matches, each of which wants long values of
// headers. It is served like any other.
func largeRoute(ctx context.Context, b *bad) error {
	var rules []string
	for rule := range 8 {
		var matches []string
		for match := range 8 {
			var headers []string
			for header := range 5 {
				headers = append(headers, fmt.Sprintf("{name: h%d, value: %s}", header, strings.Repeat("v", 3000)))
			}
			matches = append(matches, fmt.Sprintf("{path: {value: /%d/%d}, headers: [%s]}", rule, match, strings.Join(headers, ", ")))
		}
		rules = append(rules, fmt.Sprintf("{matches: [%s], backendRefs: [{name: one, port: 80}]}", strings.Join(matches, ", ")))
	}
	rules = append(rules, "{backendRefs: [{name: one, port: 80}]}")
	_, err := b.stage.Apply(ctx, `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: large, namespace: %s, labels: {%s: bad}}
spec: {parentRefs: [{name: bad}], hostnames: [large.bad.example], rules: [%s]}
`, home, label, strings.Join(rules, ", "))
	if err != nil {
		return err
	}
	if err := b.says(ctx, "large", "Accepted", "True"); err != nil {
		return err
	}
	_, _, err = b.client.UntilRight(ctx, b.target("large"), probeEvery)
	return err
}

func manyInvalid(ctx context.Context, b *bad) error {
	count := b.stage.Sizes.Invalid
	err := world.Many(ctx, count, 8, func(ctx context.Context, at int) error {
		if err := b.invalid(ctx, fmt.Sprintf("invalid-%d", at)); err != nil {
			return err
		}
		name := fmt.Sprintf("valid-%d", at)
		return b.stage.route(ctx, "bad", "bad", name, name+".bad.example", "one")
	})
	if err != nil {
		return err
	}
	for at := range count {
		if err := b.says(ctx, fmt.Sprintf("invalid-%d", at), "Accepted", "False"); err != nil {
			return err
		}
		if err := b.says(ctx, fmt.Sprintf("valid-%d", at), "Accepted", "True"); err != nil {
			return err
		}
		if _, _, err := b.client.UntilRight(ctx, b.target(fmt.Sprintf("valid-%d", at)), probeEvery); err != nil {
			return err
		}
	}
	return nil
}
