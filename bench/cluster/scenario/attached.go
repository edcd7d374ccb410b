package scenario

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"lychgate.dev/bench/cluster/report"
	"lychgate.dev/bench/cluster/world"
)

// attached makes many routes for a Gateway as fast as the API server takes them, and removes them again. At the end of each
// step the Gateway has to say how many there are; on the way it may be behind, but never say what was not so.
func attached(ctx context.Context, stage *Stage, result *report.Result) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	const name = "attached"
	if _, err := stage.gateway(ctx, name, ""); err != nil {
		return err
	}
	defer stage.leave(ctx, name)
	selector := map[string]string{"kind": "Gateway", "result": "written"}
	before, err := stage.Count(ctx, stage.System, controlPods, "lychgate_control_status_writes_total", selector)
	if err != nil {
		return err
	}
	witness := &witness{}
	stop := world.Beside(ctx, func(ctx context.Context) error {
		return stage.Follow(ctx, world.Gateway, home, name, witness.see)
	})
	total, steps := stage.Sizes.Attached, stage.Sizes.Steps
	var up, down time.Duration
	made := 0
	for step := range steps {
		goal := total * (step + 1) / steps
		witness.expect(made, goal)
		err := world.Many(ctx, goal-made, 4, func(ctx context.Context, at int) error {
			return stage.route(ctx, name, name, fmt.Sprintf("attached-%d", made+at), fmt.Sprintf("r%d.attached.example", made+at), "one")
		})
		if err != nil {
			return err
		}
		took, err := stage.settled(ctx, witness, goal)
		if err != nil {
			return err
		}
		made, up = goal, max(up, took)
	}
	for step := range steps {
		goal := total - total*(step+1)/steps
		witness.expect(goal, made)
		err := world.Many(ctx, made-goal, 4, func(ctx context.Context, at int) error {
			return stage.Delete(ctx, world.HTTPRoute, home, fmt.Sprintf("attached-%d", goal+at))
		})
		if err != nil {
			return err
		}
		took, err := stage.settled(ctx, witness, goal)
		if err != nil {
			return err
		}
		made, down = goal, max(down, took)
	}
	after, err := stage.Count(ctx, stage.System, controlPods, "lychgate_control_status_writes_total", selector)
	if err != nil {
		return err
	}
	if err := stop(); err != nil {
		return err
	}
	result.Add("routes", float64(total), "").Noting("up and down in %d steps each", steps)
	result.Duration("last route made to right count, slowest step", up)
	result.Duration("last route removed to right count, slowest step", down)
	result.Add("times that `attachedRoutes` said what was never so", float64(len(witness.lies)), "").MustBe(0).Noting("%s", strings.Join(witness.lies, ", "))
	result.Add("status writes of the Gateway, as a watcher sees them", float64(witness.writes), "").AtMost(250)
	result.Add("status writes of Gateways, as the control plane counts them", after-before, "").AtMost(250)
	return nil
}

// settled waits until a Gateway says so many, and stays with it: what was on its way when it said it is there by then.
func (s *Stage) settled(ctx context.Context, witness *witness, goal int) (time.Duration, error) {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for witness.last() != goal {
		if err := world.Sleep(ctx, 5*time.Millisecond); err != nil {
			return 0, fmt.Errorf("the Gateway says %d, not %d attached routes: %w", witness.last(), goal, err)
		}
	}
	took := time.Since(begun)
	witness.expect(goal, goal)
	return took, world.Sleep(ctx, time.Second)
}

// witness sees each version of a Gateway's status.
type witness struct {
	lock      sync.Mutex
	said      int
	writes    int
	low, high int
	lies      []string
	before    string
}

// expect says between what the count may be from now on. Until the step begins it is the end of the one before.
func (w *witness) expect(low, high int) {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.low, w.high = low, high
}

func (w *witness) see(gateway world.Object) bool {
	w.lock.Lock()
	defer w.lock.Unlock()
	// The first is how it is found; each after it is a write. Nobody writes anything else of this Gateway.
	if w.before != "" && w.before != gateway.GetResourceVersion() {
		w.writes++
	}
	w.before = gateway.GetResourceVersion()
	if said := int(world.Attached(gateway)); said >= 0 {
		w.said = said
		if said < w.low || said > w.high {
			w.lies = append(w.lies, fmt.Sprintf("%d instead of %d to %d", said, w.low, w.high))
		}
	}
	return true
}

func (w *witness) last() int {
	w.lock.Lock()
	defer w.lock.Unlock()
	return w.said
}
