package traffic

import (
	"slices"
	"time"
)

// Spread is how times lie.
type Spread struct {
	Count         int
	P50, P99, Max time.Duration
}

// SpreadOf some times; nothing of none.
func SpreadOf(times []time.Duration) Spread {
	if len(times) == 0 {
		return Spread{}
	}
	sorted := slices.Clone(times)
	slices.Sort(sorted)
	return Spread{Count: len(sorted), P50: quantile(sorted, 50), P99: quantile(sorted, 99), Max: sorted[len(sorted)-1]}
}

// quantile is the smallest time that so many of a hundred do not exceed.
func quantile(sorted []time.Duration, percent int) time.Duration {
	return sorted[(len(sorted)*percent+99)/100-1]
}
