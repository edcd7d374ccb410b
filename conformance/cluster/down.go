package main

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// down ends a cluster and removes all of it. Where there is none it does nothing.
func (c cluster) down() error {
	if !exists(c.state) {
		return nil
	}
	unlock, err := c.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.end(); err != nil {
		return err
	}
	return os.RemoveAll(c.state)
}

// end kills the init, and with it all processes, mounts and networks of the cluster.
func (c cluster) end() error {
	if r, running := c.running(); running {
		if err := syscall.Kill(r.PID, syscall.SIGKILL); err != nil {
			return fmt.Errorf("the cluster's init %d: %w", r.PID, err)
		}
		gone := func() error {
			if _, running := c.running(); running {
				return fmt.Errorf("process %d is still there", r.PID)
			}
			return nil
		}
		if err := eventually(time.Minute, "the end of the cluster's processes", gone); err != nil {
			return err
		}
	}
	return c.clean()
}

// clean removes what a cluster that has ended left: the machine's end of the link, its control groups, its files.
func (c cluster) clean() error {
	if exists("/sys/class/net/" + c.name) {
		// The kernel takes it away with the cluster's network, and may be first.
		if err := command("ip", "link", "delete", c.name); err != nil && exists("/sys/class/net/"+c.name) {
			return err
		}
	}
	if err := eventually(time.Minute, "control groups", c.cleanGroups); err != nil {
		return err
	}
	entries, err := os.ReadDir(c.state)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Name() == marker {
			continue
		}
		if err := os.RemoveAll(c.path(entry.Name())); err != nil {
			return err
		}
	}
	return nil
}
