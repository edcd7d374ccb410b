package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
)

// status prints what runs, with the memory of each.
func (c cluster) status(to io.Writer) error {
	r, err := c.must()
	if err != nil {
		return err
	}
	parts, err := c.find(r)
	if err != nil {
		return err
	}
	fmt.Fprintf(to, "state       %s\nKUBECONFIG  %s\nnode        %s\npods        %s\nservices    %s\nbalancers   %s\nthis machine, as the cluster sees it: %s (interface %s)\n\n",
		c.state, c.kubeconfig(), r.Network.Node, r.Network.Pods, r.Network.Services, r.Network.Balancers, r.Network.Host, c.name)
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "part\tprocess\tmemory")
	wanted := append(c.base(r), c.rest(r)...)
	if _, enforced := parts[c.enforcement(r).name]; enforced {
		wanted = append(wanted, c.enforcement(r))
	}
	for _, part := range wanted {
		pid, there := parts[part.name]
		if !there {
			fmt.Fprintf(table, "%s\tnot running\t\n", part.name)
			continue
		}
		fmt.Fprintf(table, "%s\t%d\t%s\n", part.name, pid, memory(pid))
	}
	return table.Flush()
}

// env prints what a shell's `source <(cluster env)` wants. The address is the pool's last: those that nobody asks for come
// from the other end.
func (c cluster) env(to io.Writer) error {
	r, err := c.must()
	if err != nil {
		return err
	}
	size := uint32(1) << (32 - r.Network.Balancers.Bits())
	_, err = fmt.Fprintf(to, "export KUBECONFIG=%s\nexport LYCHGATE_USABLE_ADDRESS=%s\nexport LYCHGATE_MACHINE_ADDRESS=%s\n",
		c.kubeconfig(), offset(r.Network.Balancers.Addr(), size-2), r.Network.Host)
	return err
}

func memory(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return "?"
	}
	for line := range strings.Lines(string(text)) {
		var kibibytes int
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kibibytes); err == nil {
			return fmt.Sprintf("%d MiB", kibibytes/1024)
		}
	}
	return "?"
}

// restart kills a part. The init starts it anew.
func (c cluster) restart(name string) error {
	r, err := c.must()
	if err != nil {
		return err
	}
	parts, err := c.find(r)
	if err != nil {
		return err
	}
	pid, there := parts[name]
	if !there {
		var names []string
		for name := range parts {
			names = append(names, name)
		}
		slices.Sort(names)
		return fmt.Errorf("no part %q runs; there are %s", name, strings.Join(names, ", "))
	}
	return syscall.Kill(pid, syscall.SIGKILL)
}

// exec becomes a command in the namespaces of the cluster.
func (c cluster) exec(arguments []string) error {
	if len(arguments) > 0 && arguments[0] == "--" {
		arguments = arguments[1:]
	}
	if len(arguments) == 0 {
		return errors.New("exec wants a command")
	}
	r, err := c.must()
	if err != nil {
		return err
	}
	nsenter, err := exec.LookPath("nsenter")
	if err != nil {
		return err
	}
	line := []string{"nsenter", "--target", fmt.Sprint(r.PID), "--mount", "--uts", "--ipc", "--net", "--pid", "--"}
	return syscall.Exec(nsenter, append(line, arguments...), os.Environ())
}

// logs copies what one reads after a failure. It goes on where something cannot be had.
func (c cluster) logs(to string) error {
	r, err := c.must()
	if err != nil {
		return err
	}
	var failed []error
	copyAll := func(from, to string) {
		failed = append(failed, os.MkdirAll(filepath.Dir(to), 0o755), command("cp", "--recursive", from, to))
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	copyAll(c.path("log"), filepath.Join(to, "parts"))
	copyAll(c.path("pods"), filepath.Join(to, "pods"))
	for name, arguments := range map[string][]string{
		"objects.txt": {"get", "all,gatewayclasses,gateways,listenersets,httproutes,grpcroutes,tlsroutes,tcproutes,udproutes", "--all-namespaces", "--output=wide"},
		"gateway.yaml": {"get", "gatewayclasses,gateways,listenersets,httproutes,grpcroutes,tlsroutes,tcproutes,udproutes,backendtlspolicies",
			"--all-namespaces", "--output=yaml"},
		"events.txt": {"get", "events", "--all-namespaces", "--sort-by=.lastTimestamp"},
		"pods.txt":   {"describe", "pods", "--all-namespaces"},
	} {
		output, err := c.kubectl(r, arguments...).CombinedOutput()
		if err != nil {
			// What it said is in the file: a cluster may have no such objects.
			failed = append(failed, nil)
		}
		failed = append(failed, os.WriteFile(filepath.Join(to, name), output, 0o644))
	}
	return errors.Join(failed...)
}
