package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const (
	nodeName = "node"
	pause    = "registry.k8s.io/pause:3.10"
)

// part is a process that the cluster's init keeps running.
type part struct {
	name string
	args []string
}

// base are the parts that come first; the others ask the API server at once, and end where there is none.
func (c cluster) base(r record) []part {
	pki := func(name string) string { return c.path("pki", name) }
	return []part{
		{"etcd", []string{r.Node, "etcd",
			"--data-dir", c.path("etcd"),
			"--listen-client-urls", "http://127.0.0.1:2379",
			"--advertise-client-urls", "http://127.0.0.1:2379",
			"--listen-peer-urls", "http://127.0.0.1:2380",
			// What it holds ends with the machine's next start anyway.
			"--unsafe-no-fsync",
		}},
		{"containerd", []string{"containerd", "--config", c.path("containerd.toml")}},
		{"kube-apiserver", []string{r.Node, "kube-apiserver",
			"--etcd-servers=http://127.0.0.1:2379",
			"--advertise-address=" + r.Network.Node.String(),
			"--secure-port=6443",
			"--service-cluster-ip-range=" + r.Network.Services.String(),
			"--tls-cert-file=" + pki("apiserver.crt"),
			"--tls-private-key-file=" + pki("apiserver.key"),
			"--client-ca-file=" + pki("ca.crt"),
			"--kubelet-preferred-address-types=InternalIP",
			"--kubelet-certificate-authority=" + pki("ca.crt"),
			"--kubelet-client-certificate=" + pki("admin.crt"),
			"--kubelet-client-key=" + pki("admin.key"),
			"--service-account-key-file=" + pki("accounts.pub"),
			"--service-account-signing-key-file=" + pki("accounts.key"),
			"--service-account-issuer=https://kubernetes.default.svc",
			"--authorization-mode=Node,RBAC",
			"--enable-admission-plugins=NodeRestriction",
			"--allow-privileged=true",
			// Gateways may refer to bundles of trust anchors, which are off by default.
			"--feature-gates=ClusterTrustBundle=true",
			"--runtime-config=certificates.k8s.io/v1beta1/clustertrustbundles=true",
		}},
	}
}

func (c cluster) rest(r record) []part {
	pki := func(name string) string { return c.path("pki", name) }
	admin := "--kubeconfig=" + c.kubeconfig()
	return []part{
		{"kube-controller-manager", []string{r.Node, "kube-controller-manager", admin,
			"--service-account-private-key-file=" + pki("accounts.key"),
			"--root-ca-file=" + pki("ca.crt"),
			"--cluster-signing-cert-file=" + pki("ca.crt"),
			"--cluster-signing-key-file=" + pki("ca.key"),
			"--cluster-cidr=" + r.Network.Pods.String(),
			"--allocate-node-cidrs=true",
			// One node has them all.
			fmt.Sprintf("--node-cidr-mask-size=%d", r.Network.Pods.Bits()),
			"--use-service-account-credentials=true",
			"--leader-elect=false",
		}},
		{"kube-scheduler", []string{r.Node, "kube-scheduler", admin, "--leader-elect=false"}},
		{"kubelet", []string{r.Node, "kubelet",
			"--config=" + c.path("kubelet.yaml"),
			"--kubeconfig=" + c.path("kubelet.kubeconfig"),
			"--hostname-override=" + nodeName,
			"--node-ip=" + r.Network.Node.String(),
			"--root-dir=" + c.path("kubelet"),
		}},
		{"kube-proxy", []string{r.Node, "kube-proxy", admin,
			"--hostname-override=" + nodeName,
			"--proxy-mode=iptables",
			"--cluster-cidr=" + r.Network.Pods.String(),
			// The table's size is the machine's, not a network namespace's.
			"--conntrack-max-per-core=0",
			"--conntrack-min=0",
		}},
		{"addresses", []string{r.Node, "addresses", admin, "--pool=" + r.Network.Balancers.String()}},
	}
}

// enforcement is the part that runs only where it is asked for. kube-router writes the whole table of the packet filter anew,
// as it has read it a moment before: what kube-proxy wrote in between is lost. So it is not to run while Services come and go.
func (c cluster) enforcement(r record) part {
	return part{"network-policies", []string{r.Node, "network-policies",
		"--kubeconfig=" + c.kubeconfig(),
		"--node=" + nodeName,
		"--service-cidr=" + r.Network.Services.String(),
	}}
}

// settings writes the files that the parts read.
func (c cluster) settings(r record, snapshotter string) error {
	plugins, err := cniPlugins()
	if err != nil {
		return err
	}
	replace := strings.NewReplacer(
		"$STATE", c.state,
		"$PLUGINS", plugins,
		"$SNAPSHOTTER", snapshotter,
		"$PAUSE", pause,
		"$PODS", r.Network.Pods.String(),
		"$NODE", r.Network.Node.String(),
		"$DNS", r.Network.DNS.String(),
		"$CGROUP", "/"+c.name,
	)
	for name, text := range map[string]string{
		"containerd.toml":         containerdSettings,
		"cni/10-pods.conflist":    cniSettings,
		"kubelet.yaml":            kubeletSettings,
		"resolv.conf":             "# The cluster's DNS asks nobody outside.\nnameserver 127.0.0.1\n",
		"kubelet/plugins/.lookup": "",
	} {
		path := c.path(name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(replace.Replace(text)), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// restrict_oom_score_adj: where the cluster's init may not lower scores (no CAP_SYS_RESOURCE), containers fail with "can't
// get final child's PID from pipe" without it.
const containerdSettings = `version = 2
root = "$STATE/containerd"
state = "/run/containerd"
[grpc]
  address = "$STATE/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$PAUSE"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$PLUGINS"
    conf_dir = "$STATE/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "$SNAPSHOTTER"
`

const cniSettings = `{
  "cniVersion": "0.4.0",
  "name": "pods",
  "plugins": [
    {
      "type": "bridge", "bridge": "pods", "isGateway": true, "ipMasq": false, "hairpinMode": true,
      "ipam": {
        "type": "host-local", "dataDir": "$STATE/cni/addresses",
        "ranges": [[{"subnet": "$PODS"}]], "routes": [{"dst": "0.0.0.0/0"}]
      }
    },
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
`

// Images come from files and nowhere else, so none is ever collected; a machine with a full disk is none of a test's
// business. Control groups of version 1 are refused by default, and their controllers are not all there on all machines.
const kubeletSettings = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $NODE
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $STATE/pki/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $STATE/pki/kubelet.crt
tlsPrivateKeyFile: $STATE/pki/kubelet.key
clusterDNS: [$DNS]
clusterDomain: cluster.local
resolvConf: $STATE/resolv.conf
containerRuntimeEndpoint: unix://$STATE/containerd.sock
volumePluginDir: $STATE/kubelet/plugins
cgroupDriver: cgroupfs
cgroupRoot: $CGROUP
cgroupsPerQOS: true
enforceNodeAllocatable: []
failCgroupV1: false
failSwapOn: false
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
evictionHard: {memory.available: "0%", nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%"}
maxPods: 500
`
