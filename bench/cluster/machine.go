package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// machine is what it runs on, as far as figures depend on it.
func machine() string {
	processor := field("/proc/cpuinfo", "model name")
	if processor == "" {
		processor = runtime.GOARCH
	}
	memory := ""
	var kibibytes int
	if _, err := fmt.Sscanf(field("/proc/meminfo", "MemTotal"), "%d kB", &kibibytes); err == nil {
		memory = fmt.Sprintf(", %d GiB", (kibibytes+1<<19)>>20)
	}
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		kernel = []byte("?")
	}
	return fmt.Sprintf("%d cores (%s)%s, Linux %s", runtime.NumCPU(), processor, memory, strings.TrimSpace(string(kernel)))
}

// field is the first value of a name in a file of lines "name: value".
func field(path, name string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
