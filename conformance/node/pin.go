//go:build ignore

// pin writes go.mod for a version of Kubernetes: `go run pin.go 1.35.4`, then `go mod tidy`. The modules of Kubernetes
// point at folders of its own repository; outside of it, each has to be pinned to what was published with that version.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run pin.go VERSION")
		os.Exit(2)
	}
	version := strings.TrimPrefix(os.Args[1], "v")
	if err := pin(version); err != nil {
		fmt.Fprintln(os.Stderr, "pin:", err)
		os.Exit(1)
	}
}

func pin(version string) error {
	_, published, ok := strings.Cut(version, ".")
	if !ok {
		return fmt.Errorf("%q is no version", version)
	}
	answer, err := exec.Command("go", "mod", "download", "-json", "k8s.io/kubernetes@v"+version).Output()
	if err != nil {
		return fmt.Errorf("go mod download: %w", err)
	}
	var module struct{ GoMod string }
	if err := json.Unmarshal(answer, &module); err != nil {
		return err
	}
	theirs, err := os.ReadFile(module.GoMod)
	if err != nil {
		return err
	}
	language := regexp.MustCompile(`(?m)^go ([\d.]+)`).FindSubmatch(theirs)
	if language == nil {
		return fmt.Errorf("%s names no version of Go", module.GoMod)
	}
	var staged []string
	for _, found := range regexp.MustCompile(`(?m)^\s*(k8s\.io/[\w.-]+) (?:=> \./staging|v0\.0\.0(?:\s|$))`).FindAllSubmatch(theirs, -1) {
		staged = append(staged, string(found[1]))
	}
	slices.Sort(staged)
	var out strings.Builder
	fmt.Fprintf(&out, "module lychgate.dev/conformance/node\n\ngo %s\n\nrequire k8s.io/kubernetes v%s\n\nreplace (\n", language[1], version)
	for _, name := range slices.Compact(staged) {
		fmt.Fprintf(&out, "\t%s => %s v0.%s\n", name, name, published)
	}
	out.WriteString(")\n")
	return os.WriteFile("go.mod", []byte(out.String()), 0o644)
}
