// cluster is a Kubernetes cluster of one node on this machine, without Docker: the real etcd, API server, controllers,
// kubelet and kube-proxy (../node), with the machine's containerd, runc and CNI plugins.
//
// All of it lives in namespaces of its own (processes, mounts, network): one process is the cluster's init, and when it is
// killed, the kernel takes everything along: processes, mounts, bridges, packet filter rules. The cluster sees the machine's
// files read-only, but for its state directory. Outside of it there are that directory, a control group and one network
// interface, which leads to the cluster's addresses.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const usage = `usage: cluster COMMAND

  up NODE [IMAGE.tar...]    start a cluster of the program NODE (conformance/node), or leave the one that is up as it is,
                            load the images, and wait until the node and its DNS are ready
  down                      end it, and remove everything of it
  env                       print variables for a shell: KUBECONFIG, an address that a load balancer can be asked for,
                            and the one of this machine as the cluster sees it
  status                    say what runs, where, and how much memory it takes
  load IMAGE.tar...         give images to the node
  pack OUT.tar ...          make an image of files: cluster pack -h
  logs DIR                  copy what happened: the parts' logs, the pods' logs, objects, events
  restart PART              kill a part and let it start anew: etcd, kube-apiserver, kubelet, ...
  enforce on|off            have NetworkPolicies enforced, which they are not by default
  exec CMD ARG...           run a command inside the cluster's network and mounts (iptables -S, ss, ...)
  check                     say what this machine lacks

LYCHGATE_CLUSTER is the state directory; by default ~/.cache/lychgate/cluster. Clusters with different ones do not know
of each other. KUBECONFIG for all that talk to the cluster is kubeconfig in it.
`

func main() {
	command, arguments := "", []string(nil)
	if len(os.Args) > 1 {
		command, arguments = os.Args[1], os.Args[2:]
	}
	err := run(command, arguments)
	switch {
	case err == nil:
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(command string, arguments []string) error {
	if command == "pack" {
		return pack(arguments)
	}
	state, err := stateDirectory()
	if err != nil {
		return err
	}
	c := newCluster(state)
	switch command {
	case "up":
		if len(arguments) == 0 {
			return errors.New("up wants the program of the node: conformance/build node makes it, and prints where")
		}
		return c.up(arguments[0], arguments[1:])
	case "down":
		return c.down()
	case "status":
		return c.status(os.Stdout)
	case "env":
		return c.env(os.Stdout)
	case "load":
		return c.load(arguments)
	case "logs":
		if len(arguments) != 1 {
			return errors.New("logs wants a directory")
		}
		return c.logs(arguments[0])
	case "restart":
		if len(arguments) != 1 {
			return errors.New("restart wants the name of one part")
		}
		return c.restart(arguments[0])
	case "enforce":
		if len(arguments) != 1 {
			return errors.New("enforce wants on or off")
		}
		return c.enforce(arguments[0])
	case "exec":
		return c.exec(arguments)
	case "check":
		return check(state)
	case "init":
		return c.init()
	case "", "help", "-h", "--help":
		_, err := io.WriteString(os.Stdout, usage)
		return err
	}
	return fmt.Errorf("there is no command %q\n\n%s", command, usage)
}

// stateDirectory is where a cluster keeps everything. Paths below it are part of Unix sockets, whose names are short.
func stateDirectory() (string, error) {
	state := os.Getenv("LYCHGATE_CLUSTER")
	if state == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("%w; LYCHGATE_CLUSTER names the state directory", err)
		}
		state = filepath.Join(cache, "lychgate", "cluster")
	}
	state, err := filepath.Abs(state)
	if err != nil {
		return "", err
	}
	if len(state) > 80 {
		return "", fmt.Errorf("%s is too long for the sockets in it: LYCHGATE_CLUSTER names a shorter one", state)
	}
	for _, hidden := range []string{"/proc", "/run", "/sys", "/tmp", "/var/lib", "/var/log", "/var/run"} {
		if state == hidden || strings.HasPrefix(state, hidden+"/") {
			return "", fmt.Errorf("%s: the cluster has a %s of its own, so its state cannot lie there; LYCHGATE_CLUSTER names another directory", state, hidden)
		}
	}
	return state, nil
}
