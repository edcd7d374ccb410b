package scenario

import (
	"context"
	"fmt"
	"time"

	"lychgate.dev/bench/cluster/report"
	"lychgate.dev/bench/cluster/traffic"
	"lychgate.dev/bench/cluster/world"
)

// upgrade installs the chart with other images over the one that is there, and back, while a Gateway is asked for all the
// time: control planes and data planes are replaced, and no request may fail.
func upgrade(ctx context.Context, stage *Stage, result *report.Result) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	const name = "upgraded"
	address, err := stage.gateway(ctx, name, "")
	if err != nil {
		return err
	}
	defer stage.leave(ctx, name)
	if err := stage.route(ctx, name, name, name, "upgraded.example", "one"); err != nil {
		return err
	}
	client := traffic.NewClient(address)
	defer client.Close()
	target := traffic.Target{Host: "upgraded.example", Path: "/", By: []string{"one"}}
	if err := client.Settle(ctx, target, probeEvery); err != nil {
		return err
	}
	for _, step := range []struct{ name, tag string }{{"to other images", stage.Helm.Next}, {"and back", stage.Helm.Tag}} {
		before, err := stage.image(ctx, name)
		if err != nil {
			return err
		}
		load := traffic.Start(ctx, client, 200, target)
		begun := time.Now()
		if err := stage.Helm.Upgrade(ctx, stage.System, step.tag); err != nil {
			return err
		}
		// The new control plane gives the data planes their new images.
		err = stage.Until(ctx, world.Deployment, home, group(name), "of another image", func(object world.Object) bool {
			return imageOf(object) != before
		})
		if err != nil {
			return err
		}
		if err := stage.RolledOut(ctx, home, group(name)); err != nil {
			return err
		}
		// Those that end go on for as long as they drain.
		if err := stage.pods(ctx, home, "lychgate.dev/group="+group(name), 1); err != nil {
			return err
		}
		took := time.Since(begun)
		tell(result, "upgrade "+step.name, load.Stop())
		result.Add("upgrade "+step.name+": until the last old pod was gone", took.Seconds(), "s")
	}
	return nil
}

func (s *Stage) image(ctx context.Context, gateway string) (string, error) {
	object, err := s.Get(ctx, world.Deployment, home, group(gateway))
	if err != nil {
		return "", err
	}
	return imageOf(object), nil
}

func imageOf(deployment world.Object) string {
	containers, _ := world.At(deployment, "spec", "template", "spec", "containers").([]any)
	if len(containers) == 0 {
		return ""
	}
	first, _ := containers[0].(map[string]any)
	image, _ := first["image"].(string)
	return image
}

// pods waits until there are so many with labels, all ready, and none that is ending.
func (s *Stage) pods(ctx context.Context, namespace, selector string, count int) error {
	for {
		pods, err := s.List(ctx, world.Pod, namespace, selector)
		if err != nil {
			return err
		}
		ready := 0
		for _, pod := range pods {
			if pod.GetDeletionTimestamp() == nil && world.Condition(world.Conditions(&pod), "Ready") == "True" {
				ready++
			}
		}
		if ready == count && len(pods) == count {
			return nil
		}
		if err := world.Sleep(ctx, 200*time.Millisecond); err != nil {
			return fmt.Errorf("%d of %d pods with %s are ready, and there are %d: %w", ready, count, selector, len(pods), err)
		}
	}
}
