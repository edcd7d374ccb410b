package main

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// init is what the first process of the cluster does, in namespaces that `up` gave it: make them a machine of their own,
// start the parts, start those anew that end, and reap what others leave. It ends only by being killed.
func (c cluster) init() error {
	// The other end of the network comes first; up says when it is there.
	if _, err := io.ReadAll(os.Stdin); err != nil {
		return err
	}
	r, err := c.read()
	if err != nil {
		return err
	}
	if os.Getpid() != 1 {
		return fmt.Errorf("init is the first process of a cluster: cluster up starts it")
	}
	if err := c.mounts(); err != nil {
		return fmt.Errorf("mounts: %w", err)
	}
	if err := syscall.Sethostname([]byte(nodeName)); err != nil {
		return fmt.Errorf("the host name: %w", err)
	}
	if err := links(r.Network); err != nil {
		return fmt.Errorf("network: %w", err)
	}
	if err := c.settings(r, c.snapshotter()); err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	if err := os.Setenv("HOME", c.state); err != nil {
		return err
	}
	// Few of the machine's variables concern the parts, and those of a proxy would lead them astray.
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "KUBECONFIG"} {
		if err := os.Unsetenv(name); err != nil {
			return err
		}
	}
	k := keeper{cluster: c, parts: map[int]part{}, starts: make(chan part), enforcement: c.enforcement(r)}
	go k.schedule(r)
	go c.keepLogs()
	k.keep()
	return nil
}

// mounts gives the cluster its own view of the files: all of the machine read-only, the state directory writable, and
// those directories of its own that programs write to no matter what they are told.
func (c cluster) mounts() error {
	const none = ""
	mount := func(source, target, kind string, flags uintptr, data string) error {
		if err := syscall.Mount(source, target, kind, flags, data); err != nil {
			return fmt.Errorf("%s: %w", target, err)
		}
		return nil
	}
	if err := mount(none, "/", none, syscall.MS_REC|syscall.MS_PRIVATE, none); err != nil {
		return err
	}
	if err := mount(c.state, c.state, none, syscall.MS_BIND, none); err != nil {
		return err
	}
	if err := mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, none); err != nil {
		return err
	}
	for _, own := range []string{"/var/lib", "/var/log"} {
		within := c.path("var", filepath.Base(own))
		if err := os.MkdirAll(within, 0o755); err != nil {
			return err
		}
		if err := mount(within, own, none, syscall.MS_BIND, none); err != nil {
			return err
		}
	}
	temporary := []string{"/run", "/tmp"}
	if at, err := filepath.EvalSymlinks("/var/run"); err == nil && at != "/run" {
		temporary = append(temporary, at)
	}
	for _, own := range temporary {
		if err := mount("tmpfs", own, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "mode=1777"); err != nil {
			return err
		}
	}
	if err := c.tunables(mount); err != nil {
		return err
	}
	if err := mount(none, "/", none, syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, none); err != nil {
		return err
	}
	// Mounts of volumes have to reach the containers.
	return mount(none, "/", none, syscall.MS_REC|syscall.MS_SHARED, none)
}

