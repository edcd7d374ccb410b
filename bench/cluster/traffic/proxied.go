package traffic

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Dial opens a connection.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// NewProxied is a client that asks over TLS, each connection through a tunnel of a proxy, as clients with HTTPS_PROXY do. It
// trusts `roots` alone. What the proxy does not let through has its status as outcome.
func NewProxied(dial Dial, proxy string, roots *x509.CertPool) *Client {
	return newSecure(tunnels(dial, proxy), roots)
}

// NewLed is a client that asks a Gateway as if it were each host, over TLS: names lead there. It trusts `roots` alone.
func NewLed(dial Dial, gateway string, roots *x509.CertPool) *Client {
	return newSecure(always(dial, gateway), roots)
}

// NewLedPlain is the same in the clear.
func NewLedPlain(dial Dial, gateway string) *Client {
	client := newClient("", always(dial, gateway))
	client.url = func(target Target) string { return "http://" + target.Host + target.Path }
	return client
}

func always(dial Dial, to string) Dial {
	return func(ctx context.Context, network, _ string) (net.Conn, error) { return dial(ctx, network, to) }
}

func newSecure(dial Dial, roots *x509.CertPool) *Client {
	client := newClient("", dial)
	client.url = func(target Target) string { return "https://" + target.Host + target.Path }
	for _, web := range client.webs {
		if transport, ok := web.Transport.(*http.Transport); ok {
			transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
		}
	}
	return client
}

// refusal is what a proxy answers that opens no tunnel.
type refusal struct {
	status int
	said   string
}

func (r *refusal) Error() string { return fmt.Sprintf("the proxy says %d: %s", r.status, r.said) }

// tunnels are connections through a proxy (RFC 9110 section 9.3.6).
func tunnels(dial Dial, proxy string) Dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		connection, err := dial(ctx, network, proxy)
		if err != nil {
			return nil, err
		}
		if err := tunnel(connection, address); err != nil {
			return nil, errors.Join(err, connection.Close())
		}
		return connection, nil
	}
}

func tunnel(connection net.Conn, address string) error {
	if err := connection.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(connection, "CONNECT %s HTTP/1.1\r\nHost: %[1]s\r\n\r\n", address); err != nil {
		return err
	}
	from := bufio.NewReader(connection)
	response, err := http.ReadResponse(from, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		text, err := io.ReadAll(io.LimitReader(response.Body, told))
		return errors.Join(&refusal{response.StatusCode, strings.TrimSpace(string(text))}, err)
	}
	// Who asks for TLS speaks first.
	if from.Buffered() > 0 {
		return errors.New("the proxy says more than that the tunnel is open")
	}
	return connection.SetDeadline(time.Time{})
}

// refused is what the proxy said, where that is why there is no answer.
func refused(err error) (outcome, said string, is bool) {
	var by *refusal
	if !errors.As(err, &by) {
		return "", "", false
	}
	return strconv.Itoa(by.status), by.said, true
}
