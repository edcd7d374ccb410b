package world

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Usage is what the containers of some pods take together, as the kubelet counts it.
type Usage struct {
	// CPU seconds since they began.
	CPU float64
	// Bytes that Kubernetes holds against limits.
	WorkingSet float64
	// When that was counted, by the node's clock.
	at map[string]string
}

// Since is how many cores it kept busy from another count of the same pods to this.
func (u Usage) Since(before Usage) (float64, error) {
	long := 0.0
	for pod, at := range u.at {
		was, known := before.at[pod]
		if !known {
			return 0, fmt.Errorf("pod %s is another one by now", pod)
		}
		to, err := strconv.ParseFloat(at, 64)
		if err != nil {
			return 0, err
		}
		from, err := strconv.ParseFloat(was, 64)
		if err != nil {
			return 0, err
		}
		long = max(long, (to-from)/1000)
	}
	if long <= 0 {
		return 0, errors.New("nothing was counted in between")
	}
	return (u.CPU - before.CPU) / long, nil
}

// Measure takes what the pods of a namespace whose names begin so take. The kubelet counts every ten seconds or so: this
// waits for the next count.
func (w *World) Measure(ctx context.Context, namespace, prefix string) (Usage, error) {
	first, err := w.usage(ctx, namespace, prefix)
	if err != nil {
		return Usage{}, err
	}
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		if err := Sleep(ctx, time.Second); err != nil {
			return Usage{}, err
		}
		next, err := w.usage(ctx, namespace, prefix)
		if err != nil {
			return Usage{}, err
		}
		fresh := len(next.at) > 0
		for pod, at := range next.at {
			fresh = fresh && first.at[pod] != at
		}
		if fresh {
			return next, nil
		}
	}
	return Usage{}, fmt.Errorf("the kubelet says nothing new of pods %s/%s*", namespace, prefix)
}

func (w *World) usage(ctx context.Context, namespace, prefix string) (Usage, error) {
	all := Usage{at: map[string]string{}}
	nodes, err := w.List(ctx, Node, "", "")
	if err != nil {
		return all, err
	}
	for _, node := range nodes {
		text, err := w.Raw(ctx, "/api/v1/nodes/"+node.GetName()+"/proxy/metrics/resource")
		if err != nil {
			return all, err
		}
		for _, line := range samples(text) {
			pod := line.labels["pod"]
			if line.labels["namespace"] != namespace || !strings.HasPrefix(pod, prefix) {
				continue
			}
			switch line.name {
			case "container_cpu_usage_seconds_total":
				all.CPU += line.value
				all.at[pod] = line.time
			case "container_memory_working_set_bytes":
				all.WorkingSet += line.value
			}
		}
	}
	return all, nil
}

// Scrape reads the metrics of a pod.
func (w *World) Scrape(ctx context.Context, namespace, pod string) ([]Sample, error) {
	text, err := w.Raw(ctx, fmt.Sprintf("/api/v1/namespaces/%s/pods/%s:9900/proxy/metrics", namespace, pod))
	if err != nil {
		return nil, err
	}
	return samples(text), nil
}

// Count adds up the series of a name in all pods with a label, where their labels are these.
func (w *World) Count(ctx context.Context, namespace, selector, name string, labels map[string]string) (float64, error) {
	pods, err := w.List(ctx, Pod, namespace, selector)
	if err != nil {
		return 0, err
	}
	if len(pods) == 0 {
		return 0, errors.New("no pod has labels " + selector)
	}
	total := 0.0
	for _, pod := range pods {
		all, err := w.Scrape(ctx, namespace, pod.GetName())
		if err != nil {
			return 0, err
		}
		for _, sample := range all {
			if sample.name == name && sample.has(labels) {
				total += sample.value
			}
		}
	}
	return total, nil
}

// Sample is a line of metrics.
type Sample struct {
	name   string
	labels map[string]string
	value  float64
	time   string
}

func (s Sample) has(labels map[string]string) bool {
	for name, value := range labels {
		if s.labels[name] != value {
			return false
		}
	}
	return true
}

// samples reads the text format of Prometheus, as far as it is used here.
func samples(text []byte) []Sample {
	var all []Sample
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if sample, ok := parse(lines.Text()); ok {
			all = append(all, sample)
		}
	}
	return all
}

func parse(line string) (Sample, bool) {
	if line == "" || line[0] == '#' {
		return Sample{}, false
	}
	end := strings.IndexAny(line, "{ ")
	if end < 0 {
		return Sample{}, false
	}
	sample := Sample{name: line[:end], labels: map[string]string{}}
	rest := line[end:]
	for strings.HasPrefix(rest, "{") || strings.HasPrefix(rest, ",") {
		name, after, found := strings.Cut(rest[1:], "=")
		if !found {
			break // An empty set of labels, or a comma at its end.
		}
		quoted, err := strconv.QuotedPrefix(after)
		if err != nil {
			return Sample{}, false
		}
		value, err := strconv.Unquote(quoted)
		if err != nil {
			return Sample{}, false
		}
		sample.labels[strings.TrimSpace(name)] = value
		rest = after[len(quoted):]
	}
	fields := strings.Fields(strings.TrimLeft(rest, "{,}"))
	if len(fields) == 0 {
		return Sample{}, false
	}
	value, err := strconv.ParseFloat(fields[0], 64)
	if err != nil {
		return Sample{}, false
	}
	sample.value = value
	if len(fields) > 1 {
		sample.time = fields[1]
	}
	return sample, true
}

// Raw reads a path of the API server.
func (w *World) Raw(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.host+path, nil)
	if err != nil {
		return nil, err
	}
	answer, err := w.web.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %.200s", path, answer.Status, text)
	}
	return text, err
}
