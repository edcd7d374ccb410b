package main

import (
	"os"
	"path/filepath"
	"time"
)

// keepLogs gives the log of every container a second name, for ever. The kubelet removes the first with the pod, and who looks
// for the cause of a failure wants those that have ended.
func (c cluster) keepLogs() {
	for range time.Tick(time.Second) {
		// Its pattern is well formed, so there is no error.
		names, _ := filepath.Glob(c.path("var", "log", "pods", "*", "*", "*.log"))
		for _, name := range names {
			within, err := filepath.Rel(c.path("var", "log", "pods"), name)
			if err != nil {
				continue
			}
			second := c.path("pods", within)
			if exists(second) || os.MkdirAll(filepath.Dir(second), 0o755) != nil {
				continue
			}
			// It may be gone since; then there is nothing to keep.
			_ = os.Link(name, second)
		}
	}
}
