package scenario

import (
	"context"
	"fmt"
	"time"

	"lychgate.dev/bench/cluster/report"
	"lychgate.dev/bench/cluster/traffic"
	"lychgate.dev/bench/cluster/world"
)

const mebibyte = 1 << 20

// taken tells what the control plane's leader and a Gateway's data plane take at a moment.
func (s *Stage) taken(ctx context.Context, result *report.Result, when, gateway string, goal float64) error {
	leader, err := s.Leader(ctx, s.System, control)
	if err != nil {
		return err
	}
	usage, err := s.Measure(ctx, s.System, leader)
	if err != nil {
		return err
	}
	result.Add("control plane's memory, "+when, usage.WorkingSet/mebibyte, "MiB")
	usage, err = s.Measure(ctx, home, group(gateway))
	if err != nil {
		return err
	}
	figure := result.Add("proxy's memory, "+when, usage.WorkingSet/mebibyte, "MiB")
	if goal > 0 {
		figure.AtMost(goal)
	}
	return nil
}

// during tells what a change costs that goes on until the context ends: CPU time of the control plane's leader and of a
// Gateway's data plane.
func (s *Stage) during(ctx context.Context, result *report.Result, what, gateway string, long time.Duration, beside func(context.Context) error) error {
	leader, err := s.Leader(ctx, s.System, control)
	if err != nil {
		return err
	}
	pods := []struct{ name, namespace, prefix string }{
		{"control plane", s.System, leader},
		{"proxy", home, group(gateway)},
	}
	stop := world.Beside(ctx, beside)
	var before []world.Usage
	begun := time.Now()
	for _, pod := range pods {
		usage, err := s.Measure(ctx, pod.namespace, pod.prefix)
		if err != nil {
			return err
		}
		before = append(before, usage)
	}
	if err := world.Sleep(ctx, long-time.Since(begun)); err != nil {
		return err
	}
	for at, pod := range pods {
		usage, err := s.Measure(ctx, pod.namespace, pod.prefix)
		if err != nil {
			return err
		}
		cores, err := usage.Since(before[at])
		if err != nil {
			return err
		}
		result.Add(pod.name+"'s CPU, "+what, cores*1000, "millicores")
	}
	return stop()
}

// fresh makes some routes more, one after the other, and tells how long each took to answer.
func (s *Stage) fresh(ctx context.Context, client *traffic.Client, gateway, when string, count int, result *report.Result) error {
	var times []time.Duration
	for at := range count {
		name := fmt.Sprintf("%s-fresh-%d", gateway, at)
		begun := time.Now()
		if err := s.route(ctx, gateway, gateway, name, name+".example", "one"); err != nil {
			return err
		}
		one, cancel := context.WithTimeout(ctx, 30*time.Second)
		live, _, err := client.UntilRight(one, traffic.Target{Host: name + ".example", Path: "/", By: []string{"one"}}, probeEvery)
		cancel()
		if err != nil {
			return err
		}
		times = append(times, live.Sub(begun))
	}
	spread := traffic.SpreadOf(times)
	result.Duration("apply to answer of a route more"+when+": p50", spread.P50).Noting("slowest of %d: %.1f ms", count, float64(spread.Max.Microseconds())/1000)
	return nil
}

// all asks each target until it is answered right, and then once more: how many are not right then.
func all(ctx context.Context, client *traffic.Client, targets []traffic.Target) (map[string]int, error) {
	wrong := map[string]int{}
	for _, target := range targets {
		one, cancel := context.WithTimeout(ctx, time.Minute)
		_, _, err := client.UntilRight(one, target, 20*time.Millisecond)
		cancel()
		if err != nil {
			return wrong, err
		}
		if outcome, _ := client.Ask(ctx, target); outcome != traffic.Right {
			wrong[outcome]++
		}
	}
	return wrong, nil
}
