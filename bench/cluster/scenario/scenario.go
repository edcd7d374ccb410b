// Package scenario has what is tried, one file each, and the order.
package scenario

import (
	"context"
	"time"

	"lychgate.dev/bench/cluster/node"
	"lychgate.dev/bench/cluster/report"
	"lychgate.dev/bench/cluster/world"
)

// Scenario is something that is tried.
type Scenario struct {
	Key, Title string
	// Whether it does what only the rig allows.
	wantsRig bool
	run      func(ctx context.Context, stage *Stage, result *report.Result) error
}

// All of them, in order.
var All = []Scenario{
	{"a", "Routes attached and detached", false, attached},
	{"b", "From apply to the first answer", false, probe},
	{"c", "Changes under traffic", false, change},
	{"d", "Many routes, with churn", false, scale},
	{"e", "Many ListenerSets", false, listenerSets},
	{"f", "A backend that flips", true, flip},
	{"g", "What is killed", true, kills},
	{"h", "The chart upgraded under traffic", true, upgrade},
	{"i", "Bad input", true, badInput},
	{"j", "What leaves", true, egress},
	{"k", "Ways around the gate", true, escape},
	{"l", "Routes that lead out, and TLS that is looked into", true, led},
}

// Sizes are how much of everything there is.
type Sizes struct {
	// Routes that are attached at once, and in how many steps.
	Attached, Steps int
	// Routes that are made one after the other, and so many under load and with churn.
	Probes, Disturbed int
	// Edits of a route, and restarts of backends.
	Changes int
	// Routes in all, over so many namespaces, and for how long they change.
	Routes, Namespaces int
	Churn              time.Duration
	// ListenerSets, and routes of each.
	Sets, PerSet int
	// How often a backend goes and comes, and for how long.
	Flips int
	Flip  time.Duration
	// Routes that are looked after while something is killed.
	Kept int
	// For how long the node has no CPU time left.
	Starved time.Duration
	// Routes that are invalid, among as many good ones.
	Invalid int
}

// Full is what figures are published of.
var Full = Sizes{
	Attached: 1000, Steps: 4, Probes: 3000, Disturbed: 1000, Changes: 20, Routes: 5000, Namespaces: 50, Churn: 2 * time.Minute,
	Sets: 500, PerSet: 20, Flips: 3, Flip: 20 * time.Second, Kept: 200, Starved: 20 * time.Second,
	Invalid: 1000,
}

// Quick is what shows in a minute or two each that all of it works.
var Quick = Sizes{
	Attached: 200, Steps: 2, Probes: 60, Disturbed: 40, Changes: 4, Routes: 200, Namespaces: 10, Churn: 15 * time.Second,
	Sets: 20, PerSet: 5, Flips: 1, Flip: 5 * time.Second, Kept: 40, Starved: 8 * time.Second,
	Invalid: 50,
}

// Stage is what scenarios have at hand.
type Stage struct {
	*world.World
	// Nil where the cluster is not ours to harm.
	Rig   *node.Rig
	Helm  *node.Helm
	Sizes Sizes
	// The control plane's namespace.
	System string
	// The address of the shared Gateway.
	Address string
	// What backends are made of.
	Image string
}

// Play a scenario.
func (s Scenario) Play(ctx context.Context, stage *Stage) report.Result {
	result := report.Result{Key: s.Key, Title: s.Title}
	if s.wantsRig && (stage.Rig == nil || stage.Helm == nil) {
		result.Left = "it harms the cluster, so it is for the project's own alone"
		return result
	}
	begun := time.Now()
	if err := s.run(ctx, stage, &result); err != nil {
		result.Error = err.Error()
	}
	result.Seconds = time.Since(begun).Seconds()
	return result
}
