package scenario

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"lychgate.dev/bench/cluster/report"
	"lychgate.dev/bench/cluster/traffic"
	"lychgate.dev/bench/cluster/world"
)

// probe makes routes one after the other and asks each until it answers: nothing but 404 may come before that, and nothing
// but right answers after it. So often that a thousand routes make no difference; then with others at it.
func probe(ctx context.Context, stage *Stage, result *report.Result) error {
	quiet := func(context.Context) error { return nil }
	if err := stage.probes(ctx, result, "", stage.Sizes.Probes, quiet); err != nil {
		return err
	}
	load := func(ctx context.Context) error {
		client := traffic.NewClient(stage.Address)
		defer client.Close()
		load := traffic.Start(ctx, client, 300, traffic.Target{Host: "steady.example", Path: "/"})
		<-ctx.Done()
		if seen := load.Stop(); seen.Failed > 0 {
			return fmt.Errorf("of the load, %d requests failed: %v", seen.Failed, seen.Outcomes)
		}
		return nil
	}
	if err := stage.route(ctx, "shared", "steady", "steady", "steady.example", "one"); err != nil {
		return err
	}
	client := traffic.NewClient(stage.Address)
	defer client.Close()
	if err := client.Settle(ctx, traffic.Target{Host: "steady.example", Path: "/"}, probeEvery); err != nil {
		return err
	}
	if err := stage.probes(ctx, result, ", under 300 requests/s", stage.Sizes.Disturbed, load); err != nil {
		return err
	}
	churn := func(ctx context.Context) error {
		return world.Pace(ctx, 20, func(ctx context.Context, at int) error {
			name := fmt.Sprintf("churn-%d", at%50)
			return stage.route(ctx, "shared", "churn", name, name+".example", []string{"one", "two"}[at/50%2])
		})
	}
	if err := stage.probes(ctx, result, ", while 20 routes/s change", stage.Sizes.Disturbed, churn); err != nil {
		return err
	}
	return stage.clear(ctx, "churn")
}

// probeEvery is how soon is asked again.
const probeEvery = 2 * time.Millisecond

func (s *Stage) probes(ctx context.Context, result *report.Result, how string, count int, beside func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Minute)
	defer cancel()
	stop := world.Beside(ctx, beside)
	client := traffic.NewClient(s.Address)
	defer client.Close()
	var applied, asked []time.Duration
	wrong := map[string]int{}
	for at := range count {
		begun := time.Now()
		target, err := s.probeRoute(ctx, at)
		if err != nil {
			return err
		}
		accepted := time.Now()
		one, cancel := context.WithTimeout(ctx, 30*time.Second)
		live, before, err := client.UntilRight(one, target, probeEvery)
		cancel()
		if err != nil {
			return err
		}
		applied, asked = append(applied, live.Sub(begun)), append(asked, live.Sub(accepted))
		delete(before, "404")
		for outcome, times := range before {
			wrong[outcome] += times
		}
		// Where one connection says that it is there, others do not say otherwise.
		for range 3 {
			if outcome, _ := client.Ask(ctx, target); outcome != traffic.Right {
				wrong[outcome+", after it was right"]++
			}
		}
	}
	if err := stop(); err != nil {
		return err
	}
	all, third := traffic.SpreadOf(applied), len(applied)/3
	result.Duration(fmt.Sprintf("apply to answer%s: p50 of %d", how, count), all.P50)
	result.Duration(fmt.Sprintf("apply to answer%s: p99", how), all.P99).AtMost(3*float64(all.P50.Microseconds())/1000).
		Noting("%.1f times p50", float64(all.P99)/float64(all.P50))
	result.Duration(fmt.Sprintf("apply to answer%s: slowest", how), all.Max)
	fromThen := traffic.SpreadOf(asked)
	result.Duration(fmt.Sprintf("API server's answer to gate's answer%s: p50", how), fromThen.P50).Noting("p99 %.1f ms", float64(fromThen.P99.Microseconds())/1000)
	if third > 0 {
		first, last := traffic.SpreadOf(applied[:third]), traffic.SpreadOf(applied[len(applied)-third:])
		result.Add("p50 of the last third over that of the first"+how, float64(last.P50)/float64(first.P50), "").AtMost(1.5)
	}
	result.Add("answers that were neither 404 nor right"+how, float64(total(wrong)), "").MustBe(0).Noting("%s", told(wrong))
	return s.clear(ctx, "probe")
}

// probeRoute is a route as people have them: filters on it, and a second rule whose backend is not there.
func (s *Stage) probeRoute(ctx context.Context, at int) (traffic.Target, error) {
	by := []string{"one", "two"}[at%2]
	_, err := s.Apply(ctx, `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: probe-%[1]d, namespace: %[2]s, labels: {%[3]s: probe}}
spec:
  parentRefs: [{name: shared}]
  hostnames: [probe-%[1]d.example]
  rules:
    - matches: [{path: {type: PathPrefix, value: /%[1]d}}]
      filters:
        - {type: RequestHeaderModifier, requestHeaderModifier: {add: [{name: added, value: value}]}}
        - {type: ResponseHeaderModifier, responseHeaderModifier: {add: [{name: added, value: value}]}}
      backendRefs: [{name: %[4]s, port: 80}]
    - matches: [{path: {type: PathPrefix, value: /}}]
      backendRefs: [{name: nobody, port: 80}]
`, at, home, label, by)
	return traffic.Target{Host: fmt.Sprintf("probe-%d.example", at), Path: fmt.Sprintf("/%d", at), By: []string{by}}, err
}

func total(counts map[string]int) int {
	sum := 0
	for _, count := range counts {
		sum += count
	}
	return sum
}

// told is what was counted, in words that are always in the same order.
func told(counts map[string]int) string {
	text := ""
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf("%d %s", counts[name], name)
	}
	return text
}
