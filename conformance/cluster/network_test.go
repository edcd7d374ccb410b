package main

import (
	"net/netip"
	"testing"
)

func prefixes(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

func TestAClusterTakesTheFirstNetworkThatNobodyHas(t *testing.T) {
	for _, given := range []struct {
		taken []netip.Prefix
		all   string
	}{
		{prefixes("127.0.0.1/8", "192.0.2.2/24", "fd00::2/64"), "198.18.0.0/18"},
		{prefixes("198.18.48.1/30"), "198.18.64.0/18"},
		{prefixes("198.18.0.0/16"), "198.19.0.0/18"},
		{prefixes("198.18.112.1/30"), "198.18.0.0/18"},
	} {
		n, err := choose(given.taken)
		if err != nil || n.All != netip.MustParsePrefix(given.all) {
			t.Errorf("%v: %v (%v), not %s", given.taken, n.All, err, given.all)
		}
	}
	if n, err := choose(prefixes("198.18.0.1/15")); err == nil {
		t.Errorf("all is taken, and still: %v", n.All)
	}
}

func TestWhatAClusterUsesIsApartAndInsideItsNetwork(t *testing.T) {
	n := plan(netip.MustParsePrefix("198.19.192.0/18"))
	link := netip.PrefixFrom(n.Host, n.Link).Masked()
	parts := []netip.Prefix{n.Pods, n.Services, n.Balancers, link}
	for i, one := range parts {
		if one != one.Masked() || !n.All.Contains(one.Addr()) || one.Bits() <= n.All.Bits() {
			t.Errorf("%v is no network inside %v", one, n.All)
		}
		for _, other := range parts[i+1:] {
			if one.Overlaps(other) {
				t.Errorf("%v and %v overlap", one, other)
			}
		}
	}
	if !link.Contains(n.Node) || !n.Services.Contains(n.API) || !n.Services.Contains(n.DNS) {
		t.Errorf("an address is not where it belongs: %+v", n)
	}
}
