package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// What is called here, and the package that brings it on Debian and Ubuntu.
var programs = map[string]string{
	"containerd":              "containerd",
	"containerd-shim-runc-v2": "containerd",
	"ctr":                     "containerd",
	"runc":                    "runc",
	"iptables":                "iptables",
	"ipset":                   "ipset",
	"ip":                      "iproute2",
	"nsenter":                 "util-linux",
}

var plugins = []string{"bridge", "host-local", "loopback", "portmap"}

// cniPlugins is where the CNI plugins lie: Debian's place, or that of everybody else.
func cniPlugins() (string, error) {
	for _, directory := range []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"} {
		all := true
		for _, plugin := range plugins {
			all = all && exists(filepath.Join(directory, plugin))
		}
		if all {
			return directory, nil
		}
	}
	return "", errors.New("the CNI plugins " + strings.Join(plugins, ", ") + " are missing")
}

// check names all that is missing at once.
func check(state string) error {
	var missing []error
	root := os.Geteuid() == 0
	if !root {
		missing = append(missing, errors.New("it needs root: namespaces, mounts and a network interface"))
	}
	var packages []string
	for program, from := range programs {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, fmt.Errorf("%s is missing", program))
			packages = append(packages, from)
		}
	}
	if _, err := cniPlugins(); err != nil {
		missing = append(missing, err)
		packages = append(packages, "containernetworking-plugins")
	}
	if len(packages) > 0 {
		slices.Sort(packages)
		missing = append(missing, fmt.Errorf("on Debian and Ubuntu: apt-get install %s", strings.Join(slices.Compact(packages), " ")))
	}
	if groups, err := controlGroups(); err != nil {
		missing = append(missing, err)
	} else {
		for _, group := range groups {
			if root && syscall.Access(group, 2) != nil {
				missing = append(missing, fmt.Errorf("%s is read-only: in a container, the cluster needs one that is privileged", group))
			}
		}
	}
	for _, name := range []string{"uts", "ipc", "pid", "mnt", "net"} {
		if !exists("/proc/self/ns/" + name) {
			missing = append(missing, fmt.Errorf("the kernel has no %s namespaces", name))
		}
	}
	if !exists("/dev/kmsg") {
		missing = append(missing, errors.New("/dev/kmsg is missing, which a kubelet reads"))
	}
	if free, err := freeSpace(state); err == nil && free < 4<<30 {
		missing = append(missing, fmt.Errorf("%s has %d MiB left: a cluster with its images wants 4 GiB", state, free>>20))
	}
	if len(missing) == 0 {
		return nil
	}
	slices.SortFunc(missing, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return fmt.Errorf("this machine cannot run a cluster yet:\n%w", errors.Join(missing...))
}

func freeSpace(path string) (uint64, error) {
	for !exists(path) {
		path = filepath.Dir(path)
	}
	var about syscall.Statfs_t
	err := syscall.Statfs(path, &about)
	return about.Bavail * uint64(about.Bsize), err
}
