// A session is one HTTP/2 connection on a port, from a hello to the next.

package channel

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// mostUnread bounds what waits for the session's reader, in bytes; beyond it the port waits.
const mostUnread = 256 << 10

// Session is a connection between two hellos.
type Session struct {
	port *Port
	// ack answers the hello; it goes out before anything else. Guarded by port.writing.
	ack []byte

	mu      sync.Mutex
	changed *sync.Cond
	unread  []byte
	// store is where unread starts again once all of it has been read.
	store   []byte
	isEnded bool
	ended   chan struct{}
}

func newSession(port *Port, ack []byte) *Session {
	s := &Session{port: port, ack: ack, ended: make(chan struct{})}
	s.changed = sync.NewCond(&s.mu)
	return s
}

// Ended is closed when the session is over.
func (s *Session) Ended() <-chan struct{} { return s.ended }

// feed hands bytes to the reader. It waits when the reader is far behind and drops them when the session is over.
func (s *Session) feed(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.unread) >= mostUnread && !s.isEnded {
		s.changed.Wait()
	}
	if s.isEnded {
		return
	}
	if len(s.unread) == 0 {
		s.unread = s.store[:0]
	}
	s.unread = append(s.unread, b...)
	if cap(s.unread) > cap(s.store) {
		s.store = s.unread[:0]
	}
	s.changed.Broadcast()
}

// end makes reads return EOF and writes fail; when it returns, nothing of the session is written any more.
func (s *Session) end() {
	s.mu.Lock()
	isFirst := !s.isEnded
	if isFirst {
		s.isEnded = true
		s.unread, s.store = nil, nil
		close(s.ended)
		s.changed.Broadcast()
	}
	s.mu.Unlock()
	if isFirst {
		s.port.interrupt()
	}
	s.port.writing.Lock()
	defer s.port.writing.Unlock()
	if isFirst {
		s.port.resume()
	}
}

func (s *Session) isOver() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isEnded
}

// Read waits for bytes of the session; io.EOF once it is over.
func (s *Session) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.unread) == 0 && !s.isEnded {
		s.changed.Wait()
	}
	if s.isEnded {
		return 0, io.EOF
	}
	n := copy(p, s.unread)
	s.unread = s.unread[n:]
	s.changed.Broadcast()
	return n, nil
}

// Write writes all of p; net.ErrClosed once the session is over.
func (s *Session) Write(p []byte) (int, error) {
	s.port.writing.Lock()
	defer s.port.writing.Unlock()
	for len(s.ack) > 0 {
		n, err := s.writeSome(s.ack)
		if err != nil {
			return 0, err
		}
		s.ack = s.ack[n:]
	}
	written := 0
	for written < len(p) {
		n, err := s.writeSome(p[written:])
		if err != nil {
			return written, err
		}
		written += n
	}
	return written, nil
}

func (s *Session) writeSome(p []byte) (int, error) {
	if s.isOver() {
		return 0, net.ErrClosed
	}
	n, err := s.port.write(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		// Meant for this session, or left over from the one before it.
		if s.isOver() {
			return 0, net.ErrClosed
		}
		s.port.resume()
		return 0, nil
	}
	return n, err
}

// Close ends the session but not the port.
func (s *Session) Close() error {
	// Once it is over there is nothing to wait for: the port may be in the middle of a later session's write.
	if !s.isOver() {
		s.end()
	}
	return nil
}

// LocalAddr names the channel; there is no address to give.
func (s *Session) LocalAddr() net.Addr { return address{} }

// RemoteAddr names the channel; there is no address to give.
func (s *Session) RemoteAddr() net.Addr { return address{} }

// SetDeadline refuses: a session ends by a hello, not by time.
func (s *Session) SetDeadline(at time.Time) error { return noDeadline(at) }

// SetReadDeadline refuses like SetDeadline.
func (s *Session) SetReadDeadline(at time.Time) error { return noDeadline(at) }

// SetWriteDeadline refuses like SetDeadline.
func (s *Session) SetWriteDeadline(at time.Time) error { return noDeadline(at) }

func noDeadline(at time.Time) error {
	if at.IsZero() {
		return nil
	}
	return os.ErrNoDeadline
}

type address struct{}

func (address) Network() string { return "channel" }
func (address) String() string  { return "host" }
