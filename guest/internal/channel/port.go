// Ports: the virtio-serial device of a guest, and a unix socket for tests.

package channel

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// longestWrite is what the virtio console driver takes at once, in bytes.
const longestWrite = 32 << 10

// errDetached tells that the host has closed its end for now.
var errDetached = errors.New("no host is connected")

// Port is the byte stream to the host. It waits in the runtime's own edge-triggered epoll: a level-triggered one
// would spin while no host is connected.
type Port struct {
	raw           syscall.RawConn
	writeDeadline func(time.Time) error
	// reopens tells that an end of file is only the host going away for a while.
	reopens    bool
	isDetached bool
	// writing is held during a write, so that a session can wait for the last write of the one before it.
	writing sync.Mutex
}

// OpenVirtio opens a virtio-serial device such as /dev/vport1p1.
func OpenVirtio(path string) (*Port, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	file := os.NewFile(uintptr(fd), path)
	if err := file.SetWriteDeadline(time.Time{}); err != nil {
		return nil, fmt.Errorf("wait for %s: %w", path, err)
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, err
	}
	return &Port{raw: raw, writeDeadline: file.SetWriteDeadline, reopens: true}, nil
}

// FromConn makes a port of a connection on a unix socket.
func FromConn(conn *net.UnixConn) (*Port, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	return &Port{raw: raw, writeDeadline: conn.SetWriteDeadline}, nil
}

// read waits for bytes. It gives errDetached once each time the host goes away, and io.EOF when the port is over.
func (p *Port) read(b []byte) (n int, err error) {
	waitErr := p.raw.Read(func(fd uintptr) bool {
		for {
			n, err = unix.Read(int(fd), b)
			switch {
			case err == unix.EINTR:
				continue
			case err == unix.EAGAIN:
				p.isDetached = false
				return false
			case err != nil:
				return true
			case n > 0:
				p.isDetached = false
				return true
			case !p.reopens:
				err = io.EOF
				return true
			case p.isDetached:
				return false
			}
			p.isDetached, err = true, errDetached
			return true
		}
	})
	if waitErr != nil {
		return 0, waitErr
	}
	return max(n, 0), err
}

// write waits until the port takes some of b. It gives os.ErrDeadlineExceeded when interrupt was called.
func (p *Port) write(b []byte) (n int, err error) {
	if p.reopens {
		b = b[:min(len(b), longestWrite)]
	}
	waitErr := p.raw.Write(func(fd uintptr) bool {
		for {
			n, err = unix.Write(int(fd), b)
			if err != unix.EINTR {
				return err != unix.EAGAIN
			}
		}
	})
	if waitErr != nil {
		return 0, waitErr
	}
	return max(n, 0), err
}

// interrupt makes a write that waits, and every later one, end at once; resume takes that back.
func (p *Port) interrupt() { _ = p.writeDeadline(time.Unix(1, 0)) }

func (p *Port) resume() { _ = p.writeDeadline(time.Time{}) }