// tunables: a kubelet tunes the kernel that it runs on, and this kernel is not the cluster's alone. So it finds what it
// wants to find, in files of its own.
func (c cluster) tunables(mount func(source, target, kind string, flags uintptr, data string) error) error {
	for name, value := range map[string]string{
		"vm/overcommit_memory":      "1",
		"vm/panic_on_oom":           "0",
		"kernel/panic":              "10",
		"kernel/panic_on_oops":      "1",
		"kernel/keys/root_maxkeys":  "1000000",
		"kernel/keys/root_maxbytes": "25000000",
	} {
		within := c.path("tunables", filepath.Base(name))
		if err := os.MkdirAll(filepath.Dir(within), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(within, []byte(value+"\n"), 0o644); err != nil {
			return err
		}
		if !exists(filepath.Join("/proc/sys", name)) {
			continue // Not every kernel has all of them, and the kubelet knows.
		}
		if err := mount(within, filepath.Join("/proc/sys", name), "", syscall.MS_BIND, ""); err != nil {
			return err
		}
	}
	return nil
}

// links sets the network up: the link to the machine, which is the way to everywhere, and what a node must do with
// packets of others.
func links(n network) error {
	for _, arguments := range [][]string{
		{"ip", "link", "set", "lo", "up"},
		{"ip", "address", "add", fmt.Sprintf("%s/%d", n.Node, n.Link), "dev", "eth0"},
		{"ip", "link", "set", "eth0", "up"},
		{"ip", "route", "add", "default", "via", n.Host.String()},
		// What nobody takes would go round in circles between the two ends. It is refused, as by a machine.
		{"iptables", "-w", "-A", "FORWARD", "-i", "eth0", "-o", "eth0", "-p", "tcp", "-j", "REJECT", "--reject-with", "tcp-reset"},
		{"iptables", "-w", "-A", "FORWARD", "-i", "eth0", "-o", "eth0", "-j", "REJECT"},
		// The bridge, before the first pod makes it: the kernel knows its settings only once there is one.
		{"ip", "link", "add", "pods", "type", "bridge"},
	} {
		if err := command(arguments[0], arguments[1:]...); err != nil {
			return err
		}
	}
	for _, name := range []string{"net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables"} {
		if err := os.WriteFile(filepath.Join("/proc/sys", name), []byte("1"), 0o644); err != nil {
			return fmt.Errorf("%w (the kernel's module br_netfilter has the settings of bridges: modprobe br_netfilter)", err)
		}
	}
	return nil
}

// snapshotter is overlayfs wherever the state directory's file system can be a part of one.
func (c cluster) snapshotter() string {
	try := c.path("overlay")
	for _, name := range []string{"lower", "upper", "work", "merged"} {
		if err := os.MkdirAll(filepath.Join(try, name), 0o700); err != nil {
			return "native"
		}
	}
	defer os.RemoveAll(try)
	merged := filepath.Join(try, "merged")
	layers := fmt.Sprintf("lowerdir=%[1]s/lower,upperdir=%[1]s/upper,workdir=%[1]s/work", try)
	if err := syscall.Mount("overlay", merged, "overlay", 0, layers); err != nil {
		log.Printf("no overlayfs in %s (%v): images are copied", c.state, err)
		return "native"
	}
	_ = syscall.Unmount(merged, syscall.MNT_DETACH)
	return "overlayfs"
}

// keeper is the init's long life.
type keeper struct {
	cluster cluster
	// Of this goroutine alone: forking and reaping are never at the same time, so that no end is missed.
	parts  map[int]part
	starts chan part
	// The part that is not always wanted, and whether it is.
	enforcement part
	enforced    bool
}

// schedule says what shall be started, and when.
func (k *keeper) schedule(r record) {
	for _, part := range k.cluster.base(r) {
		k.starts <- part
	}
	client, err := newAPI(k.cluster)
	if err != nil {
		log.Printf("the API server's client: %v", err)
		return
	}
	for client.ready() != nil {
		time.Sleep(100 * time.Millisecond)
	}
	for _, part := range k.cluster.rest(r) {
		k.starts <- part
	}
}

func (k *keeper) keep() {
	ended := make(chan os.Signal, 64)
	signal.Notify(ended, syscall.SIGCHLD)
	// From `cluster enforce`.
	asked := make(chan os.Signal, 4)
	signal.Notify(asked, enforce, enforceNoMore)
	// Whoever wants to end a cluster kills it. A signal that goes to a whole group by mistake does not.
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	for {
		select {
		case part := <-k.starts:
			// What was to start anew may not be wanted any more.
			if part.name != k.enforcement.name || k.enforced {
				k.start(part)
			}
		case <-ended:
			k.reap()
		case which := <-asked:
			k.enforce(which == enforce)
		}
	}
}

func (k *keeper) start(p part) {
	program, err := exec.LookPath(p.args[0])
	if err == nil {
		err = k.fork(p, program)
	}
	if err != nil {
		log.Printf("%s: %v", p.name, err)
		k.again(p)
	}
}

func (k *keeper) fork(p part, program string) error {
	out, err := os.OpenFile(k.cluster.path("log", p.name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	pid, err := syscall.ForkExec(program, p.args, &syscall.ProcAttr{
		Dir:   k.cluster.state,
		Env:   os.Environ(),
		Files: []uintptr{null.Fd(), out.Fd(), out.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return err
	}
	k.parts[pid] = p
	log.Printf("%s: started", p.name)
	return nil
}

// reap buries all that have ended: parts, and what became ours because its parent ended first.
func (k *keeper) reap() {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		p, ours := k.parts[pid]
		if !ours {
			continue
		}
		delete(k.parts, pid)
		how := fmt.Sprintf("exit status %d", status.ExitStatus())
		if status.Signaled() {
			how = status.Signal().String()
		}
		log.Printf("%s: ended (%s)", p.name, how)
		k.again(p)
	}
}

func (k *keeper) again(p part) {
	time.AfterFunc(time.Second, func() { k.starts <- p })
}

// process of a part, as the machine sees it: a child of the init with the part's name in its command line.
func (c cluster) find(r record) (map[string]int, error) {
	found := map[string]int{}
	known := append(append(c.base(r), c.rest(r)...), c.enforcement(r))
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	for _, path := range all {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // It has ended since.
		}
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		if len(fields) < 2 || fields[1] != fmt.Sprint(r.PID) {
			continue
		}
		line, err := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		if err != nil {
			continue
		}
		for _, part := range known {
			if strings.HasPrefix(string(line), strings.Join(part.args, "\x00")+"\x00") {
				var pid int
				if _, err := fmt.Sscan(filepath.Base(filepath.Dir(path)), &pid); err == nil {
					found[part.name] = pid
				}
			}
		}
	}
	return found, nil
}
