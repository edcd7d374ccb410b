package scenario

import (
	"context"
	"fmt"
	"time"

	"lychgate.dev/bench/cluster/report"
	"lychgate.dev/bench/cluster/traffic"
	"lychgate.dev/bench/cluster/world"
)

// mischief is something that somebody does to a cluster with the best intentions.
type mischief struct {
	name string
	// Does it, waits until it is told what and where, and undoes it. The error says what was not told.
	do func(ctx context.Context, b *bad) error
}

var mischiefs = []mischief{
	{"a route that cannot be translated", brokenRoute},
	{"a Secret with a broken key", brokenSecret},
	{"a Secret of nearly 1 MiB", largeSecret},
	{"a route of nearly 1 MiB", largeRoute},
	{"as many routes that are invalid as good ones", manyInvalid},
	{"no right to write a status", noStatusRight},
	{"a policy of the cluster that denies our statuses", policyDenies},
	{"a webhook that denies our statuses, and then does not answer", webhookDenies},
	{"no right to list Secrets, and a control plane that starts", noListRight},
	{"a CRD that is missing, and one that is too old", oldKinds},
}

// badInput does each, and looks whether it is said what is wrong and where; all the while a route is asked for, and after
// each a new one has to be served.
func badInput(ctx context.Context, stage *Stage, result *report.Result) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	const name = "bad"
	address, err := stage.gateway(ctx, name, "")
	if err != nil {
		return err
	}
	defer stage.leave(ctx, name)
	b := &bad{stage: stage, client: traffic.NewClient(address)}
	defer b.client.Close()
	first, err := b.good(ctx)
	if err != nil {
		return err
	}
	steady := b.target(first)
	if err := b.client.Settle(ctx, steady, probeEvery); err != nil {
		return err
	}
	for _, mischief := range mischiefs {
		load := traffic.Start(ctx, b.client, 50, steady)
		one, cancel := context.WithTimeout(ctx, 3*time.Minute)
		missing := mischief.do(one, b)
		cancel()
		if missing == nil {
			_, missing = b.good(ctx)
		}
		result.Check(mischief.name+": told what and where, and the rest is served", missing)
		seen := load.Stop()
		result.Add(mischief.name+": requests of others that failed", float64(seen.Failed), "").MustBe(0).
			Noting("of %d; %s", seen.Requests, told(seen.Outcomes))
	}
	return nil
}

// bad is where it is done.
type bad struct {
	stage  *Stage
	client *traffic.Client
	made   int
}

// good makes a route as it should be, and waits until it is served. It tells its name.
func (b *bad) good(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	name := fmt.Sprintf("good-%d", b.made)
	b.made++
	if err := b.stage.route(ctx, "bad", "bad", name, name+".bad.example", "one"); err != nil {
		return name, err
	}
	_, _, err := b.client.UntilRight(ctx, b.target(name), probeEvery)
	return name, err
}

// target is what a good route of that name serves.
func (*bad) target(name string) traffic.Target {
	return traffic.Target{Host: name + ".bad.example", Path: "/", By: []string{"one"}}
}

// event waits for an Event of a reason about an object.
func (b *bad) event(ctx context.Context, namespace, name, reason string) error {
	for {
		events, err := b.stage.List(ctx, world.Event, namespace, "")
		if err != nil {
			return err
		}
		for _, event := range events {
			if world.At(&event, "reason") == reason && world.At(&event, "involvedObject", "name") == name {
				return nil
			}
		}
		if err := world.Sleep(ctx, 200*time.Millisecond); err != nil {
			return fmt.Errorf("no Event %s about %s/%s: %w", reason, namespace, name, err)
		}
	}
}

// says waits until a parent of a route has a condition with this status, and a message.
func (b *bad) says(ctx context.Context, route, condition, status string) error {
	return b.stage.Until(ctx, world.HTTPRoute, home, route, condition+" "+status, func(object world.Object) bool {
		parents, _ := world.At(object, "status", "parents").([]any)
		for _, parent := range parents {
			fields, _ := parent.(map[string]any)
			conditions, _ := fields["conditions"].([]any)
			if found, message := world.Said(conditions, condition); found == status && message != "" {
				return true
			}
		}
		return false
	})
}
