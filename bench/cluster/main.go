// bench/cluster tries Lychgate in a cluster at scale and in change, and measures it: how right and how soon statuses are,
// how soon routes are served, whether anything fails while things change, what it takes in CPU and memory, and what becomes
// of all that when parts of the cluster are killed. `make bench-cluster` brings a cluster and runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"lychgate.dev/bench/cluster/node"
	"lychgate.dev/bench/cluster/report"
	"lychgate.dev/bench/cluster/scenario"
	"lychgate.dev/bench/cluster/world"
)

const usage = `usage: bench/cluster/run [FLAG...]

What is tried, in a cluster that has Lychgate (KUBECONFIG):
%s
`

// wish is what the command line asks for.
type wish struct {
	only   []string
	sizes  scenario.Sizes
	system string
	image  string
	json   string
	write  string
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == node.BurnArgument {
		exit(node.Burner(os.Args[2]))
	}
	wish, err := read(os.Args[1:])
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(run(ctx, wish))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func read(arguments []string) (wish, error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := flags.String("only", "", "which scenarios, as in a,c; all by default")
	quick := flags.Bool("quick", false, "few of everything: shows that it works, in a minute or two each")
	routes := flags.Int("routes", 0, "how many routes b makes one after the other")
	system := flags.String("namespace", "lychgate-system", "the control plane's namespace")
	image := flags.String("backend", "registry.k8s.io/gateway-api/conformance/echo-basic:v0.1.0", "the image of backends")
	json := flags.String("json", "", "a file for the figures, as JSON")
	write := flags.String("write", "", "a document with a place for the tables")
	flags.Usage = func() {
		list := ""
		for _, one := range scenario.All {
			list += fmt.Sprintf("  %s  %s\n", one.Key, one.Title)
		}
		fmt.Fprintf(os.Stderr, usage, list)
		flags.PrintDefaults()
	}
	if err := flags.Parse(arguments); err != nil {
		return wish{}, err
	}
	if flags.NArg() > 0 {
		return wish{}, fmt.Errorf("%q is not understood; -h tells what is", flags.Arg(0))
	}
	w := wish{sizes: scenario.Full, system: *system, image: *image, json: *json, write: *write}
	if *quick {
		w.sizes = scenario.Quick
	}
	if *routes > 0 {
		w.sizes.Probes, w.sizes.Disturbed = *routes, min(w.sizes.Disturbed, *routes)
	}
	for key := range strings.SplitSeq(*only, ",") {
		if key == "" {
			continue
		}
		if !slices.ContainsFunc(scenario.All, func(one scenario.Scenario) bool { return one.Key == key }) {
			return wish{}, fmt.Errorf("there is no scenario %q; -h tells which there are", key)
		}
		w.only = append(w.only, key)
	}
	return w, nil
}

func run(ctx context.Context, w wish) error {
	cluster, err := world.Connect(os.Getenv("KUBECONFIG"))
	if err != nil {
		return err
	}
	stage := &scenario.Stage{World: cluster, Rig: node.Find(), Helm: node.FindHelm(), Sizes: w.sizes, System: w.system, Image: w.image}
	all := report.Report{
		Date:    time.Now().UTC().Format(time.DateOnly),
		Command: os.Getenv("LYCHGATE_COMMAND"),
		Machine: machine(),
		Version: os.Getenv("LYCHGATE_VERSION"),
		Build:   os.Getenv("LYCHGATE_BUILD"),
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		if err := stage.Strike(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "bench: tidying up:", err)
		}
	}()
	if err := stage.Set(ctx); err != nil {
		return fmt.Errorf("what all scenarios use: %w", err)
	}
	for _, one := range scenario.All {
		if len(w.only) > 0 && !slices.Contains(w.only, one.Key) || ctx.Err() != nil {
			continue
		}
		fmt.Fprintf(os.Stderr, "bench: %s. %s\n", one.Key, one.Title)
		result := one.Play(ctx, stage)
		all.Results = append(all.Results, result)
		// What is known is told at once: the next one may take long.
		fmt.Fprintln(os.Stderr, report.Report{Results: []report.Result{result}}.Table())
	}
	fmt.Print(all.Markdown())
	if w.json != "" {
		if err := all.WriteJSON(w.json); err != nil {
			return err
		}
	}
	if wrong := all.Failed(); len(wrong) > 0 {
		return errors.New("not as it has to be:\n  " + strings.Join(wrong, "\n  "))
	}
	if w.write != "" {
		return all.Into(w.write)
	}
	return nil
}
