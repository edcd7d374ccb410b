package traffic

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestQuantilesAreOnesThatWereMeasured(t *testing.T) {
	var times []time.Duration
	for at := 200; at > 0; at-- {
		times = append(times, time.Duration(at))
	}
	spread := SpreadOf(times)
	if spread != (Spread{Count: 200, P50: 100, P99: 198, Max: 200}) {
		t.Error(spread)
	}
	if one := SpreadOf(times[:1]); one.P50 != 200 || one.P99 != 200 {
		t.Error(one)
	}
	if SpreadOf(nil) != (Spread{}) {
		t.Error("nothing has no spread")
	}
}

func TestAnswersAreJudged(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(to http.ResponseWriter, request *http.Request) {
		switch request.URL.Path {
		case "/missing":
			to.WriteHeader(http.StatusNotFound)
		case "/mute":
			panic(http.ErrAbortHandler)
		default:
			fmt.Fprintf(to, `{"service":"one","pod":"one-1","host":%q}`, request.Host)
		}
	}))
	defer server.Close()
	// The client knows port 80 alone, which the test has no right to.
	client := newClient("gateway", func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
	})
	defer client.Close()
	for _, one := range []struct {
		path, by, outcome string
	}{
		{"/", "one", Right}, {"/", "two", Wrong}, {"/missing", "one", "404"}, {"/mute", "one", Other},
	} {
		outcome, _ := client.Ask(t.Context(), Target{Host: "a.example", Path: one.path, By: []string{one.by}})
		if outcome != one.outcome {
			t.Errorf("%s by %s: %s, not %s", one.path, one.by, outcome, one.outcome)
		}
	}
	load := Start(t.Context(), client, 1000, Target{Host: "a.example", Path: "/"}, Target{Host: "a.example", Path: "/missing"})
	for {
		load.lock.Lock()
		enough := load.outcomes[Right] > 10 && load.outcomes["404"] > 10
		load.lock.Unlock()
		if enough {
			break
		}
		time.Sleep(time.Millisecond)
	}
	seen := load.Stop()
	if seen.Failed != seen.Of("404") || len(seen.Failures) != seen.Failed || seen.Requests != seen.Failed+len(seen.Latencies) {
		t.Error(seen.Outcomes)
	}
}

func TestWhatIsNotSentIsNoFailure(t *testing.T) {
	load := &Load{outcomes: map[string]int{Right: 2, "404": 1}, unsent: 3}
	seen := load.Take()
	if seen.Requests != 3 || seen.Failed != 1 || seen.Of(NotSent) != 3 {
		t.Error(seen)
	}
	if again := load.Take(); len(again.Outcomes) != 0 || again.Requests != 0 {
		t.Error(again)
	}
}
