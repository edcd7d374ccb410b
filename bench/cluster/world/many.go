package world

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Many does something so many times, by so many hands at once. After the first error no more are begun.
func Many(ctx context.Context, count, hands int, do func(ctx context.Context, at int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var group sync.WaitGroup
	for range hands {
		group.Go(func() {
			for at := range next {
				if err := do(ctx, at); err != nil {
					cancel(err)
				}
			}
		})
	}
	for at := range count {
		select {
		case next <- at:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	group.Wait()
	return context.Cause(ctx)
}

// Pace does something at a steady rate until the context ends. What takes longer than its turn delays what follows.
func Pace(ctx context.Context, rate float64, do func(ctx context.Context, at int) error) error {
	ticker := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer ticker.Stop()
	for at := 0; ; at++ {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if err := do(ctx, at); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

// Beside runs something in the background; what it gives ends that, and tells what it said.
func Beside(ctx context.Context, do func(ctx context.Context) error) (end func() error) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- do(ctx) }()
	return func() error {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	}
}

// Sleep waits, but not beyond the context.
func Sleep(ctx context.Context, long time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(long):
		return nil
	}
}

func pause(ctx context.Context) { _ = Sleep(ctx, 50*time.Millisecond) }
