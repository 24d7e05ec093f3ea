// Routes and addresses of the guest: while the network is on, every address is a local one, so that connections to it
// meet the agent's sockets. While it is off there is no route at all and a program fails at once.

package network

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const deviceName = "net0"

// openDevice makes an interface that has the guest's address: programs look for one before they try. No packet goes
// there by a route, and none leaves.
func openDevice() (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/net/tun: %w", err)
	}
	if err = configureDevice(fd); err == nil {
		// What is put on it all the same is read, to be reported; for that its file must be closed to end a read.
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "tun"), nil
}

func configureDevice(fd int) error {
	request, err := unix.NewIfreq(deviceName)
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		return fmt.Errorf("make %s: %w", deviceName, err)
	}
	// It needs no IPv6 address, and would make one by itself.
	_ = os.WriteFile("/proc/sys/net/ipv6/conf/"+deviceName+"/disable_ipv6", []byte("1"), 0)
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	index, err := unix.NewIfreq(deviceName)
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(socket, unix.SIOCGIFINDEX, index); err != nil {
		return err
	}
	own := ownAddress.As4()
	message := []byte{unix.AF_INET, 32, 0, unix.RT_SCOPE_UNIVERSE}
	message = binary.NativeEndian.AppendUint32(message, index.Uint32())
	message = appendAttribute(message, unix.IFA_LOCAL, own[:])
	message = appendAttribute(message, unix.IFA_ADDRESS, own[:])
	if err := netlink(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, message); err != nil {
		return fmt.Errorf("give %s its address: %w", deviceName, err)
	}
	up, err := unix.NewIfreq(deviceName)
	if err != nil {
		return err
	}
	up.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, up); err != nil {
		return fmt.Errorf("bring %s up: %w", deviceName, err)
	}
	return nil
}

// addRoutes makes every address local; more specific routes of the guest's own go first.
func addRoutes() error {
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		if err := netlink(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, defaultRoute(family)); err != nil {
			return fmt.Errorf("add the route: %w", err)
		}
	}
	return nil
}

// removeRoutes is the reverse; a route that is gone already is as good.
func removeRoutes() error {
	var all error
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		err := netlink(unix.RTM_DELROUTE, 0, defaultRoute(family))
		if err != nil && !errors.Is(err, unix.ESRCH) {
			all = errors.Join(all, fmt.Errorf("remove the route: %w", err))
		}
	}
	return all
}

func defaultRoute(family byte) []byte {
	const loopbackIndex = 1
	message := []byte{family, 0, 0, 0, unix.RT_TABLE_MAIN, unix.RTPROT_STATIC, unix.RT_SCOPE_HOST, unix.RTN_LOCAL, 0, 0, 0, 0}
	message = appendAttribute(message, unix.RTA_OIF, binary.NativeEndian.AppendUint32(nil, loopbackIndex))
	if family == unix.AF_INET {
		own := ownAddress.As4()
		message = appendAttribute(message, unix.RTA_PREFSRC, own[:])
	}
	return message
}

func appendAttribute(message []byte, kind uint16, value []byte) []byte {
	message = binary.NativeEndian.AppendUint16(message, uint16(4+len(value)))
	message = binary.NativeEndian.AppendUint16(message, kind)
	message = append(message, value...)
	for len(message)%4 != 0 {
		message = append(message, 0)
	}
	return message
}

// netlink sends one request to the kernel and waits for its answer.
func netlink(kind, flags uint16, body []byte) error {
	socket, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	message := binary.NativeEndian.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(body)))
	message = binary.NativeEndian.AppendUint16(message, kind)
	message = binary.NativeEndian.AppendUint16(message, unix.NLM_F_REQUEST|unix.NLM_F_ACK|flags)
	message = binary.NativeEndian.AppendUint32(message, 1)
	message = binary.NativeEndian.AppendUint32(message, 0)
	message = append(message, body...)
	if err := unix.Sendto(socket, message, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	size, _, err := unix.Recvfrom(socket, answer, 0)
	if err != nil {
		return err
	}
	messages, err := syscall.ParseNetlinkMessage(answer[:size])
	if err != nil {
		return err
	}
	for _, m := range messages {
		if m.Header.Type != unix.NLMSG_ERROR || len(m.Data) < 4 {
			continue
		}
		if code := int32(binary.NativeEndian.Uint32(m.Data)); code != 0 {
			return unix.Errno(-code)
		}
		return nil
	}
	return errors.New("the kernel gave no answer")
}

// answerPings tells whether the guest answers echo requests: while every address is local, it would answer for all.
func answerPings(does bool) {
	value := []byte("1")
	if does {
		value = []byte("0")
	}
	for _, path := range []string{"ipv4/icmp_echo_ignore_all", "ipv6/icmp/echo_ignore_all"} {
		_ = os.WriteFile("/proc/sys/net/"+path, value, 0)
	}
}

// localOf gives the address that a program meant to connect to.
func localOf(address interface{ String() string }) (netip.AddrPort, bool) {
	parsed, err := netip.ParseAddrPort(address.String())
	return parsed, err == nil
}
