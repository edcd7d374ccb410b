package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// network is where a cluster's addresses lie. A cluster takes an eighth of 198.18.0.0/15, which RFC 2544 sets apart for
// measurements in a laboratory: no real network uses it, and several clusters fit beside each other.
type network struct {
	// All of it: what the machine routes into the cluster.
	All netip.Prefix
	// Pods, Services, and the addresses of load balancers.
	Pods, Services, Balancers netip.Prefix
	// The machine's end of the link, the node's end, and both with their length.
	Host, Node netip.Addr
	Link       int
	// Services with an address that others have to know.
	API, DNS netip.Addr
}

var laboratory = netip.MustParsePrefix("198.18.0.0/15")

const eighth = 18

func plan(all netip.Prefix) network {
	return network{
		All:       all,
		Pods:      netip.PrefixFrom(all.Addr(), 20),
		Services:  netip.PrefixFrom(offset(all.Addr(), 0x1000), 20),
		Balancers: netip.PrefixFrom(offset(all.Addr(), 0x2000), 22),
		Host:      offset(all.Addr(), 0x3001),
		Node:      offset(all.Addr(), 0x3002),
		Link:      30,
		API:       offset(all.Addr(), 0x1001),
		DNS:       offset(all.Addr(), 0x100a),
	}
}

func offset(address netip.Addr, by uint32) netip.Addr {
	four := address.As4()
	binary.BigEndian.PutUint32(four[:], binary.BigEndian.Uint32(four[:])+by)
	return netip.AddrFrom4(four)
}

// choose takes the first eighth that no interface of this machine has to do with.
func choose(taken []netip.Prefix) (network, error) {
	size := uint32(1) << (32 - eighth)
	for all := netip.PrefixFrom(laboratory.Addr(), eighth); laboratory.Contains(all.Addr()); all = netip.PrefixFrom(offset(all.Addr(), size), eighth) {
		free := true
		for _, other := range taken {
			free = free && !other.Overlaps(all)
		}
		if free {
			return plan(all), nil
		}
	}
	return network{}, fmt.Errorf("nothing of %s is free on this machine: ip address shows who has it; cluster down ends a cluster", laboratory)
}

// taken lists the networks of this machine's interfaces. Those of other clusters are points of 4 addresses in theirs.
func taken() ([]netip.Prefix, error) {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var found []netip.Prefix
	for _, address := range addresses {
		prefix, err := netip.ParsePrefix(address.String())
		if err != nil {
			return nil, errors.Join(fmt.Errorf("the address %s", address), err)
		}
		found = append(found, prefix)
	}
	return found, nil
}
