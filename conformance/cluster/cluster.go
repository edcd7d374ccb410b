package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cluster is one by its state directory, which all names derive from.
type cluster struct {
	state string
	// What is visible outside of the directory: the network interface and the control group have this name.
	name string
}

func newCluster(state string) cluster {
	sum := sha256.Sum256([]byte(state))
	// An interface's name has at most 15 characters.
	return cluster{state: state, name: "lychgate-" + hex.EncodeToString(sum[:3])}
}

// record is what a running cluster leaves in its directory, for the commands that come later.
type record struct {
	// The process that is its init, and when it started: a number alone may be somebody else's by now.
	PID     int
	Started string
	// The program that its parts are, and what it is made of.
	Node    string
	Digest  string
	Network network
}

func (c cluster) path(parts ...string) string {
	return filepath.Join(append([]string{c.state}, parts...)...)
}

func (c cluster) kubeconfig() string { return c.path("kubeconfig") }

func (c cluster) read() (record, error) {
	var r record
	text, err := os.ReadFile(c.path("cluster.json"))
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(text, &r)
}

func (c cluster) write(r record) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(c.path("cluster.json"), append(text, '\n'), 0o600)
}

// running is the record of the cluster if its init lives.
func (c cluster) running() (record, bool) {
	r, err := c.read()
	if err != nil || r.PID == 0 {
		return r, false
	}
	started, zombie, err := process(r.PID)
	return r, err == nil && !zombie && started == r.Started
}

// must is the record of the cluster, which has to be up.
func (c cluster) must() (record, error) {
	r, up := c.running()
	if !up {
		return r, fmt.Errorf("there is no cluster in %s: cluster up starts one", c.state)
	}
	return r, nil
}

// process says when a process started, in ticks since the machine did, and whether it has ended and is only remembered.
func process(pid int) (started string, zombie bool, err error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return "", false, err
	}
	// The name of the program, in brackets, may hold anything; the fields after it count from the third.
	at := strings.LastIndexByte(string(text), ')')
	fields := strings.Fields(string(text[at+1:]))
	if at < 0 || len(fields) < 20 {
		return "", false, errors.New("/proc has another format here")
	}
	return fields[19], fields[0] == "Z", nil
}

// marker says that a directory is a cluster's: only then is what lies in it ours to remove.
const marker = ".lychgate-cluster"

// own makes the state directory, or makes sure that the one that is there is a cluster's.
func (c cluster) own() error {
	if err := os.MkdirAll(c.state, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(c.state)
	if err != nil {
		return err
	}
	if len(entries) > 0 && !exists(c.path(marker)) {
		return fmt.Errorf("%s holds something else than a cluster: LYCHGATE_CLUSTER names an empty directory, or one that is not there yet", c.state)
	}
	return os.WriteFile(c.path(marker), nil, 0o600)
}

// lock keeps a second command that changes the cluster waiting. It is the directory's own, so no file stays behind.
func (c cluster) lock() (unlock func(), err error) {
	if err := c.own(); err != nil {
		return nil, err
	}
	directory, err := os.Open(c.state)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(directory.Fd()), syscall.LOCK_EX); err != nil {
		directory.Close()
		return nil, fmt.Errorf("%s: %w", c.state, err)
	}
	return func() { directory.Close() }, nil
}

// kubectl runs the node's kubectl against this cluster.
func (c cluster) kubectl(r record, arguments ...string) *exec.Cmd {
	return exec.Command(r.Node, append([]string{"kubectl", "--kubeconfig", c.kubeconfig()}, arguments...)...)
}

// command runs a program, and has what it said in the error.
func command(name string, arguments ...string) error {
	return said(exec.Command(name, arguments...))
}

func said(command *exec.Cmd) error {
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(command.Args, " "), err, strings.TrimSpace(string(output)))
	}
	return nil
}

// eventually asks again until the answer is no error, and gives the last error when the time is over.
func eventually(limit time.Duration, what string, ask func() error) error {
	deadline := time.Now().Add(limit)
	for {
		err := ask()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: not within %s: %w", what, limit, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
