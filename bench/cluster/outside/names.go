package outside

import (
	"net"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// Names is a resolver that knows a few names, as one beyond the cluster would.
type Names struct {
	socket net.PacketConn
	known  map[string]netip.Addr
}

// Tell addresses of IPv4 by name, at a port of an address.
func Tell(address string, known map[string]netip.Addr) (*Names, error) {
	socket, err := net.ListenPacket("udp", net.JoinHostPort(address, "0"))
	if err != nil {
		return nil, err
	}
	n := &Names{socket: socket, known: known}
	go n.serve()
	return n, nil
}

// Port that it answers at.
func (n *Names) Port() int {
	at, _ := n.socket.LocalAddr().(*net.UDPAddr)
	return at.Port
}

// Close ends it.
func (n *Names) Close() { _ = n.socket.Close() }

func (n *Names) serve() {
	packet := make([]byte, 4096)
	for {
		length, from, err := n.socket.ReadFrom(packet)
		if err != nil {
			return
		}
		var message dnsmessage.Message
		if message.Unpack(packet[:length]) != nil || len(message.Questions) != 1 {
			continue
		}
		if answer, err := n.answer(message).Pack(); err == nil {
			_, _ = n.socket.WriteTo(answer, from)
		}
	}
}

func (n *Names) answer(asked dnsmessage.Message) *dnsmessage.Message {
	question := asked.Questions[0]
	answer := &dnsmessage.Message{Questions: asked.Questions}
	answer.ID, answer.Response, answer.RecursionDesired, answer.RecursionAvailable = asked.ID, true, asked.RecursionDesired, true
	// Who asks may mix cases, to know its answers by them.
	address, known := n.known[strings.ToLower(question.Name.String())]
	switch {
	case !known:
		answer.RCode = dnsmessage.RCodeNameError
	case question.Type == dnsmessage.TypeA:
		answer.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: question.Name, Type: question.Type, Class: question.Class, TTL: 5},
			Body:   &dnsmessage.AResource{A: address.As4()},
		}}
	}
	return answer
}
