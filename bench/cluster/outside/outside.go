// Package outside is what lies beyond the cluster, where something that escapes would arrive: servers on this machine, of
// what programs speak that want out. They answer everybody, and what they say is of no use to anybody.
package outside

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
)

// Ports that they answer at.
const (
	dns      = 53
	plain    = 80
	secure   = 443
	dnsByTLS = 853
	// Plain is another port of HTTP.
	Plain = 8080
)

// Servers of one address.
type Servers struct {
	open []io.Closer
}

// Serve TLS, HTTP, QUIC and DNS at an address.
func Serve(address string, certificate tls.Certificate) (*Servers, error) {
	s := &Servers{}
	security := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	at := func(port int) string { return net.JoinHostPort(address, strconv.Itoa(port)) }
	var failed []error
	for _, port := range []int{plain, Plain} {
		failed = append(failed, s.stream(at(port), func(listener net.Listener) { _ = http.Serve(listener, http.NotFoundHandler()) }))
	}
	for _, port := range []int{secure, dnsByTLS} {
		failed = append(failed, s.stream(at(port), func(listener net.Listener) {
			// A handshake is all that anybody asks for.
			each(listener, func(connection net.Conn) { _ = tls.Server(connection, security).Handshake() })
		}))
	}
	failed = append(failed, s.stream(at(dns), func(listener net.Listener) {
		each(listener, func(connection net.Conn) { _, _ = io.Copy(connection, connection) })
	}))
	// A question that comes back is an answer with no records. A packet of QUIC that comes back is none that anybody
	// understands, but it shows that there is a way.
	for _, port := range []int{dns, secure} {
		failed = append(failed, s.datagrams(at(port)))
	}
	if err := errors.Join(failed...); err != nil {
		s.Close()
		return nil, fmt.Errorf("servers beyond the cluster: %w (something else on this machine may have the port)", err)
	}
	return s, nil
}

// Close ends them.
func (s *Servers) Close() {
	for _, one := range s.open {
		_ = one.Close()
	}
}

func (s *Servers) stream(at string, serve func(net.Listener)) error {
	listener, err := net.Listen("tcp", at)
	if err != nil {
		return err
	}
	s.open = append(s.open, listener)
	go serve(listener)
	return nil
}

func (s *Servers) datagrams(at string) error {
	socket, err := net.ListenPacket("udp", at)
	if err != nil {
		return err
	}
	s.open = append(s.open, socket)
	go func() {
		packet := make([]byte, 2048)
		for {
			length, from, err := socket.ReadFrom(packet)
			if err != nil {
				return
			}
			_, _ = socket.WriteTo(packet[:length], from)
		}
	}()
	return nil
}

// each connection, until the listener is closed.
func each(listener net.Listener, do func(net.Conn)) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer connection.Close()
			do(connection)
		}()
	}
}
