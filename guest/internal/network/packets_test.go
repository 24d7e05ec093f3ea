// Tests of what is seen of packets: the filter leaves connections, names and the guest's own alone, and heads are read right.

package network

import (
	"encoding/binary"
	"net/netip"
	"testing"

	classic "golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// packet4 is a head of IPv4, and what stands behind it.
func packet4(to string, protocol byte, rest ...byte) []byte {
	head := make([]byte, 20)
	head[0], head[9] = 0x45, protocol
	address := netip.MustParseAddr(to).As4()
	copy(head[16:], address[:])
	return append(head, rest...)
}

func packet6(to string, protocol byte, rest ...byte) []byte {
	head := make([]byte, ipv6HeadBytes)
	head[0], head[6] = 0x60, protocol
	address := netip.MustParseAddr(to).As16()
	copy(head[24:], address[:])
	return append(head, rest...)
}

func udp(port uint16) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{0x1f, 0x90}, port), 0, 8, 0, 0)
}

func tcp(port uint16, flags byte) []byte {
	head := make([]byte, 20)
	binary.BigEndian.PutUint16(head[2:], port)
	head[12], head[13] = 0x50, flags
	return head
}

func TestThePacketFilterLeavesTheGuestsOwnAlone(t *testing.T) {
	var raw []classic.RawInstruction
	for _, each := range packetFilter() {
		raw = append(raw, classic.RawInstruction{Op: each.Code, Jt: each.Jt, Jf: each.Jf, K: each.K})
	}
	instructions, ok := classic.Disassemble(raw)
	if !ok {
		t.Fatal("an instruction is none")
	}
	vm, err := classic.NewVM(instructions)
	if err != nil {
		t.Fatal(err)
	}
	withOptions := packet4("1.2.3.4", unix.IPPROTO_UDP)
	withOptions[0] = 0x46
	fragment := packet4("1.2.3.4", unix.IPPROTO_UDP, udp(53)...)
	fragment[7] = 1
	for name, c := range map[string]struct {
		packet []byte
		isSeen bool
	}{
		"a datagram":                     {packet4("1.2.3.4", unix.IPPROTO_UDP, udp(99)...), true},
		"a datagram behind options":      {append(append(withOptions, 0, 0, 0, 0), udp(99)...), true},
		"a question behind options":      {append(append(withOptions[:20:20], 0, 0, 0, 0), udp(53)...), false},
		"a fragment":                     {fragment, true},
		"a question for a name":          {packet4("8.8.8.8", unix.IPPROTO_UDP, udp(53)...), false},
		"a datagram by IPv6":             {packet6("2001:db8::1", unix.IPPROTO_UDP, udp(53)...), true},
		"a ping":                         {packet4("1.2.3.4", unix.IPPROTO_ICMP, 8, 0), true},
		"a ping by IPv6":                 {packet6("2001:db8::1", unix.IPPROTO_ICMPV6, 128, 0), true},
		"another protocol":               {packet4("1.2.3.4", 47), true},
		"the beginning of a connection":  {packet4("1.2.3.4", unix.IPPROTO_TCP, tcp(80, 0x02)...), true},
		"a connection that goes on":      {packet4("1.2.3.4", unix.IPPROTO_TCP, tcp(80, tcpAck)...), false},
		"a connection that breaks":       {packet6("2001:db8::1", unix.IPPROTO_TCP, tcp(80, tcpReset)...), false},
		"the beginning of one by IPv6":   {packet6("2001:db8::1", unix.IPPROTO_TCP, tcp(80, 0x02)...), true},
		"a scan without flags":           {packet4("1.2.3.4", unix.IPPROTO_TCP, tcp(80, 0)...), true},
		"a datagram on the loopback":     {packet4("127.1.2.3", unix.IPPROTO_UDP, udp(99)...), false},
		"a datagram to the guest itself": {packet4("198.18.0.1", unix.IPPROTO_UDP, udp(99)...), false},
		"multicast":                      {packet4("224.0.0.251", unix.IPPROTO_UDP, udp(5353)...), false},
		"a broadcast":                    {packet4("255.255.255.255", unix.IPPROTO_UDP, udp(67)...), false},
		"the loopback of IPv6":           {packet6("::1", unix.IPPROTO_UDP, udp(99)...), false},
		"multicast of IPv6":              {packet6("ff02::1", unix.IPPROTO_UDP, udp(99)...), false},
		"a neighbour of IPv6":            {packet6("fe80::1", unix.IPPROTO_UDP, udp(99)...), false},
		"an address that ends like one":  {packet6("2001:db8::1", 58, 1), true},
		"an address that begins with 0s": {packet6("::2", 58, 1), true},
		"a mapped address":               {packet6("::ffff:1.2.3.4", 17, udp(99)...), true},
		"a packet that is not IP":        {[]byte{0x10, 1, 2, 3}, false},
		"a packet of one byte":           {[]byte{0x45}, false},
	} {
		if kept, err := vm.Run(c.packet); err != nil || (kept > 0) != c.isSeen {
			t.Errorf("%s: %d, %v", name, kept, err)
		}
	}
}

func TestPacketsAreToldByWhereTheyGo(t *testing.T) {
	later := packet4("1.2.3.4", unix.IPPROTO_UDP, 1, 2, 3, 4)
	later[7] = 1
	for name, c := range map[string]struct {
		packet            []byte
		kind, asked, from string
	}{
		"a datagram":            {packet4("1.2.3.4", unix.IPPROTO_UDP, udp(99)...), kindDatagram, "1.2.3.4:99", "udp :1F90"},
		"a datagram by IPv6":    {packet6("2001:db8::1", unix.IPPROTO_UDP, udp(99)...), kindDatagram, "[2001:db8::1]:99", "udp :1F90"},
		"a ping":                {packet4("1.2.3.4", unix.IPPROTO_ICMP, 8, 0), kindPing, "1.2.3.4", "raw :0001"},
		"a ping by IPv6":        {packet6("2001:db8::1", unix.IPPROTO_ICMPV6, 128, 0), kindPing, "2001:db8::1", "raw :003A"},
		"another message":       {packet4("1.2.3.4", unix.IPPROTO_ICMP, 13, 0), kindPacket, "1.2.3.4 protocol 1", "raw :0001"},
		"a connection of hands": {packet4("1.2.3.4", unix.IPPROTO_TCP, tcp(80, 2)...), kindPacket, "1.2.3.4:80", "raw :0006"},
		"a later fragment":      {later, kindPacket, "1.2.3.4 protocol 17", "raw :0011"},
		"a head cut off":        {packet4("1.2.3.4", 6)[:19], kindPacket, "a packet that is not IP", ""},
		"nothing":               {nil, kindPacket, "a packet that is not IP", ""},
	} {
		reports := newReports(nil)
		notePacket(reports, c.packet)
		one := <-reports.queue
		if one.Kind != c.kind || one.Asked != c.asked || one.sender != c.from {
			t.Errorf("%s: %s %q %q", name, one.Kind, one.Asked, one.sender)
		}
	}
}
