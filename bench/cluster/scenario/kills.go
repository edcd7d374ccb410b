package scenario

import (
	"context"
	"fmt"
	"strings"
	"time"

	"lychgate.dev/bench/cluster/report"
	"lychgate.dev/bench/cluster/traffic"
	"lychgate.dev/bench/cluster/world"
)

// disaster is something that happens to a cluster.
type disaster struct {
	name string
	// Whether connections break that nobody could save, those to a data plane that is killed.
	breaks bool
	// What happens, and what has to be done before the next one.
	strike, after func(ctx context.Context, k *keeping) error
}

var disasters = []disaster{
	{name: "leader of the control plane killed", strike: killLeader, after: newControl},
	{name: "every control plane killed", strike: killControl, after: newControl},
	{name: "API server restarted", strike: restart("kube-apiserver")},
	{name: "etcd restarted", strike: restart("etcd")},
	{name: "node out of CPU", strike: starve},
	{name: "one of two data planes killed", breaks: true, strike: killOne, after: newPods},
	{name: "every data plane killed while there is no control plane", breaks: true, strike: killAlone},
}

// kills has routes that are asked for all the time while parts of the cluster end without a word. Whatever happens, nothing
// wrong is served; what a data plane has that lives is served on; and then a new route is served, statuses are right again,
// and nothing is lost.
func kills(ctx context.Context, stage *Stage, result *report.Result) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	k := &keeping{stage: stage}
	defer stage.leave(ctx, k.name())
	if err := k.set(ctx); err != nil {
		return err
	}
	defer k.client.Close()
	for _, disaster := range disasters {
		if err := k.through(ctx, disaster, result); err != nil {
			return fmt.Errorf("%s: %w", disaster.name, err)
		}
	}
	return nil
}

// keeping is what is looked after: a Gateway with two data planes, and routes of which each backend has half.
type keeping struct {
	stage   *Stage
	client  *traffic.Client
	targets []traffic.Target
	load    *traffic.Load
	fresh   int
	// How long data planes took to serve again from disk.
	alone time.Duration
	// Waits for the end of a disaster that takes its time.
	goesOn func() error
}

func (*keeping) name() string { return "kept" }

func (k *keeping) set(ctx context.Context) error {
	_, err := k.stage.Apply(ctx, `
apiVersion: lychgate.dev/v1alpha1
kind: GatewayParameters
metadata: {name: kept, namespace: %s}
spec: {deployment: {replicas: 2, resources: {requests: {cpu: 50m, memory: 32Mi}}}}
`, home)
	if err != nil {
		return err
	}
	address, err := k.stage.gateway(ctx, k.name(), "infrastructure: {parametersRef: {group: lychgate.dev, kind: GatewayParameters, name: kept}}")
	if err != nil {
		return err
	}
	if err := k.stage.RolledOut(ctx, home, group(k.name())); err != nil {
		return err
	}
	k.client = traffic.NewClient(address)
	for at := range k.stage.Sizes.Kept {
		name, by := fmt.Sprintf("kept-%d", at), []string{"one", "two"}[at%2]
		if err := k.stage.route(ctx, k.name(), k.name(), name, name+".example", by); err != nil {
			return err
		}
		k.targets = append(k.targets, traffic.Target{Host: name + ".example", Path: "/", By: []string{by}})
	}
	if _, err := all(ctx, k.client, k.targets); err != nil {
		return err
	}
	if err := k.client.Settle(ctx, k.targets[0], probeEvery); err != nil {
		return err
	}
	return k.stage.Until(ctx, world.Gateway, home, k.name(), "right about attached routes", func(gateway world.Object) bool {
		return world.Attached(gateway) == int64(len(k.targets))
	})
}

