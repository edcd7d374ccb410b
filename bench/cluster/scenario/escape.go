package scenario

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"lychgate.dev/bench/cluster/outside"
	"lychgate.dev/bench/cluster/report"
	"lychgate.dev/bench/cluster/world"
)

// metadata is where clouds have their metadata service.
const metadata = "169.254.169.254"

// escape has a workload try to get out past the gate, with `lychgate egress verify` in its own pod. With the NetworkPolicies
// of the chart nothing gets through; without them the same command tells what does, by every way that there is.
func escape(ctx context.Context, stage *Stage, result *report.Result) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	p := &prisoner{outward: outward{stage: stage}}
	defer p.leave(ctx)
	if err := p.set(ctx); err != nil {
		return err
	}
	if err := p.wall(ctx, true); err != nil {
		return err
	}
	found, err := p.tries(ctx, nil)
	result.Check("with the chart's NetworkPolicies nothing gets through, and what may be reached is", err)
	result.Add("attempts that were stopped", float64(found["stopped"]), "")
	result.Check("a new data plane reaches the control plane, whose NetworkPolicy holds", p.replaced(ctx))
	if err := p.wall(ctx, false); err != nil {
		return err
	}
	found, err = p.tries(ctx, p.ways())
	result.Check("without them everything gets through that the gate does not see, and nothing else", err)
	result.Add("attempts that got through without them", float64(found["THROUGH"]), "")
	return nil
}

// prisoner is a workload with nothing but the gate to get out by.
type prisoner struct {
	outward
	servers *outside.Servers
}

// set everything up, and let NetworkPolicies be enforced, of which there is none yet about the workload.
func (p *prisoner) set(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := p.stage.namespace(ctx, shop); err != nil {
		return err
	}
	if err := p.server(ctx); err != nil {
		return err
	}
	certificate, err := selfSigned([]string{"outside.example"})
	if err != nil {
		return err
	}
	if p.servers, err = outside.Serve(p.stage.Rig.Machine, certificate); err != nil {
		return err
	}
	if err := p.metadata(ctx); err != nil {
		return err
	}
	if err := p.gateway(ctx); err != nil {
		return err
	}
	if err := p.parameters(ctx, "Enforce"); err != nil {
		return err
	}
	if err := p.policy(ctx, "Enforce", "ask for origin", ""); err != nil {
		return err
	}
	if err := p.cell(ctx); err != nil {
		return err
	}
	if err := p.stage.RolledOut(ctx, home, "origin"); err != nil {
		return err
	}
	return p.stage.Rig.Enforce(ctx, true)
}

func (p *prisoner) leave(ctx context.Context) {
	if p.servers != nil {
		p.servers.Close()
	}
	p.stage.tidy(ctx, func(ctx context.Context) error {
		return errors.Join(
			p.wall(ctx, false),
			p.stage.Rig.Enforce(ctx, false),
			p.stage.Delete(ctx, world.Pod, home, "metadata"),
		)
	})
	p.outward.leave(ctx)
}

// metadata is a service of the node itself, as many clouds have it.
func (p *prisoner) metadata(ctx context.Context) error {
	if err := p.stage.Rig.Lead(ctx, metadata); err != nil {
		return err
	}
	_, err := p.stage.Apply(ctx, `
apiVersion: v1
kind: Pod
metadata: {name: metadata, namespace: %s}
spec:
  hostNetwork: true
  terminationGracePeriodSeconds: 1
  containers:
    - name: metadata
      image: %s
      securityContext: {runAsUser: 0}
      env: [{name: POD_NAME, value: metadata}, {name: HTTP_PORT, value: '80'}]
      resources: {requests: {cpu: 5m, memory: 16Mi}}
`, home, p.stage.Image)
	return err
}

