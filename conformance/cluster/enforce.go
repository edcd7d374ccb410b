package main

import (
	"fmt"
	"syscall"
	"time"
)

// What the init is told.
const (
	enforce       = syscall.SIGUSR1
	enforceNoMore = syscall.SIGUSR2
)

// enforce has NetworkPolicies enforced or not, and waits until the part for it runs or has taken its rules back.
func (c cluster) enforce(what string) error {
	r, err := c.must()
	if err != nil {
		return err
	}
	which, ok := map[string]syscall.Signal{"on": enforce, "off": enforceNoMore}[what]
	if !ok {
		return fmt.Errorf("enforce wants on or off, not %q", what)
	}
	if err := syscall.Kill(r.PID, which); err != nil {
		return err
	}
	part := c.enforcement(r).name
	return eventually(30*time.Second, part, func() error {
		parts, err := c.find(r)
		if _, there := parts[part]; err == nil && there != (which == enforce) {
			err = fmt.Errorf("%s is not %s yet", part, what)
		}
		return err
	})
}

// enforce starts the part that enforces NetworkPolicies, or has it end, which takes back what it did.
func (k *keeper) enforce(wanted bool) {
	k.enforced = wanted
	running := 0
	for pid, part := range k.parts {
		if part.name == k.enforcement.name {
			running = pid
		}
	}
	switch {
	case wanted && running == 0:
		k.start(k.enforcement)
	case !wanted && running != 0:
		_ = syscall.Kill(running, syscall.SIGTERM)
	}
}
