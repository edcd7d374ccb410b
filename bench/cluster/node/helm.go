package node

import (
	"context"
	"os"
	"os/exec"
	"strings"
)

// Helm installs the chart, where the images of the rig have a second tag to upgrade to.
type Helm struct {
	program string
	// The tag that is installed, and the other one.
	Tag, Next string
}

// FindHelm is nil where there is nothing to upgrade to.
func FindHelm() *Helm {
	program, tag := os.Getenv("LYCHGATE_HELM"), os.Getenv("LYCHGATE_TAG")
	if program == "" || tag == "" {
		return nil
	}
	return &Helm{program: program, Tag: tag, Next: tag + "-next"}
}

// Upgrade to images of a tag, and wait until the control plane is there.
func (h *Helm) Upgrade(ctx context.Context, namespace, tag string) error {
	return h.Set(ctx, namespace, "image.tag="+tag)
}

// Set values of the chart that is installed; the others stay.
func (h *Helm) Set(ctx context.Context, namespace string, values ...string) error {
	return said(exec.CommandContext(ctx, h.program, "upgrade", "lychgate", "charts/lychgate", "--namespace", namespace,
		"--reuse-values", "--skip-crds", "--set", strings.Join(values, ","), "--wait", "--timeout", "3m"))
}