// cell is the workload's pod: it asks the Gateway for names, and nobody else.
func (p *prisoner) cell(ctx context.Context) error {
	_, err := p.stage.Apply(ctx, `{apiVersion: v1, kind: ServiceAccount, metadata: {name: cart, namespace: %s}, automountServiceAccountToken: false}`, shop)
	if err != nil {
		return err
	}
	_, err = p.stage.Apply(ctx, `
apiVersion: v1
kind: Pod
metadata: {name: cart, namespace: %s}
spec:
  serviceAccountName: cart
  terminationGracePeriodSeconds: 1
  dnsPolicy: None
  dnsConfig: {nameservers: [%s]}
  securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: workload
      image: %s
      args: [echo, --http, '0.0.0.0:3000']
      readinessProbe: {tcpSocket: {port: 3000}, periodSeconds: 1}
      resources: {requests: {cpu: 5m, memory: 16Mi}}
`, shop, p.address, p.stage.Rig.CLI)
	if err != nil {
		return err
	}
	return p.stage.Until(ctx, world.Pod, shop, "cart", "ready", func(object world.Object) bool {
		return world.Condition(world.Conditions(object), "Ready") == "True"
	})
}

// wall is the chart's NetworkPolicies.
func (p *prisoner) wall(ctx context.Context, wanted bool) error {
	return p.stage.Helm.Set(ctx, p.stage.System,
		fmt.Sprintf("egress.networkPolicies.enabled=%t", wanted),
		fmt.Sprintf("egress.networkPolicies.namespaces={%s}", shop),
		fmt.Sprintf("egress.networkPolicies.gatewayNamespaces={%s}", home),
	)
}

// ways are those past the gate, as the command names them.
func (p *prisoner) ways() []string {
	at := func(port int) string { return fmt.Sprintf("%s:%d", p.stage.Rig.Machine, port) }
	const other = "www.example.net"
	return []string{
		"address: TLS to " + at(443),
		"address: HTTP to " + at(80),
		"other port: HTTP to " + at(outside.Plain),
		"QUIC: datagrams to " + at(443),
		"metadata: HTTP to " + metadata + ":80",
		"claimed SNI: TLS for " + p.origin.Host + " to " + at(443),
		"other SNI: TLS for " + other + " to " + p.origin.Host,
		"other DNS: datagram to " + at(53),
		"other DNS: TCP to " + at(53),
		"other DNS: TLS to " + at(853),
	}
}

// tries runs the command until exactly those ways are open, or time is over, and counts what it found: the network takes a
// moment to hear of policies.
func (p *prisoner) tries(ctx context.Context, open []string) (map[string]int, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	slices.Sort(open)
	for {
		found, through, err := p.verify(ctx)
		switch {
		case err == nil && found["reached"] != 1:
			err = errors.New("what may be reached was not")
		case err == nil && !slices.Equal(through, open):
			err = fmt.Errorf("what got through: %s; what was to: %s", strings.Join(through, ", "), strings.Join(open, ", "))
		}
		if err == nil {
			return found, nil
		}
		if late := world.Sleep(ctx, time.Second); late != nil {
			return found, err
		}
	}
}

// verify runs the command once: how many attempts had which end, and which got through.
func (p *prisoner) verify(ctx context.Context) (map[string]int, []string, error) {
	text, code, err := p.stage.Rig.Run(ctx, shop, "cart", "/usr/local/bin/lychgate", "egress", "verify", "--output", "json",
		"--proxy", "http://"+p.proxy, "--allowed", p.origin.Host, "--target", p.stage.Rig.Machine, "--patience", "1000")
	if err != nil {
		return nil, nil, err
	}
	var all []struct{ Attempt, To, Found string }
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return nil, nil, fmt.Errorf("%w in %q", err, text)
	}
	found, through := map[string]int{}, []string{}
	for _, one := range all {
		found[one.Found]++
		if one.Found == "THROUGH" {
			through = append(through, one.Attempt+": "+one.To)
		}
	}
	slices.Sort(through)
	// What it says to whoever asks for its code alone.
	if well := len(through) == 0 && found["NOT THERE"] == 0; well != (code == 0) {
		return found, through, fmt.Errorf("it ended with %d, and %d attempts got through", code, len(through))
	}
	return found, through, nil
}

// replaced has the Gateway's pods replaced. New ones are ready when the control plane has told them what to do.
func (p *prisoner) replaced(ctx context.Context) error {
	if err := p.stage.Restart(ctx, home, group("out"), "replaced"); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return p.stage.RolledOut(ctx, home, group("out"))
}
