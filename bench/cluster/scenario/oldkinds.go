package scenario

import (
	"context"
	"errors"
	"fmt"
	"time"

	"lychgate.dev/bench/cluster/world"
)

// What the cluster has not, and what it has in an old version only: both channels have an older one of it.
const (
	missing = "udproutes.gateway.networking.k8s.io"
	old     = "referencegrants.gateway.networking.k8s.io"
)

// oldKinds takes one CRD away and serves another in its old versions only, and lets the control plane start: it is ready,
// serves the rest, and says which kinds it misses. When they are back, so is all of it.
func oldKinds(ctx context.Context, b *bad) error {
	gone, err := b.stage.Get(ctx, world.Definition, "", missing)
	if err != nil {
		return fmt.Errorf("%w (it is in the experimental channel)", err)
	}
	gone = gone.DeepCopy()
	if err := b.stage.Delete(ctx, world.Definition, "", missing); err != nil {
		return err
	}
	err = b.stage.served(ctx, old, false)
	if err == nil {
		err = newControlPods(ctx, b.stage)
	}
	if err == nil {
		_, err = b.good(ctx)
	}
	if err == nil {
		err = b.kinds(ctx, 0)
	}
	b.stage.tidy(ctx, func(ctx context.Context) error {
		gone.SetResourceVersion("")
		gone.SetUID("")
		delete(gone.Object, "status")
		return errors.Join(b.stage.Create(ctx, gone), b.stage.served(ctx, old, true))
	})
	return errors.Join(err, b.kinds(ctx, 1))
}

// served says whether a CRD's newest version is.
func (s *Stage) served(ctx context.Context, name string, served bool) error {
	definition, err := s.Get(ctx, world.Definition, "", name)
	if err != nil {
		return err
	}
	versions, _ := world.At(definition, "spec", "versions").([]any)
	others := false
	for _, one := range versions {
		version, _ := one.(map[string]any)
		if version["name"] == "v1" {
			version["served"] = served
		} else if version["served"] == true {
			others = true
		}
	}
	if !others {
		return fmt.Errorf("%s has no older version that is served", name)
	}
	return s.Update(ctx, definition)
}

// kinds waits until every control plane says that those two kinds are served as it knows them, or are not.
func (b *bad) kinds(ctx context.Context, served float64) error {
	for {
		ready := true
		for _, kind := range []string{"UDPRoute", "ReferenceGrant"} {
			pods, err := b.stage.List(ctx, world.Pod, b.stage.System, controlPods)
			if err != nil {
				return err
			}
			count, err := b.stage.Count(ctx, b.stage.System, controlPods, "lychgate_control_kind_served", map[string]string{"kind": kind})
			if err != nil {
				return err
			}
			ready = ready && count == served*float64(len(pods))
		}
		if ready {
			return nil
		}
		if err := world.Sleep(ctx, 250*time.Millisecond); err != nil {
			return fmt.Errorf("lychgate_control_kind_served does not become %v: %w", served, err)
		}
	}
}

func newControlPods(ctx context.Context, stage *Stage) error {
	if err := stage.Restart(ctx, stage.System, control, fmt.Sprint(time.Now().UnixNano())); err != nil {
		return err
	}
	if err := stage.RolledOut(ctx, stage.System, control); err != nil {
		return err
	}
	return stage.pods(ctx, stage.System, controlPods, 2)
}
