package scenario

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"lychgate.dev/bench/cluster/report"
	"lychgate.dev/bench/cluster/traffic"
	"lychgate.dev/bench/cluster/world"
)

// What clients are told that no rule knows.
const noRule = "no egress policy allows this destination"

// egress has two workloads ask for two names through an egress Gateway, as it is turned on: with all in shadow everything
// leaves and is told; then one workload has its list; then nothing leaves that is on none. While its policy is edited
// nothing fails that is allowed, and what was open stays open.
func egress(ctx context.Context, stage *Stage, result *report.Result) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	o := &outward{stage: stage}
	defer o.leave(ctx)
	if err := o.set(ctx); err != nil {
		return err
	}
	for _, step := range []struct {
		name string
		do   func(ctx context.Context) error
	}{
		{"everything in shadow: all leaves, and what would be denied is counted", o.shadow},
		{"one policy enforced: its workload has what it allows, others are as before", o.enforceOne},
		{"everything enforced: who is on no list, and who is unknown, is refused", o.enforceAll},
	} {
		result.Check(step.name, o.soon(ctx, step.do))
	}
	if err := o.edits(ctx, result); err != nil {
		return err
	}
	result.Check("the policy deleted: what it allowed is refused", o.soon(ctx, o.withdraw))
	result.Check("the audit log of each pod is signed with the key of the Secret", o.signed(ctx))
	return nil
}

// soon does what has to come about in a moment.
func (*outward) soon(ctx context.Context, do func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return do(ctx)
}

// shadow has the default and the policy in shadow.
func (o *outward) shadow(ctx context.Context) error {
	before, err := o.counted(ctx, "would_deny")
	if err != nil {
		return err
	}
	if err := o.policy(ctx, "Shadow", "is not wanted", ""); err != nil {
		return err
	}
	for _, workload := range []*workload{o.cart, o.thief} {
		for _, target := range []traffic.Target{o.origin, o.elsewhere} {
			if _, _, err := workload.client.UntilRight(ctx, target, probeEvery); err != nil {
				return fmt.Errorf("%s: %w", workload.name, err)
			}
		}
	}
	after, err := o.counted(ctx, "would_deny")
	// One of the cart, two of the thief; a decision is counted when its tunnel ends.
	o.thief.client.Close()
	o.cart.client.Close()
	for err == nil && after < before+3 {
		if err = world.Sleep(ctx, 100*time.Millisecond); err == nil {
			after, err = o.counted(ctx, "would_deny")
		}
	}
	if err != nil {
		return fmt.Errorf("counted as would_deny: %v before, %v after: %w", before, after, err)
	}
	denied, err := o.counted(ctx, "deny")
	if err == nil && denied != 0 {
		err = fmt.Errorf("%v were denied", denied)
	}
	return err
}

// enforceOne enforces the policy of one workload, and leaves the default in shadow.
func (o *outward) enforceOne(ctx context.Context) error {
	if err := o.policy(ctx, "Enforce", "ask for origin", ""); err != nil {
		return err
	}
	if err := o.cart.client.UntilRefused(ctx, o.elsewhere, "403", "ask for origin", probeEvery); err != nil {
		return err
	}
	return errors.Join(
		o.cart.client.Each(ctx, o.origin),
		o.thief.client.Each(ctx, o.origin),
	)
}

// enforceAll enforces the default, too.
func (o *outward) enforceAll(ctx context.Context) error {
	if err := o.parameters(ctx, "Enforce"); err != nil {
		return err
	}
	if err := o.thief.client.UntilRefused(ctx, o.origin, "403", noRule, probeEvery); err != nil {
		return err
	}
	// This machine is no workload.
	stranger := traffic.NewProxied((&net.Dialer{Timeout: 3 * time.Second}).DialContext, o.proxy, o.roots)
	defer stranger.Close()
	return errors.Join(
		stranger.UntilRefused(ctx, o.origin, "403", noRule, probeEvery),
		o.cart.client.Each(ctx, o.origin),
	)
}

// edits the policy again and again while what it allows is asked for.
func (o *outward) edits(ctx context.Context, result *report.Result) error {
	if err := o.cart.client.Each(ctx, o.origin); err != nil {
		return err
	}
	opened := o.cart.dialled.Load()
	busy, err := o.workload(ctx, o.cart.name)
	if err != nil {
		return err
	}
	defer busy.close()
	load := traffic.Start(ctx, busy.client, 200, o.origin)
	changes := o.stage.Sizes.Changes
	for at := range changes {
		reason := fmt.Sprintf("edit %d", at)
		more := fmt.Sprintf("- {name: more, action: Allow, to: {hosts: [edit-%d.example]}}", at)
		if at%2 == 1 {
			more = ""
		}
		err := o.policy(ctx, "Enforce", reason, more)
		if err == nil {
			// The refusal says that the edit is there; asked by the busy client, since the other one's tunnels are counted.
			err = busy.client.UntilRefused(ctx, o.elsewhere, "403", reason, probeEvery)
		}
		if err == nil {
			err = world.Sleep(ctx, 250*time.Millisecond)
		}
		if err != nil {
			load.Stop()
			return err
		}
	}
	during := fmt.Sprintf("%d edits of the policy", changes)
	tell(result, during, load.Stop())
	result.Check("answers after the edits", o.cart.client.Each(ctx, o.origin))
	result.Add(during+": tunnels that had to be opened again", float64(o.cart.dialled.Load()-opened), "").MustBe(0)
	return nil
}

// withdraw deletes the policy.
func (o *outward) withdraw(ctx context.Context) error {
	if err := o.noPolicy(ctx); err != nil {
		return err
	}
	return o.cart.client.UntilRefused(ctx, o.origin, "403", noRule, probeEvery)
}
