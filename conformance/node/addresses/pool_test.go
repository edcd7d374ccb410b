package addresses

import (
	"net/netip"
	"testing"
)

var a, b, c = owner{"ns", "a"}, owner{"ns", "b"}, owner{"ns", "c"}

func given(t *testing.T, p *pool, to owner, wanted, expected string) {
	t.Helper()
	address, err := p.give(to, wanted)
	if err != nil || address != netip.MustParseAddr(expected) {
		t.Fatalf("%v wanted %q and got %v (%v), not %s", to, wanted, address, err, expected)
	}
}

func refused(t *testing.T, p *pool, to owner, wanted string) {
	t.Helper()
	if address, err := p.give(to, wanted); err == nil {
		t.Fatalf("%v wanted %q and got %v", to, wanted, address)
	}
}

func TestEachServiceHasAnAddressOfItsOwnAndKeepsIt(t *testing.T) {
	p := newPool(netip.MustParsePrefix("192.0.2.0/29"))
	given(t, p, a, "", "192.0.2.1")
	given(t, p, b, "", "192.0.2.2")
	given(t, p, a, "", "192.0.2.1")
	p.release(a)
	given(t, p, c, "", "192.0.2.1")
}

func TestAWishIsGrantedOnlyInsideThePoolAndToOne(t *testing.T) {
	p := newPool(netip.MustParsePrefix("192.0.2.0/29"))
	given(t, p, a, "192.0.2.5", "192.0.2.5")
	refused(t, p, b, "192.0.2.5")
	refused(t, p, b, "192.0.2.0")
	refused(t, p, b, "192.0.2.7")
	refused(t, p, b, "198.51.100.1")
	refused(t, p, b, "here")
	given(t, p, a, "192.0.2.6", "192.0.2.6")
	given(t, p, b, "192.0.2.5", "192.0.2.5")
}

func TestAPoolEnds(t *testing.T) {
	p := newPool(netip.MustParsePrefix("192.0.2.0/30"))
	given(t, p, a, "", "192.0.2.1")
	given(t, p, b, "", "192.0.2.2")
	refused(t, p, c, "")
	p.release(a)
	given(t, p, c, "", "192.0.2.1")
}
