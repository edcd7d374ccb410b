package scenario

import (
	"context"
	"fmt"
	"os"
	"time"

	"lychgate.dev/bench/cluster/world"
)

// controlPods are the control plane's.
const controlPods = "app.kubernetes.io/name=lychgate-control"

// leave removes a Gateway of a scenario with its routes, also after a failure. What cannot be removed goes with the
// namespace.
func (s *Stage) leave(ctx context.Context, gateway string) {
	s.leaveRoutes(ctx, gateway)
	s.tidy(ctx, func(ctx context.Context) error { return s.Delete(ctx, world.Gateway, home, gateway) })
}

func (s *Stage) leaveRoutes(ctx context.Context, set string) {
	s.tidy(ctx, func(ctx context.Context) error { return s.clear(ctx, set) })
}

func (s *Stage) tidy(ctx context.Context, do func(ctx context.Context) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	if err := do(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench: tidying up:", err)
	}
}
