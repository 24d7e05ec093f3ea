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

// longestWrite is how much the virtio console driver accepts at once, in bytes.
const longestWrite = 32 << 10

// patience is how long a port has no host before that host counts as gone. Bytes come with the interrupt, but that a host
// left or came goes through a work queue of the driver, and is seen later: the driver may not know yet of the host whose
// hello was just read, or may only then tell of the end of the one before. Nothing is lost by waiting: a new host ends
// the session before it by its hello, however soon it comes.
const patience = 5 * time.Second

// errDetached means that the host has closed its end for now.
var errDetached = errors.New("no host is connected")

// Port is the byte stream to the host. It waits in the runtime's own edge-triggered epoll: a level-triggered one
// would spin while no host is connected.
type Port struct {
	raw           syscall.RawConn
	readDeadline  func(time.Time) error
	writeDeadline func(time.Time) error
	// reopens means that an end of file is only the host going away for a while.
	reopens bool
	// patience is for a host that is missing.
	patience time.Duration
	host     hostState
	// writing is held during a write, so that a session can wait for the last write of the one before it.
	writing sync.Mutex
}

// hostState is what the reader of a port knows of the host.
type hostState int

const (
	hostConnected hostState = iota
	// hostMissing: the port has no host, since less than its patience.
	hostMissing
	// hostGone: errDetached was given.
	hostGone
)

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
	return &Port{
		raw: raw, readDeadline: file.SetReadDeadline, writeDeadline: file.SetWriteDeadline,
		reopens: true, patience: patience,
	}, nil
}

// FromConn makes a port of a connection on a unix socket.
func FromConn(conn *net.UnixConn) (*Port, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	return &Port{raw: raw, writeDeadline: conn.SetWriteDeadline}, nil
}

// read waits for bytes. It returns errDetached once each time the host goes away, and io.EOF when the port has ended.
func (p *Port) read(b []byte) (int, error) {
	for isLate := false; ; isLate = true {
		n, err := p.readOnce(b, isLate)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		// The host may have come back without a byte, which wakes no reader: look once more.
		if err := p.readDeadline(time.Time{}); err != nil {
			return 0, err
		}
	}
}

// readOnce is read until the deadline; isLate tells that the deadline of a missing host has passed.
func (p *Port) readOnce(b []byte, isLate bool) (n int, err error) {
	waitErr := p.raw.Read(func(fd uintptr) bool {
		for {
			n, err = unix.Read(int(fd), b)
			switch {
			case err == unix.EINTR:
				continue
			case err == unix.EAGAIN:
				err = p.sawHost()
				return err != nil
			case err != nil:
				return true
			case n > 0:
				err = p.sawHost()
				return true
			case !p.reopens:
				err = io.EOF
				return true
			}
			err = p.missedHost(isLate)
			return err != nil
		}
	})
	if waitErr != nil {
		return 0, waitErr
	}
	return max(n, 0), err
}

func (p *Port) sawHost() error {
	wasMissing := p.host == hostMissing
	p.host = hostConnected
	if wasMissing {
		return p.readDeadline(time.Time{})
	}
	return nil
}

// missedHost gives errDetached when the host has gone, nil while it may come back.
func (p *Port) missedHost(isLate bool) error {
	switch {
	case p.host == hostConnected:
		p.host = hostMissing
		return p.readDeadline(time.Now().Add(p.patience))
	case p.host == hostMissing && isLate:
		p.host = hostGone
		return errDetached
	}
	return nil
}

// write waits until the port accepts some of b. It returns os.ErrDeadlineExceeded when interrupt was called.
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

// interrupt makes a waiting write, and every later one, end at once; resume undoes that.
func (p *Port) interrupt() { _ = p.writeDeadline(time.Unix(1, 0)) }

func (p *Port) resume() { _ = p.writeDeadline(time.Time{}) }
