package traffic

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// Load asks at a fixed rate, whatever the answers: who waits for an answer before the next question measures the waiting
// of nobody else.
type Load struct {
	client  *Client
	rate    float64
	targets []Target
	cancel  context.CancelFunc
	ended   sync.WaitGroup

	lock      sync.Mutex
	outcomes  map[string]int
	latencies []time.Duration
	failures  []Failure
	pods      map[string]int
	unsent    int
}

// Failure is a request that was not answered right.
type Failure struct {
	At      time.Time
	Outcome string
	Target  string
	// What the answer said, or why there was none.
	Said string
}

// inFlight is how many requests may wait for answers at once; those above are NotSent.
const inFlight = 512

// kept is how many failures are remembered one by one.
const kept = 10_000

// Start asking for the targets in turn.
func Start(ctx context.Context, client *Client, rate float64, targets ...Target) *Load {
	ctx, cancel := context.WithCancel(ctx)
	load := &Load{client: client, rate: rate, targets: targets, cancel: cancel, outcomes: map[string]int{}, pods: map[string]int{}}
	load.ended.Go(func() { load.run(ctx) })
	return load
}

func (l *Load) run(ctx context.Context) {
	begun := time.Now()
	places := make(chan struct{}, inFlight)
	for at := 0; ; at++ {
		due := begun.Add(time.Duration(float64(at) / l.rate * float64(time.Second)))
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(due)):
		}
		target := l.targets[at%len(l.targets)]
		select {
		case places <- struct{}{}:
		default:
			l.lock.Lock()
			l.unsent++
			l.lock.Unlock()
			continue
		}
		l.ended.Go(func() {
			// What has begun may end: a request that we break off is nobody's failure.
			outcome, said := l.client.Ask(context.WithoutCancel(ctx), target)
			l.note(outcome, said, target, due)
			<-places
		})
	}
}

func (l *Load) note(outcome, said string, target Target, due time.Time) {
	now := time.Now()
	l.lock.Lock()
	defer l.lock.Unlock()
	l.outcomes[outcome]++
	if outcome == Right {
		l.pods[said]++
		l.latencies = append(l.latencies, now.Sub(due))
	} else if len(l.failures) < kept {
		l.failures = append(l.failures, Failure{At: now, Outcome: outcome, Target: target.Host + target.Path, Said: said})
	}
}

// NotSent is the outcome of what nobody was asked, because too many waited: no request, and no failure. Those that waited are
// answered, or fail.
const NotSent = "not sent"

// Seen is what a load saw.
type Seen struct {
	Requests, Failed int
	Outcomes         map[string]int
	Latencies        []time.Duration
	Failures         []Failure
	// How often each pod answered.
	Pods map[string]int
}

// Stop asking, wait for the answers that are due, and tell.
func (l *Load) Stop() Seen {
	l.cancel()
	l.ended.Wait()
	return l.Take()
}

// Take tells what was seen since the last time, and goes on.
func (l *Load) Take() Seen {
	l.lock.Lock()
	defer l.lock.Unlock()
	seen := Seen{Pods: l.pods, Outcomes: l.outcomes, Latencies: l.latencies, Failures: l.failures}
	for outcome, count := range seen.Outcomes {
		seen.Requests += count
		if outcome != Right {
			seen.Failed += count
		}
	}
	if l.unsent > 0 {
		seen.Outcomes[NotSent] = l.unsent
	}
	l.outcomes, l.latencies, l.failures, l.unsent = map[string]int{}, nil, nil, 0
	l.pods = map[string]int{}
	return seen
}

// Of the outcomes, how many were one of these.
func (s Seen) Of(outcomes ...string) int {
	count := 0
	for _, outcome := range outcomes {
		count += s.Outcomes[outcome]
	}
	return count
}

// Gap is the time from the first to the last failure: how long something was wrong.
func (s Seen) Gap() time.Duration {
	if len(s.Failures) == 0 {
		return 0
	}
	byTime := func(a, b Failure) int { return a.At.Compare(b.At) }
	return slices.MaxFunc(s.Failures, byTime).At.Sub(slices.MinFunc(s.Failures, byTime).At)
}

// And what was seen at another time.
func (s Seen) And(other Seen) Seen {
	return Seen{
		Requests:  s.Requests + other.Requests,
		Failed:    s.Failed + other.Failed,
		Outcomes:  sum(s.Outcomes, other.Outcomes),
		Latencies: slices.Concat(s.Latencies, other.Latencies),
		Failures:  slices.Concat(s.Failures, other.Failures),
		Pods:      sum(s.Pods, other.Pods),
	}
}

func sum(one, other map[string]int) map[string]int {
	both := map[string]int{}
	maps.Copy(both, one)
	for name, count := range other {
		both[name] += count
	}
	return both
}
