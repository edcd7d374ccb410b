package scenario

import (
	"context"
	"errors"
	"fmt"
	"time"

	"lychgate.dev/bench/cluster/report"
	"lychgate.dev/bench/cluster/traffic"
	"lychgate.dev/bench/cluster/world"
)

// flip lets one pod of four refuse connections for a while, again and again, and its probes never notice: what an overloaded
// node or a broken rule of a network does. One route retries, the other does not.
func flip(ctx context.Context, stage *Stage, result *report.Result) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Minute)
	defer cancel()
	const name = "flip"
	if err := stage.backend(ctx, name, 4); err != nil {
		return err
	}
	defer stage.tidy(ctx, func(ctx context.Context) error { return stage.Delete(ctx, world.Deployment, home, name) })
	if err := stage.RolledOut(ctx, home, name); err != nil {
		return err
	}
	defer stage.leaveRoutes(ctx, name)
	client := traffic.NewClient(stage.Address)
	defer client.Close()
	routes := []struct{ how, host, retry string }{
		{"without retries", "plain.flip.example", ""},
		{"with two retries", "retry.flip.example", "retry: {attempts: 2, backoff: 10ms, codes: [502, 503, 504]}"},
	}
	var loads []*traffic.Load
	for _, route := range routes {
		if err := stage.flipRoute(ctx, route.host, route.retry); err != nil {
			return err
		}
		target := traffic.Target{Host: route.host, Path: "/", By: []string{name}}
		if err := client.Settle(ctx, target, probeEvery); err != nil {
			return err
		}
		loads = append(loads, traffic.Start(ctx, client, 100, target))
	}
	well, ill, err := stage.flips(ctx, loads)
	if err != nil {
		return err
	}
	for at, route := range routes {
		result.Add(route.how+", all pods well: failed", float64(well[at].Failed), "").MustBe(0).Noting("of %d", well[at].Requests)
		figure := result.Add(route.how+", one of four refuses: failed", float64(ill[at].Failed), "").
			Noting("of %d; %s", ill[at].Requests, told(ill[at].Outcomes))
		if route.retry != "" {
			figure.AtMost(0)
		}
		spread := traffic.SpreadOf(ill[at].Latencies)
		result.Duration(route.how+", one of four refuses: p99", spread.P99).Noting("p50 %.1f ms", float64(spread.P50.Microseconds())/1000)
	}
	return nil
}

// flips cuts a pod off and mends it, so often, and tells what each load saw in the times between.
func (s *Stage) flips(ctx context.Context, loads []*traffic.Load) (well, ill []traffic.Seen, err error) {
	pods, err := s.List(ctx, world.Pod, home, "app=flip")
	if err != nil || len(pods) == 0 {
		return nil, nil, errors.Join(err, errors.New("no pod of the backend"))
	}
	name := pods[0].GetName()
	address, _ := world.At(&pods[0], "status", "podIP").(string)
	well, ill = make([]traffic.Seen, len(loads)), make([]traffic.Seen, len(loads))
	note := func(seen []traffic.Seen) {
		for at, load := range loads {
			seen[at] = seen[at].And(load.Take())
		}
	}
	for range s.Sizes.Flips {
		if err := world.Sleep(ctx, s.Sizes.Flip); err != nil {
			return nil, nil, err
		}
		note(well)
		if err := s.Rig.Cut(ctx, address); err != nil {
			return nil, nil, err
		}
		err := world.Sleep(ctx, s.Sizes.Flip)
		note(ill)
		for _, seen := range ill {
			// Those of the moment before it was cut off, and no more.
			if answers := seen.Pods[name]; answers*20 > seen.Requests {
				err = fmt.Errorf("the pod that is cut off answered %d of %d requests", answers, seen.Requests)
			}
		}
		s.tidy(ctx, func(ctx context.Context) error { return s.Rig.Mend(ctx, address) })
		if err != nil {
			return nil, nil, err
		}
		// What had begun before it was mended counts as ill.
		if err := world.Sleep(ctx, s.Sizes.Flip/10); err != nil {
			return nil, nil, err
		}
		note(ill)
	}
	for at, load := range loads {
		well[at] = well[at].And(load.Stop())
	}
	return well, ill, nil
}

func (s *Stage) flipRoute(ctx context.Context, host, retry string) error {
	_, err := s.Apply(ctx, `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: %s, namespace: %s, labels: {%s: flip}}
spec:
  parentRefs: [{name: shared}]
  hostnames: [%[1]s]
  rules:
    - backendRefs: [{name: flip, port: 80}]
      %[4]s
`, host, home, label, retry)
	if err != nil && retry != "" {
		return fmt.Errorf("%w (retries are in the experimental channel's CRDs)", err)
	}
	return err
}
