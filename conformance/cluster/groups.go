package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// controlGroups are the roots of the machine's hierarchies: one of version 2, or those of version 1 beside each other.
func controlGroups() ([]string, error) {
	text, err := os.ReadFile("/proc/mounts")
	if err != nil {
		return nil, err
	}
	var roots []string
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) > 3 && (fields[2] == "cgroup" || fields[2] == "cgroup2") && strings.HasPrefix(fields[1], "/sys/fs/cgroup") {
			roots = append(roots, fields[1])
		}
	}
	if len(roots) == 0 {
		return nil, errors.New("no control groups are mounted below /sys/fs/cgroup")
	}
	return roots, nil
}

// makeGroups makes the control group that all pods are in, in each hierarchy.
func (c cluster) makeGroups() error {
	roots, err := controlGroups()
	if err != nil {
		return err
	}
	for _, root := range roots {
		own := filepath.Join(root, c.name)
		if err := os.MkdirAll(own, 0o755); err != nil {
			return err
		}
		// In version 1, a group of this kind takes no process before it has been told what it may use.
		for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
			if exists(filepath.Join(root, "cgroup.controllers")) || !exists(filepath.Join(own, name)) {
				continue
			}
			all, err := os.ReadFile(filepath.Join(root, name))
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(own, name), all, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c cluster) cleanGroups() error {
	roots, err := controlGroups()
	if err != nil {
		return err
	}
	for _, root := range roots {
		var found []string
		err := filepath.WalkDir(filepath.Join(root, c.name), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				found = append(found, path)
			}
			return nil
		})
		if err != nil {
			return err
		}
		// The innermost first.
		slices.Reverse(found)
		for _, path := range found {
			if err := syscall.Rmdir(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	return nil
}
