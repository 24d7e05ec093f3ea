// Ports: the virtio-serial device of a guest, and a plain connection for tests.

package channel

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"golang.org/x/sys/unix"
)

// ErrUnwanted tells that a write was given up because nobody wants it any more.
var ErrUnwanted = errors.New("session ended during a write")

// virtioPort waits with an edge-triggered epoll: a level-triggered one would spin while no host is connected.
type virtioPort struct {
	fd       int
	readable chan struct{}
	mu       sync.Mutex
	changed  *sync.Cond
	writable uint64
}

// OpenVirtio opens a virtio-serial device such as /dev/vport1p1.
func OpenVirtio(path string) (Port, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLHUP | unix.EPOLLET&0xffffffff, Fd: int32(fd)}
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		return nil, err
	}
	p := &virtioPort{fd: fd, readable: make(chan struct{}, 1)}
	p.changed = sync.NewCond(&p.mu)
	go p.watch(epoll)
	return p, nil
}

func (p *virtioPort) watch(epoll int) {
	events := make([]unix.EpollEvent, 4)
	for {
		if _, err := unix.EpollWait(epoll, events, -1); err != nil && err != unix.EINTR {
			return
		}
		select {
		case p.readable <- struct{}{}:
		default:
		}
		p.Wake()
	}
}

func (p *virtioPort) Wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writable++
	p.changed.Broadcast()
}

// Read waits through times in which no host is connected; the port never ends.
func (p *virtioPort) Read(b []byte) (int, error) {
	for {
		n, err := unix.Read(p.fd, b)
		switch {
		case n > 0:
			return n, nil
		case err == nil || err == unix.EAGAIN:
			<-p.readable
		case err != unix.EINTR:
			return 0, err
		}
	}
}

func (p *virtioPort) Write(b []byte, wanted func() bool) error {
	for len(b) > 0 {
		p.mu.Lock()
		seen := p.writable
		p.mu.Unlock()
		if !wanted() {
			return ErrUnwanted
		}
		n, err := unix.Write(p.fd, b[:min(len(b), 32<<10)])
		switch {
		case n > 0:
			b = b[n:]
		case err == unix.EAGAIN || err == nil:
			p.mu.Lock()
			for p.writable == seen {
				p.changed.Wait()
			}
			p.mu.Unlock()
		case err != unix.EINTR:
			return err
		}
	}
	return nil
}

type connPort struct{ net.Conn }

// FromConn makes a port of a connection.
func FromConn(conn net.Conn) Port { return connPort{conn} }

func (p connPort) Wake() {}

func (p connPort) Write(b []byte, _ func() bool) error {
	n, err := p.Conn.Write(b)
	if err == nil && n < len(b) {
		return io.ErrShortWrite
	}
	return err
}
