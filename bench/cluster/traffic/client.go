// Package traffic asks a Gateway for things and judges the answers: not only whether they came, but whether the right
// backend gave them.
package traffic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Target is what is asked for, and who shall answer.
type Target struct {
	Host, Path string
	// The backends that may answer; any where empty.
	By []string
	// The host that they are to see, where that is another one.
	As string
}

// seen is the host that backends are to see.
func (t Target) seen() string {
	if t.As != "" {
		return t.As
	}
	return t.Host
}

// What became of a request: "200" of the right backend, another status, or one of these.
const (
	Right   = "200"
	Wrong   = "wrong backend"
	Refused = "connection refused"
	Reset   = "connection reset"
	Timeout = "no answer in time"
	Other   = "broken off"
)

// Client asks one Gateway, over several connections in turn, so that each of its data planes is asked.
type Client struct {
	url  func(Target) string
	webs [8]*http.Client
	turn atomic.Uint64
}

// connections are how many each of a client's parts may have at a time. A machine that falls behind would open one for each
// request that waits, each with a handshake or two, and fall farther behind.
const connections = 32

// patience is how long an answer may take.
const patience = 10 * time.Second

// NewClient for a Gateway's address.
func NewClient(address string) *Client {
	dialer := &net.Dialer{Timeout: 3 * time.Second}
	return newClient(address, dialer.DialContext)
}

func newClient(address string, dial Dial) *Client {
	client := &Client{url: func(target Target) string { return "http://" + net.JoinHostPort(address, "80") + target.Path }}
	for at := range client.webs {
		client.webs[at] = &http.Client{
			Transport: &http.Transport{
				MaxConnsPerHost: connections, MaxIdleConnsPerHost: connections, DisableCompression: true, DialContext: dial,
			},
			Timeout:       patience,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return client
}

// Close gives the idle connections up, those of now.
func (c *Client) Close() {
	for _, web := range c.webs {
		web.CloseIdleConnections()
	}
}

// answer is what the echo server says of itself.
type answer struct {
	Service string `json:"service"`
	Pod     string `json:"pod"`
	Host    string `json:"host"`
}

// told is how much is kept of an answer that is not the right one.
const told = 512

// Ask once. The second value is the pod that answered right, or else what the answer said.
func (c *Client) Ask(ctx context.Context, target Target) (outcome, said string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url(target), nil)
	if err != nil {
		return Other, ""
	}
	request.Host = target.Host
	web := c.webs[c.turn.Add(1)%uint64(len(c.webs))]
	response, err := web.Do(request)
	if outcome, said, is := refused(err); is {
		return outcome, said
	}
	if err != nil {
		return failure(err), err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return failure(err), err.Error()
	}
	start := string(text[:min(len(text), told)])
	if response.StatusCode != http.StatusOK {
		return strconv.Itoa(response.StatusCode), start
	}
	var by answer
	if err := json.Unmarshal(text, &by); err != nil || by.Host != target.seen() {
		return Wrong, start
	}
	if len(target.By) == 0 || slices.Contains(target.By, by.Service) {
		return Right, by.Pod
	}
	return Wrong, start
}

func failure(err error) string {
	var network net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return Reset
	case errors.As(err, &network) && network.Timeout():
		return Timeout
	default:
		return Other
	}
}

// UntilRight asks again and again until the right answer comes, and tells when that was and what came before it.
func (c *Client) UntilRight(ctx context.Context, target Target, every time.Duration) (time.Time, map[string]int, error) {
	before := map[string]int{}
	for {
		outcome, said := c.Ask(ctx, target)
		now := time.Now()
		if outcome == Right {
			return now, before, nil
		}
		before[outcome]++
		select {
		case <-ctx.Done():
			return now, before, fmt.Errorf("%s%s is not answered: %w; it was %v, at last %q", target.Host, target.Path, context.Cause(ctx), before, said)
		case <-time.After(every):
		}
	}
}

// UntilRefused asks again and again until it is refused with a status and words, over each connection in turn.
func (c *Client) UntilRefused(ctx context.Context, target Target, status, words string, every time.Duration) error {
	for row := 0; row < len(c.webs); {
		outcome, said := c.Ask(ctx, target)
		if outcome == status && strings.Contains(said, words) {
			row++
			continue
		}
		row = 0
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s%s is not refused with %s and %q: %w; it was %s: %q",
				target.Host, target.Path, status, words, context.Cause(ctx), outcome, said)
		case <-time.After(every):
		}
	}
	return nil
}

// Each asks over each connection in turn, once.
func (c *Client) Each(ctx context.Context, target Target) error {
	for range c.webs {
		if outcome, said := c.Ask(ctx, target); outcome != Right {
			return fmt.Errorf("%s%s is answered %s: %q", target.Host, target.Path, outcome, said)
		}
	}
	return nil
}

// Settle asks until the right answer comes, and gives up the connections that were opened before it.
//
// The address may have been another Gateway's a moment ago, and leads to its data planes for as long as the node has its
// rules, which is as long as they drain. A connection stays where it led once.
func (c *Client) Settle(ctx context.Context, target Target, every time.Duration) error {
	_, _, err := c.UntilRight(ctx, target, every)
	c.Close()
	return err
}
