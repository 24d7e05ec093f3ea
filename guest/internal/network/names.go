// Names behind synthetic addresses: what DNS answers inside the guest, and what is asked of the host.

package network

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"sync"
)

var (
	// The range is reserved for benchmarks, so nothing outside can be meant by it.
	syntheticRange = netip.MustParsePrefix("198.18.0.0/15")
	// ownAddress is the guest's own.
	ownAddress = netip.MustParseAddr("198.18.0.1")
	// resolverAddress is where the guest's programs ask for names.
	resolverAddress = netip.MustParseAddr("198.18.0.2")
)

const (
	firstSynthetic = 198<<24 | 18<<16 | 1<<8
	// mostNames bounds the pool; the name given longest ago is dropped.
	mostNames   = 65_536
	longestName = 253
)

// names gives each name an address, the same as long as it is remembered.
type names struct {
	mu      sync.Mutex
	next    uint32
	byName  map[string]uint32
	byIndex map[uint32]string
}

func newNames() *names {
	return &names{byName: map[string]uint32{}, byIndex: map[uint32]string{}}
}

// canonical is a name in lower case without its final dot; false for an invalid host name.
func canonical(name string) (string, bool) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if name == "" || len(name) > longestName {
		return "", false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return "", false
		}
		for _, c := range []byte(label) {
			isPlain := c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_'
			if !isPlain {
				return "", false
			}
		}
	}
	return name, true
}

// address gives a name its address.
func (n *names) address(name string) netip.Addr {
	n.mu.Lock()
	defer n.mu.Unlock()
	index, ok := n.byName[name]
	if !ok {
		index = n.next
		n.next = (n.next + 1) % mostNames
		delete(n.byName, n.byIndex[index])
		n.byName[name], n.byIndex[index] = index, name
	}
	var raw [4]byte
	binary.BigEndian.PutUint32(raw[:], firstSynthetic+index)
	return netip.AddrFrom4(raw)
}

// name returns the name behind an address; false when there is none.
func (n *names) name(address netip.Addr) (string, bool) {
	if !address.Is4() {
		return "", false
	}
	raw := address.As4()
	n.mu.Lock()
	defer n.mu.Unlock()
	name, ok := n.byIndex[binary.BigEndian.Uint32(raw[:])-firstSynthetic]
	return name, ok
}