// through goes through a disaster, and tells what came of it.
func (k *keeping) through(ctx context.Context, disaster disaster, result *report.Result) error {
	watch := k.watch(ctx)
	k.load = traffic.Start(ctx, k.client, 100, k.targets...)
	if err := world.Sleep(ctx, time.Second); err != nil {
		return err
	}
	struck := time.Now()
	if err := disaster.strike(ctx, k); err != nil {
		return err
	}
	taken, live, err := k.another(ctx)
	if err != nil {
		return err
	}
	said, err := k.said(ctx)
	if err != nil {
		return err
	}
	if err := k.over(ctx); err != nil {
		return err
	}
	seen := k.load.Stop()
	lost, err := all(ctx, k.client, k.targets)
	if err != nil {
		return err
	}
	flaps, err := watch()
	if err != nil {
		return err
	}

	broken := seen.Of(traffic.Refused, traffic.Reset, traffic.Timeout, traffic.Other)
	wrong := seen.Failed - broken
	result.Add(disaster.name+": wrong answers", float64(wrong), "").MustBe(0).Noting("of %d; %s", seen.Requests, told(seen.Outcomes))
	if disaster.breaks {
		result.Add(disaster.name+": connections broken", float64(broken), "").Noting("over %.0f ms", float64(seen.Gap().Milliseconds()))
	} else {
		result.Add(disaster.name+": connections broken", float64(broken), "").MustBe(0)
	}
	result.Add(disaster.name+": a new route is served after", live.Sub(struck).Seconds(), "s").
		Noting("the API server took it after %.1f s, and its status said so after %.1f s", taken.Sub(struck).Seconds(), said.Sub(struck).Seconds())
	result.Add(disaster.name+": routes lost", float64(total(lost)), "").MustBe(0).Noting("%s", told(lost))
	if k.alone > 0 {
		result.Add(disaster.name+": served again from disk after", k.alone.Seconds(), "s")
	}
	if !disaster.breaks {
		result.Add(disaster.name+": statuses taken back", float64(len(flaps)), "").MustBe(0).Noting("%s", strings.Join(flaps, "; "))
	}
	if disaster.after == nil {
		return nil
	}
	return disaster.after(ctx, k)
}

// over waits for the end of the disaster, and a second more.
func (k *keeping) over(ctx context.Context) error {
	if wait := k.goesOn; wait != nil {
		k.goesOn = nil
		if err := wait(); err != nil {
			return err
		}
	}
	return world.Sleep(ctx, time.Second)
}

// another route is made as soon as the API server takes it. When was that, and when is it served?
func (k *keeping) another(ctx context.Context) (taken, live time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	k.fresh++
	name := fmt.Sprintf("kept-fresh-%d", k.fresh)
	for {
		err := k.stage.route(ctx, k.name(), k.name(), name, name+".example", "one")
		if err == nil {
			break
		}
		if world.Sleep(ctx, 20*time.Millisecond) != nil {
			return taken, live, err
		}
	}
	taken = time.Now()
	live, _, err = k.client.UntilRight(ctx, traffic.Target{Host: name + ".example", Path: "/", By: []string{"one"}}, probeEvery)
	return taken, live, err
}

// said waits until the newest route's status says that it is accepted, which only a leader writes.
func (k *keeping) said(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	err := k.stage.Until(ctx, world.HTTPRoute, home, fmt.Sprintf("kept-fresh-%d", k.fresh), "accepted", world.Accepted)
	return time.Now(), err
}

// watch notes how often the Gateway takes back that it is served, or counts fewer routes than there are.
func (k *keeping) watch(ctx context.Context) (stop func() ([]string, error)) {
	var flaps []string
	least, was := int64(len(k.targets)), ""
	end := world.Beside(ctx, func(ctx context.Context) error {
		return k.stage.Follow(ctx, world.Gateway, home, k.name(), func(gateway world.Object) bool {
			// The same version may be seen again, after the API server was away.
			if version := gateway.GetResourceVersion(); version != was {
				was = version
				attached := world.Attached(gateway)
				if attached < least {
					flaps = append(flaps, fmt.Sprintf("%d attached routes after %d", attached, least))
				}
				if status, message := world.Said(world.Conditions(gateway), "Programmed"); status != "True" {
					flaps = append(flaps, fmt.Sprintf("Programmed %s: %s", status, message))
				}
				least = max(least, attached)
			}
			return true
		})
	})
	return func() ([]string, error) {
		err := end()
		return flaps, err
	}
}
