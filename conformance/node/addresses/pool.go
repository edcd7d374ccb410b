package addresses

import (
	"fmt"
	"net/netip"
)

// owner is a Service: a namespace and a name.
type owner struct{ namespace, name string }

// pool is a range of addresses, and who has which. It gives the lowest that is free: a cluster that does the same things
// in the same order has the same addresses.
type pool struct {
	prefix netip.Prefix
	of     map[owner]netip.Addr
	taken  map[netip.Addr]owner
}

func newPool(prefix netip.Prefix) *pool {
	return &pool{prefix: prefix.Masked(), of: map[owner]netip.Addr{}, taken: map[netip.Addr]owner{}}
}

// usable says whether an address can be given to anyone: neither the network's own, nor its broadcast address.
func (p *pool) usable(address netip.Addr) bool {
	return p.prefix.Contains(address) && address != p.prefix.Addr() && p.prefix.Contains(address.Next())
}

// give returns the address of a Service: the one it asks for, else the one it has, else the lowest that is free.
func (p *pool) give(to owner, wanted string) (netip.Addr, error) {
	if wanted != "" {
		address, err := netip.ParseAddr(wanted)
		if err != nil {
			return netip.Addr{}, fmt.Errorf("spec.loadBalancerIP %q is no address", wanted)
		}
		if !p.usable(address) {
			return netip.Addr{}, fmt.Errorf("spec.loadBalancerIP %s is not in the pool %s", address, p.prefix)
		}
		if other, taken := p.taken[address]; taken && other != to {
			return netip.Addr{}, fmt.Errorf("spec.loadBalancerIP %s belongs to %s/%s", address, other.namespace, other.name)
		}
		p.keep(to, address)
		return address, nil
	}
	if address, has := p.of[to]; has {
		return address, nil
	}
	for address := p.prefix.Addr().Next(); p.usable(address); address = address.Next() {
		if _, taken := p.taken[address]; !taken {
			p.keep(to, address)
			return address, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("the pool %s has no free address", p.prefix)
}

// keep notes that a Service has an address, and gives back what it had before.
func (p *pool) keep(who owner, address netip.Addr) {
	p.release(who)
	p.of[who], p.taken[address] = address, who
}

func (p *pool) release(who owner) {
	if address, has := p.of[who]; has {
		delete(p.of, who)
		delete(p.taken, address)
	}
}
