// Packets that are no connection and no question for a name: the kernel drops them by itself, and here they are seen
// for the report. A socket on the loopback interface gets a copy of each head that its filter lets through.

package network

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// headBytes is what is copied of a packet: the longest head of IPv4, and ports.
	headBytes = 80
	// packetRoom is what the kernel keeps for the agent, in bytes; it counts what does not fit.
	packetRoom    = 64 << 10
	longestPacket = 64 << 10
	loopbackIndex = 1
	statusOfOwn   = unix.TP_STATUS_CSUMNOTREADY
	tcpReset      = 0x04
	tcpAck        = 0x10
	pingRequest4  = 8
	pingRequest6  = 128
	versionMask   = 0xf0
	fragmentMask  = 0x1fff
	ipv6HeadBytes = 40
)

// packetSocket sees the packets that nothing of the guest is meant by.
type packetSocket struct {
	file *os.File
	raw  syscall.RawConn
}

func openPackets() (*packetSocket, error) {
	// Bound only once its filter stands, so that it sees nothing before.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open a socket for packets: %w", err)
	}
	filter := packetFilter()
	err = unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})
	for _, option := range []struct{ level, name, value int }{
		{unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1},
		{unix.SOL_PACKET, unix.PACKET_AUXDATA, 1},
		{unix.SOL_SOCKET, unix.SO_RCVBUF, packetRoom},
	} {
		if err == nil {
			err = unix.SetsockoptInt(fd, option.level, option.name, option.value)
		}
	}
	if err == nil {
		all := binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, unix.ETH_P_ALL))
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: loopbackIndex})
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("set up the socket for packets: %w", err)
	}
	file := os.NewFile(uintptr(fd), "packets")
	raw, err := file.SyscallConn()
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return &packetSocket{file, raw}, nil
}

func (s *packetSocket) close() { _ = s.file.Close() }

// serve reports until the socket is closed. While there is no room for reports the kernel counts.
func (s *packetSocket) serve(reports *reports) {
	head, control := make([]byte, headBytes), make([]byte, 256)
	for {
		var size, controlSize int
		var failure error
		err := s.raw.Read(func(fd uintptr) bool {
			size, controlSize, _, _, failure = unix.Recvmsg(int(fd), head, control, unix.MSG_DONTWAIT)
			return failure != unix.EAGAIN
		})
		if err != nil {
			return
		}
		if failure != nil || isOwnConnection(control[:controlSize], head[:size]) {
			continue
		}
		if !notePacket(reports, head[:size]) {
			time.Sleep(reportPause)
		}
		s.countLost(reports)
	}
}

func (s *packetSocket) countLost(reports *reports) {
	_ = s.raw.Control(func(fd uintptr) {
		if counts, err := unix.GetsockoptTpacketStats(int(fd), unix.SOL_PACKET, unix.PACKET_STATISTICS); err == nil {
			reports.lost.Add(int64(counts.Drops))
		}
	})
}

// isOwnConnection tells the packet that begins a connection of the kernel's, which the agent accepts and has judged, from
// one that a program has made itself: on this interface the kernel's have no checksum yet.
func isOwnConnection(control, head []byte) bool {
	if _, protocol, _ := readHead(head); protocol != unix.IPPROTO_TCP {
		return false
	}
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return false
	}
	for _, message := range messages {
		if message.Header.Level == unix.SOL_PACKET && message.Header.Type == unix.PACKET_AUXDATA && len(message.Data) >= int(unsafe.Sizeof(uint32(0))) {
			return binary.NativeEndian.Uint32(message.Data)&statusOfOwn != 0
		}
	}
	return false
}

// servePackets reports what was put on the interface that no route leads to.
func servePackets(device *os.File, reports *reports) {
	packet := make([]byte, longestPacket)
	for {
		size, err := device.Read(packet)
		if err != nil {
			if errors.Is(err, os.ErrClosed) {
				return
			}
			time.Sleep(reportPause)
			continue
		}
		if !notePacket(reports, packet[:size]) {
			time.Sleep(reportPause)
		}
	}
}

// notePacket reports a packet by its head.
func notePacket(reports *reports, head []byte) bool {
	to, protocol, rest := readHead(head)
	switch {
	case !to.IsValid():
		return reports.note(kindPacket, "a packet that is not IP", "")
	case protocol == unix.IPPROTO_UDP && len(rest) >= 4:
		from, port := binary.BigEndian.Uint16(rest), binary.BigEndian.Uint16(rest[2:])
		return reports.note(kindDatagram, netip.AddrPortFrom(to, port).String(), "udp "+portForm(from))
	case protocol == unix.IPPROTO_TCP && len(rest) >= 4:
		return reports.note(kindPacket, netip.AddrPortFrom(to, binary.BigEndian.Uint16(rest[2:])).String(), "raw "+portForm(unix.IPPROTO_TCP))
	case protocol == unix.IPPROTO_ICMP && len(rest) > 0 && rest[0] == pingRequest4,
		protocol == unix.IPPROTO_ICMPV6 && len(rest) > 0 && rest[0] == pingRequest6:
		return reports.note(kindPing, to.String(), "raw "+portForm(uint16(protocol)))
	}
	return reports.note(kindPacket, fmt.Sprintf("%s protocol %d", to, protocol), "raw "+portForm(uint16(protocol)))
}

// readHead gives where a packet goes, its protocol and what stands behind its head; of a later fragment nothing stands there.
func readHead(packet []byte) (to netip.Addr, protocol byte, rest []byte) {
	switch {
	case len(packet) >= 20 && packet[0]&versionMask == 0x40:
		length := 4 * int(packet[0]&0x0f)
		if binary.BigEndian.Uint16(packet[6:])&fragmentMask == 0 && length <= len(packet) {
			rest = packet[length:]
		}
		return netip.AddrFrom4([4]byte(packet[16:20])), packet[9], rest
	case len(packet) >= ipv6HeadBytes && packet[0]&versionMask == 0x60:
		return netip.AddrFrom16([16]byte(packet[24:40])), packet[6], packet[ipv6HeadBytes:]
	}
	return netip.Addr{}, 0, nil
}
