package main

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

//go:embed dns.yaml
var dns string

// up starts a cluster, or finds that it is up. What was left by one that did not end well is removed first.
func (c cluster) up(node string, images []string) error {
	if err := check(c.state); err != nil {
		return err
	}
	unlock, err := c.lock()
	if err != nil {
		return err
	}
	defer unlock()
	node, err = filepath.Abs(node)
	if err != nil {
		return err
	}
	digest, err := digestOf(node)
	if err != nil {
		return err
	}
	r, running := c.running()
	if running && r.Digest != digest {
		return fmt.Errorf("a cluster of another program is up in %s: cluster down ends it", c.state)
	}
	if !running {
		if err := c.clean(); err != nil {
			return fmt.Errorf("what an earlier cluster left: %w", err)
		}
		if r, err = c.start(node, digest); err != nil {
			return errors.Join(err, c.tell(), c.end())
		}
	}
	if err := c.join(r); err != nil {
		return err
	}
	return c.settle(r, images)
}

func digestOf(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, file)
	return hex.EncodeToString(sum.Sum(nil)), err
}

// start makes the namespaces with their init in them, joins their network to the machine's, and lets it begin.
func (c cluster) start(node, digest string) (record, error) {
	others, err := taken()
	if err != nil {
		return record{}, err
	}
	network, err := choose(others)
	if err != nil {
		return record{}, err
	}
	r := record{Node: c.path("bin", "node"), Digest: digest, Network: network}
	for _, name := range []string{"bin", "log"} {
		if err := os.MkdirAll(c.path(name), 0o755); err != nil {
			return r, err
		}
	}
	// A copy of its own: a new build does not pull the running one away, and pods' probes find no other one.
	if err := copyFile(node, r.Node); err != nil {
		return r, err
	}
	if err := c.credentials(network); err != nil {
		return r, err
	}
	if err := c.makeGroups(); err != nil {
		return r, fmt.Errorf("control groups: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	out, err := os.OpenFile(c.path("log", "init.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return r, err
	}
	defer out.Close()
	first := exec.Command(self, "init")
	first.Env = append(os.Environ(), "LYCHGATE_CLUSTER="+c.state)
	first.Stdout, first.Stderr = out, out
	first.SysProcAttr = &syscall.SysProcAttr{
		Setsid: true,
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET |
			syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
	}
	begin, err := first.StdinPipe()
	if err != nil {
		return r, err
	}
	if err := first.Start(); err != nil {
		return r, fmt.Errorf("new namespaces: %w", err)
	}
	r.PID = first.Process.Pid
	if r.Started, _, err = process(r.PID); err != nil {
		return r, err
	}
	if err := c.write(r); err != nil {
		return r, errors.Join(err, first.Process.Kill())
	}
	// A link between the machine's network and the cluster's. It goes when either end does.
	if err := command("ip", "link", "add", c.name, "type", "veth", "peer", "name", "eth0", "netns", fmt.Sprint(r.PID)); err != nil {
		return r, err
	}
	return r, begin.Close()
}

// join makes this machine's end of the link lead to the cluster, whatever an earlier up got to.
func (c cluster) join(r record) error {
	n := r.Network
	for _, arguments := range [][]string{
		{"address", "replace", fmt.Sprintf("%s/%d", n.Host, n.Link), "dev", c.name},
		{"link", "set", c.name, "up"},
		{"route", "replace", n.All.String(), "via", n.Node.String(), "dev", c.name},
	} {
		if err := command("ip", arguments...); err != nil {
			return err
		}
	}
	return nil
}

// settle waits until the cluster takes work: images, DNS, a node that is ready.
func (c cluster) settle(r record, images []string) error {
	client, err := newAPI(c)
	if err != nil {
		return err
	}
	alive := func(ask func() error) func() error {
		return func() error {
			if _, running := c.running(); !running {
				return errors.Join(errors.New("the cluster's init has ended"), c.tell())
			}
			return ask()
		}
	}
	if err := eventually(time.Minute, "containerd", alive(c.containerd)); err != nil {
		return err
	}
	if err := c.load(images); err != nil {
		return err
	}
	if err := eventually(2*time.Minute, "the API server", alive(client.ready)); err != nil {
		return err
	}
	apply := c.kubectl(r, "apply", "--filename", "-")
	apply.Stdin = strings.NewReader(strings.ReplaceAll(dns, "$DNS", r.Network.DNS.String()))
	if err := said(apply); err != nil {
		return err
	}
	registered := func() error { return said(c.kubectl(r, "get", "node", nodeName)) }
	if err := eventually(time.Minute, "the node", alive(registered)); err != nil {
		return err
	}
	if err := said(c.kubectl(r, "wait", "--for=condition=Ready", "node/"+nodeName, "--timeout=60s")); err != nil {
		return err
	}
	if err := said(c.kubectl(r, "--namespace=kube-system", "rollout", "status", "deployment/coredns", "--timeout=120s")); err != nil {
		return fmt.Errorf("the cluster's DNS: %w (the images of pause and coredns have to be among those given to up)", err)
	}
	fmt.Fprintf(os.Stderr, "cluster: up; export KUBECONFIG=%s\n", c.kubeconfig())
	return nil
}

func (c cluster) containerd() error { return said(c.ctr("version")) }

func (c cluster) ctr(arguments ...string) *exec.Cmd {
	return exec.Command("ctr", append([]string{"--address", c.path("containerd.sock"), "--namespace", "k8s.io"}, arguments...)...)
}

// load gives images to the node. All that have their names get new ones with the next pod.
func (c cluster) load(images []string) error {
	if _, err := c.must(); err != nil {
		return err
	}
	for _, image := range images {
		if err := said(c.ctr("images", "import", image)); err != nil {
			return err
		}
	}
	return nil
}

// tell is what the init said last, as an error to add to another.
func (c cluster) tell() error {
	text, err := os.ReadFile(c.path("log", "init.log"))
	if err != nil || len(text) == 0 {
		return nil
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return errors.New("its init said last:\n" + strings.Join(lines[max(0, len(lines)-5):], "\n"))
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
