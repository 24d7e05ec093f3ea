// The sockets that caught connections and DNS datagrams arrive at.

package network

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// caught is what exists while connections of all programs are caught.
type caught struct {
	device   *os.File
	packets  *packetSocket
	tcp      *net.TCPListener
	udp      *net.UDPConn
	attached *os.File
}

func isClosed(err error) bool { return errors.Is(err, net.ErrClosed) }

// catch makes every address a local one and serves what arrives.
func catch(link *Link, known *names, who *owners) (*caught, error) {
	c := &caught{}
	if err := c.open(); err != nil {
		c.close()
		return nil, err
	}
	go known.serveUDP(c.udp, link.reports)
	go c.packets.serve(link.reports)
	go servePackets(c.device, link.reports)
	go c.serve(link, known, who)
	return c, nil
}

func (c *caught) open() error {
	var err error
	if c.device, err = openDevice(); err != nil {
		return err
	}
	config := net.ListenConfig{Control: transparent}
	// A map of sockets takes those of plain TCP only.
	config.SetMultipathTCP(false)
	// Bound to a port of the kernel's choice; connections to any other port come by the look-up.
	listener, err := config.Listen(context.Background(), "tcp", "[::]:0")
	if err != nil {
		return err
	}
	c.tcp, _ = listener.(*net.TCPListener)
	// Answers must come from port 53. Bound to one address, it leaves that port of all others to the guest.
	socket, err := config.ListenPacket(context.Background(), "udp4", netip.AddrPortFrom(resolverAddress, dnsPort).String())
	if err != nil {
		return err
	}
	c.udp, _ = socket.(*net.UDPConn)
	tcp, err := descriptor(c.tcp)
	if err != nil {
		return err
	}
	udp, err := descriptor(c.udp)
	if err != nil {
		return err
	}
	if c.attached, err = attachCatcher(tcp, udp); err != nil {
		return err
	}
	answerPings(false)
	if c.packets, err = openPackets(); err != nil {
		return err
	}
	return addRoutes()
}

// transparent lets a socket speak for addresses that are not its own, and tells which was meant.
func transparent(network, address string, raw syscall.RawConn) error {
	err := setOption(raw, unix.SOL_IP, unix.IP_TRANSPARENT)
	if network == "udp4" {
		err = errors.Join(err, tellDestination(network, address, raw), setOption(raw, unix.SOL_SOCKET, unix.SO_REUSEADDR))
	}
	return err
}

// tellDestination has each datagram come with the address that it was sent to.
func tellDestination(_, _ string, raw syscall.RawConn) error {
	return setOption(raw, unix.SOL_IP, unix.IP_PKTINFO)
}

func setOption(raw syscall.RawConn, level, option int) error {
	var inner error
	err := raw.Control(func(fd uintptr) { inner = unix.SetsockoptInt(int(fd), level, option, 1) })
	return errors.Join(err, inner)
}

func descriptor(socket syscall.Conn) (fd uintptr, err error) {
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0, err
	}
	return fd, raw.Control(func(own uintptr) { fd = own })
}

func (c *caught) close() {
	// The routes go first: what starts now fails at once, as without a network.
	_ = removeRoutes()
	answerPings(true)
	if c.attached != nil {
		_ = c.attached.Close()
	}
	if c.tcp != nil {
		_ = c.tcp.Close()
	}
	if c.udp != nil {
		_ = c.udp.Close()
	}
	if c.packets != nil {
		c.packets.close()
	}
	if c.device != nil {
		_ = c.device.Close()
	}
}

func (c *caught) serve(link *Link, known *names, who *owners) {
	room := make(chan struct{}, mostClients)
	for {
		conn, err := c.tcp.AcceptTCP()
		if err != nil {
			if isClosed(err) {
				return
			}
			time.Sleep(10 * time.Millisecond)
			continue
		}
		select {
		case room <- struct{}{}:
			go func() {
				defer func() { <-room }()
				serveCaught(link, known, who, conn)
			}()
		default:
			link.reports.note(kindTooMany, conn.LocalAddr().String(), "")
			reset(conn)
		}
	}
}

func serveCaught(link *Link, known *names, who *owners, conn *net.TCPConn) {
	refuse := func(kind, asked string) { link.reports.noteFirst(kind, asked, who.of(conn)) }
	wanted, ok := localOf(conn.LocalAddr())
	if !ok || wanted.Addr().Unmap().IsLoopback() || wanted.Addr().Unmap() == ownAddress {
		refuse(kindUnknownAddress, conn.LocalAddr().String())
		reset(conn)
		return
	}
	if wanted.Port() == dnsPort {
		known.serveTCP(conn, func(asked string) { refuse(kindDNS, asked) })
		return
	}
	authority, ok := known.authorityOf(wanted)
	if !ok {
		refuse(kindUnknownAddress, wanted.String())
		reset(conn)
		return
	}
	stream, err := link.Dial(context.Background(), authority, who.of(conn))
	if err != nil {
		reset(conn)
		return
	}
	relay(conn, conn, stream)
}
