package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestADirectoryThatIsNoClustersIsLeftAlone(t *testing.T) {
	state := t.TempDir()
	mine := filepath.Join(state, "mine")
	if err := os.WriteFile(mine, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := newCluster(state).down(); err == nil || !exists(mine) {
		t.Errorf("down: %v; the file is there: %v", err, exists(mine))
	}
}

func TestDownRemovesTheStateOfAClusterAndIsFineWithoutOne(t *testing.T) {
	c := newCluster(filepath.Join(t.TempDir(), "state"))
	if err := c.down(); err != nil {
		t.Errorf("nothing is there: %v", err)
	}
	unlock, err := c.lock()
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	// The process is this test, but it started at another time: it is not the cluster's init.
	if err := c.write(record{PID: os.Getpid(), Started: "1"}); err != nil {
		t.Fatal(err)
	}
	if err := c.down(); err != nil || exists(c.state) {
		t.Errorf("down: %v; the directory is there: %v", err, exists(c.state))
	}
}

func TestAProcessIsKnownByItsStart(t *testing.T) {
	c := newCluster(t.TempDir())
	started, _, err := process(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.write(record{PID: os.Getpid(), Started: started}); err != nil {
		t.Fatal(err)
	}
	if _, running := c.running(); !running {
		t.Error("this process runs")
	}
	if err := c.write(record{PID: os.Getpid(), Started: "1"}); err != nil {
		t.Fatal(err)
	}
	if _, running := c.running(); running {
		t.Error("the process with this number is another one")
	}
}
