package scenario

import (
	"context"
	"fmt"
	"os"
	"time"

	"lychgate.dev/bench/cluster/report"
	"lychgate.dev/bench/cluster/traffic"
	"lychgate.dev/bench/cluster/world"
)

// change edits a route and replaces the pods behind it while it is asked for all the time. No request may fail.
func change(ctx context.Context, stage *Stage, result *report.Result) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	if err := stage.changed(ctx, 0); err != nil {
		return err
	}
	defer stage.leaveRoutes(ctx, "change")
	client := traffic.NewClient(stage.Address)
	defer client.Close()
	target := traffic.Target{Host: "change.example", Path: "/", By: []string{"one", "two"}}
	if err := client.Settle(ctx, target, probeEvery); err != nil {
		return err
	}
	const rate = 400
	load := traffic.Start(ctx, client, rate, target)
	for at := range stage.Sizes.Changes {
		if err := stage.changed(ctx, at+1); err != nil {
			return err
		}
		if err := world.Sleep(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
	tell(result, fmt.Sprintf("%d edits of the route", stage.Sizes.Changes), load.Take())
	for at := range stage.Sizes.Changes {
		name := []string{"one", "two"}[at%2]
		if err := stage.Restart(ctx, home, name, fmt.Sprint(time.Now().UnixNano())); err != nil {
			return err
		}
		if err := stage.RolledOut(ctx, home, name); err != nil {
			return err
		}
	}
	tell(result, fmt.Sprintf("%d rolling restarts of the backends", stage.Sizes.Changes), load.Stop())
	return nil
}

// changed makes the route anew: other backends, and filters that come and go. The last change leaves it with both backends, so
// that each restart that follows concerns it.
func (s *Stage) changed(ctx context.Context, at int) error {
	backends := []string{
		"[{name: one, port: 80}, {name: two, port: 80}]",
		"[{name: one, port: 80, filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {add: [{name: added, value: value}]}}]}, {name: two, port: 80}]",
		"[{name: two, port: 80}]",
		"[{name: one, port: 80, weight: 3}, {name: two, port: 80}]",
	}
	if at == s.Sizes.Changes {
		at = 0
	}
	_, err := s.Apply(ctx, `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: change, namespace: %s, labels: {%s: change}}
spec:
  parentRefs: [{name: shared}]
  hostnames: [change.example]
  rules: [{backendRefs: %s}]
`, home, label, backends[at%len(backends)])
	return err
}

// tell what became of requests during something.
func tell(result *report.Result, during string, seen traffic.Seen) {
	spread := traffic.SpreadOf(seen.Latencies)
	result.Add(during+": requests", float64(seen.Requests), "")
	failed := map[string]int{}
	for outcome, count := range seen.Outcomes {
		if outcome != traffic.Right && outcome != traffic.NotSent {
			failed[outcome] = count
		}
	}
	result.Add(during+": failed", float64(seen.Failed), "").MustBe(0).Noting("%s", told(failed))
	if unsent := seen.Of(traffic.NotSent); unsent > 0 {
		result.Add(during+": not sent, as too many waited", float64(unsent), "")
	}
	// One failure of many thousand requests is found by when it was and what was said, or never.
	for _, failure := range seen.Failures[:min(len(seen.Failures), 5)] {
		fmt.Fprintf(os.Stderr, "bench: %s: failed at %s: %s of %s: %s\n", during,
			failure.At.UTC().Format(time.RFC3339Nano), failure.Outcome, failure.Target, failure.Said)
	}
	result.Duration(during+": p50", spread.P50).Noting("p99 %.1f ms, slowest %.1f ms",
		float64(spread.P99.Microseconds())/1000, float64(spread.Max.Microseconds())/1000)
}
