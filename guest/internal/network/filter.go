// The filter of the socket for packets, in the kernel's language for such: it leaves out connections, questions for
// names, and whatever stays inside the guest.

package network

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// test is one instruction of the filter, of which a jump goes to a label when it holds, else on.
type test struct {
	label string
	code  uint16
	value uint32
	to    string
}

const (
	headWord   = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	headHalf   = unix.BPF_LD | unix.BPF_H | unix.BPF_ABS
	headByte   = unix.BPF_LD | unix.BPF_B | unix.BPF_ABS
	bodyHalf   = unix.BPF_LD | unix.BPF_H | unix.BPF_IND
	bodyByte   = unix.BPF_LD | unix.BPF_B | unix.BPF_IND
	headLength = unix.BPF_LDX | unix.BPF_B | unix.BPF_MSH
	andValue   = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
	shiftRight = unix.BPF_ALU | unix.BPF_RSH | unix.BPF_K
	whenEqual  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	whenAbove  = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	whenAnyBit = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
	goTo       = unix.BPF_JMP | unix.BPF_JA
	give       = unix.BPF_RET | unix.BPF_K
)

// packetTests is the filter; offsets are those of the heads of IPv4, IPv6, UDP and TCP.
func packetTests() []test {
	raw := ownAddress.As4()
	own := binary.BigEndian.Uint32(raw[:])
	return []test{
		{code: headByte, value: 0},
		{code: andValue, value: versionMask},
		{code: whenEqual, value: 0x60, to: "six"},
		{code: whenEqual, value: 0x40, to: "four"},
		{code: goTo, to: "leave"},

		// IPv4: the guest's own addresses, broadcasts and multicast stay inside.
		{label: "four", code: headWord, value: 16},
		{code: whenEqual, value: own, to: "leave"},
		{code: shiftRight, value: 24},
		{code: whenEqual, value: 127, to: "leave"},
		{code: whenAbove, value: firstOfMulti, to: "leave"},
		{code: headHalf, value: 6},
		{code: whenAnyBit, value: fragmentMask, to: "take"},
		{code: headLength, value: 0},
		{code: headByte, value: 9},
		{code: whenEqual, value: unix.IPPROTO_UDP, to: "udp"},
		{code: whenEqual, value: unix.IPPROTO_TCP, to: "tcp"},
		{code: goTo, to: "take"},
		{label: "udp", code: bodyHalf, value: 2},
		{code: whenEqual, value: dnsPort, to: "leave"},
		{code: goTo, to: "take"},
		// What belongs to a connection has one of these; what begins one is told from the kernel's own later.
		{label: "tcp", code: bodyByte, value: 13},
		{code: whenAnyBit, value: tcpAck | tcpReset, to: "leave"},
		{code: goTo, to: "take"},

		// IPv6: multicast, link-local, ::1 and :: stay inside.
		{label: "six", code: headByte, value: 24},
		{code: whenEqual, value: 0xff, to: "leave"},
		{code: whenEqual, value: 0xfe, to: "leave"},
		{code: headWord, value: 24},
		{code: whenAbove, value: 1, to: "far"},
		{code: headWord, value: 28},
		{code: whenAbove, value: 1, to: "far"},
		{code: headWord, value: 32},
		{code: whenAbove, value: 1, to: "far"},
		{code: headWord, value: 36},
		{code: whenAbove, value: 2, to: "far"},
		{code: goTo, to: "leave"},
		{label: "far", code: headByte, value: 6},
		{code: whenEqual, value: unix.IPPROTO_TCP, to: "tcp6"},
		{code: goTo, to: "take"},
		{label: "tcp6", code: headByte, value: ipv6HeadBytes + 13},
		{code: whenAnyBit, value: tcpAck | tcpReset, to: "leave"},

		{label: "take", code: give, value: headBytes},
		{label: "leave", code: give, value: 0},
	}
}

// packetFilter resolves the jumps.
func packetFilter() []unix.SockFilter {
	tests := packetTests()
	at := map[string]int{}
	for index, each := range tests {
		if each.label != "" {
			at[each.label] = index
		}
	}
	filter := make([]unix.SockFilter, 0, len(tests))
	for index, each := range tests {
		instruction := unix.SockFilter{Code: each.code, K: each.value}
		switch {
		case each.to == "":
		case each.code == goTo:
			instruction.K = uint32(at[each.to] - index - 1)
		default:
			instruction.Jt = uint8(at[each.to] - index - 1)
		}
		filter = append(filter, instruction)
	}
	return filter
}
