// Package node does to a cluster what its API does not offer: kills processes, restarts its parts, cuts a pod off, and
// takes the CPU away. It can where the cluster is the project's rig, whose processes are this machine's.
package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Rig is the project's cluster.
type Rig struct {
	// The program conformance/cluster, and the one that is kubectl.
	program, node string
	// The command `lychgate`, as the image has it.
	lychgate string
	// What this machine is called from inside.
	Machine string
	// An image with the command `lychgate`.
	CLI string
}

// Find the rig, if the cluster is one.
func Find() *Rig {
	program := os.Getenv("LYCHGATE_RIG")
	if program == "" {
		return nil
	}
	return &Rig{
		program:  program,
		node:     os.Getenv("LYCHGATE_NODE"),
		lychgate: os.Getenv("LYCHGATE_PROGRAM"),
		Machine:  os.Getenv("LYCHGATE_MACHINE_ADDRESS"),
		CLI:      os.Getenv("LYCHGATE_CLI"),
	}
}

// Kill the process of a program in a pod, which gets no time to say anything.
func (r *Rig) Kill(pod, program string) error {
	found, err := processes(pod, program)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fmt.Errorf("no %s runs in pod %s", program, pod)
	}
	for _, process := range found {
		if err := syscall.Kill(process, syscall.SIGKILL); err != nil {
			return err
		}
	}
	return nil
}

// processes of a program, in the control groups of a pod by its uid.
func processes(pod, program string) ([]int, error) {
	all, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		return nil, err
	}
	var found []int
	for _, path := range all {
		groups, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(groups), "pod"+pod) {
			continue
		}
		line, err := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		if err != nil {
			continue // It has ended since.
		}
		name, _, _ := strings.Cut(string(line), "\x00")
		if filepath.Base(name) != program {
			continue
		}
		number, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			return nil, err
		}
		found = append(found, number)
	}
	return found, nil
}

// Restart kills a part of the cluster, such as etcd, which is started anew at once.
func (r *Rig) Restart(ctx context.Context, part string) error {
	return said(exec.CommandContext(ctx, r.program, "restart", part))
}

// Enforce has NetworkPolicies enforced, or not.
func (r *Rig) Enforce(ctx context.Context, wanted bool) error {
	what := "off"
	if wanted {
		what = "on"
	}
	return said(exec.CommandContext(ctx, r.program, "enforce", what))
}

// Lead an address to the node itself, until the cluster ends.
func (r *Rig) Lead(ctx context.Context, address string) error {
	return said(exec.CommandContext(ctx, r.program, "exec", "ip", "address", "replace", address+"/32", "dev", "lo"))
}

// Run a command in a pod, which may fail: what it printed, and with which code it ended.
func (r *Rig) Run(ctx context.Context, namespace, pod string, command ...string) (string, int, error) {
	line := append([]string{"kubectl", "exec", "--namespace", namespace, pod, "--"}, command...)
	output, err := exec.CommandContext(ctx, r.node, line...).Output()
	var ended *exec.ExitError
	if errors.As(err, &ended) && len(output) > 0 {
		return string(output), ended.ExitCode(), nil
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", strings.Join(line, " "), err)
	}
	if ended != nil {
		err = fmt.Errorf("%w: %s", err, ended.Stderr)
	}
	return string(output), 0, err
}

// Path of a file on this machine, which the process of a program in a pod has as another one, for as long as it runs.
func (r *Rig) Path(pod, program, path string) (string, error) {
	found, err := processes(pod, program)
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", fmt.Errorf("no %s runs in pod %s", program, pod)
	}
	return fmt.Sprintf("/proc/%d/root%s", found[0], path), nil
}

// Lychgate runs the command `lychgate` on this machine, and tells what it printed.
func (r *Rig) Lychgate(ctx context.Context, arguments ...string) ([]byte, error) {
	output, err := exec.CommandContext(ctx, r.lychgate, arguments...).Output()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return nil, fmt.Errorf("lychgate %s: %w: %s", strings.Join(arguments, " "), err, ended.Stderr)
	}
	return output, err
}

// Cut makes an address refuse all connections of other pods, also those that are open; probes of the kubelet still reach it.
func (r *Rig) Cut(ctx context.Context, address string) error {
	return r.rule(ctx, "-I", address)
}

// Mend takes that back.
func (r *Rig) Mend(ctx context.Context, address string) error {
	return r.rule(ctx, "-D", address)
}

func (r *Rig) rule(ctx context.Context, what, address string) error {
	return said(exec.CommandContext(ctx, r.program, "exec", "iptables", what, "FORWARD",
		"-d", address, "-p", "tcp", "-j", "REJECT", "--reject-with", "tcp-reset"))
}

// BurnArgument is the first argument of this program where it is to do nothing but take CPU time.
const BurnArgument = "burn"

// Burn takes the CPU: four processes for each core, for a time that they know themselves, so that none outlives it. What it
// gives waits for their end.
func (r *Rig) Burn(ctx context.Context, long time.Duration) (wait func() error, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var burners []*exec.Cmd
	wait = func() error {
		var failed error
		for _, burner := range burners {
			failed = errors.Join(failed, burner.Wait())
		}
		return failed
	}
	for range 4 * runtime.NumCPU() {
		burner := exec.CommandContext(ctx, self, BurnArgument, long.String())
		if err := burner.Start(); err != nil {
			return nil, errors.Join(err, wait())
		}
		burners = append(burners, burner)
	}
	return wait, nil
}

// Burner is what such a process does.
func Burner(long string) error {
	limit, err := time.ParseDuration(long)
	if err != nil {
		return err
	}
	for end := time.Now().Add(limit); time.Now().Before(end); {
	}
	return nil
}

func said(command *exec.Cmd) error {
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(command.Args, " "), err, output)
	}
	return nil
}
