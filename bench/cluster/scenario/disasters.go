package scenario

import (
	"context"
	"errors"
	"fmt"
	"time"

	"lychgate.dev/bench/cluster/traffic"
	"lychgate.dev/bench/cluster/world"
)

func killLeader(ctx context.Context, k *keeping) error {
	leader, err := k.stage.Leader(ctx, k.stage.System, control)
	if err != nil {
		return err
	}
	pod, err := k.stage.Get(ctx, world.Pod, k.stage.System, leader)
	if err != nil {
		return err
	}
	return k.stage.Rig.Kill(string(pod.GetUID()), control)
}

func killControl(ctx context.Context, k *keeping) error {
	return k.kill(ctx, k.stage.System, controlPods, control, false)
}

func killOne(ctx context.Context, k *keeping) error {
	return k.kill(ctx, home, k.pods(), "lychgate-gateway", true)
}

func (k *keeping) pods() string { return "lychgate.dev/group=" + group(k.name()) }

// kill the program in all pods that have labels, or in the first of them.
func (k *keeping) kill(ctx context.Context, namespace, selector, program string, one bool) error {
	pods, err := k.stage.List(ctx, world.Pod, namespace, selector)
	if err != nil {
		return err
	}
	if len(pods) == 0 {
		return errors.New("no pod has labels " + selector)
	}
	for _, pod := range pods {
		if pod.GetDeletionTimestamp() != nil {
			continue
		}
		if err := k.stage.Rig.Kill(string(pod.GetUID()), program); err != nil {
			return err
		}
		if one {
			return nil
		}
	}
	return nil
}

func restart(part string) func(context.Context, *keeping) error {
	return func(ctx context.Context, k *keeping) error { return k.stage.Rig.Restart(ctx, part) }
}

func starve(ctx context.Context, k *keeping) error {
	wait, err := k.stage.Rig.Burn(ctx, k.stage.Sizes.Starved)
	k.goesOn = wait
	return err
}

// killAlone takes the control plane away, kills all data planes, and waits until they serve again what they kept on disk.
// Then the control plane comes back.
func killAlone(ctx context.Context, k *keeping) error {
	if err := k.stage.Scale(ctx, k.stage.System, control, 0); err != nil {
		return err
	}
	if err := k.stage.pods(ctx, k.stage.System, controlPods, 0); err != nil {
		return err
	}
	if err := k.kill(ctx, home, k.pods(), "lychgate-gateway", false); err != nil {
		return err
	}
	struck := time.Now()
	// The kill takes a moment to be felt.
	if err := world.Sleep(ctx, 200*time.Millisecond); err != nil {
		return err
	}
	one, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	live, before, err := k.client.UntilRight(one, k.targets[0], 20*time.Millisecond)
	if err != nil {
		return err
	}
	for _, outcome := range []string{traffic.Wrong, "404", "500"} {
		if before[outcome] > 0 {
			return fmt.Errorf("from disk, %s was served: %v", outcome, before)
		}
	}
	k.alone = live.Sub(struck)
	return k.stage.Scale(ctx, k.stage.System, control, 2)
}

// newControl replaces the control plane's pods: a container that was killed twice waits before it starts again.
func newControl(ctx context.Context, k *keeping) error {
	return newControlPods(ctx, k.stage)
}

// newPods does the same with the data planes.
func newPods(ctx context.Context, k *keeping) error {
	if err := k.stage.DeleteAll(ctx, world.Pod, home, k.pods()); err != nil {
		return err
	}
	if err := k.stage.pods(ctx, home, k.pods(), 2); err != nil {
		return err
	}
	_, err := all(ctx, k.client, k.targets)
	return err
}
