package scenario

import (
	"context"
	"fmt"
	"time"

	"lychgate.dev/bench/cluster/report"
	"lychgate.dev/bench/cluster/traffic"
	"lychgate.dev/bench/cluster/world"
)

// listenerSets has many teams, each with a ListenerSet and routes of its own, on one Gateway.
func listenerSets(ctx context.Context, stage *Stage, result *report.Result) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	const name = "sets"
	sizes := stage.Sizes
	address, err := stage.gateway(ctx, name, "allowedListeners: {namespaces: {from: Same}}")
	if err != nil {
		return err
	}
	defer stage.leave(ctx, name)
	defer stage.tidy(ctx, func(ctx context.Context) error {
		return stage.DeleteAll(ctx, world.ListenerSet, home, label+"="+name)
	})
	begun := time.Now()
	if err := world.Many(ctx, sizes.Sets, 8, stage.listenerSet); err != nil {
		return err
	}
	if err := world.Many(ctx, sizes.Sets*sizes.PerSet, 8, stage.routeOfSet); err != nil {
		return err
	}
	made := time.Now()
	result.Add(fmt.Sprintf("%d ListenerSets with %d routes each, made within", sizes.Sets, sizes.PerSet), made.Sub(begun).Seconds(), "s")
	for {
		right, err := stage.setsWith(ctx, int64(sizes.PerSet))
		if err != nil {
			return err
		}
		if right == sizes.Sets {
			break
		}
		if err := world.Sleep(ctx, 250*time.Millisecond); err != nil {
			return fmt.Errorf("%d of %d ListenerSets say how many routes they have: %w", right, sizes.Sets, err)
		}
	}
	result.Add("last route made to right counts of all", time.Since(made).Seconds(), "s")
	client := traffic.NewClient(address)
	defer client.Close()
	var targets []traffic.Target
	for set := range sizes.Sets {
		at := set*sizes.PerSet + set%sizes.PerSet
		targets = append(targets, traffic.Target{Host: fmt.Sprintf("set-%d.example", set), Path: fmt.Sprintf("/%d", at), By: []string{"one"}})
	}
	wrong, err := all(ctx, client, targets)
	if err != nil {
		return err
	}
	result.Add("sets of which a route does not answer right", float64(total(wrong)), "").MustBe(0).Noting("%s", told(wrong))
	if err := stage.fresh(ctx, client, name, "", 20, result); err != nil {
		return err
	}
	return stage.taken(ctx, result, "with all of them", name, 0)
}

func (s *Stage) listenerSet(ctx context.Context, at int) error {
	_, err := s.Apply(ctx, `
apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata: {name: set-%[1]d, namespace: %[2]s, labels: {%[3]s: sets}}
spec:
  parentRef: {name: sets}
  listeners: [{name: http, port: 80, protocol: HTTP, hostname: set-%[1]d.example}]
`, at, home, label)
	return err
}

func (s *Stage) routeOfSet(ctx context.Context, at int) error {
	_, err := s.Apply(ctx, `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: sets-%[1]d, namespace: %[2]s, labels: {%[3]s: sets}}
spec:
  parentRefs: [{group: gateway.networking.k8s.io, kind: ListenerSet, name: set-%[4]d}]
  rules:
    - matches: [{path: {type: PathPrefix, value: /%[1]d}}]
      backendRefs: [{name: one, port: 80}]
`, at, home, label, at/s.Sizes.PerSet)
	return err
}

// setsWith counts the ListenerSets that say that they have so many routes.
func (s *Stage) setsWith(ctx context.Context, routes int64) (int, error) {
	sets, err := s.List(ctx, world.ListenerSet, home, label+"=sets")
	right := 0
	for _, set := range sets {
		if world.Attached(&set) == routes {
			right++
		}
	}
	return right, err
}
