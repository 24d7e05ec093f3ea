// The mux turns the byte stream into a listener: each hello ends the session before it and begins the next.

package channel

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// Port is the byte stream to the host.
type Port interface {
	// Read waits for bytes; io.EOF means that the stream is over for good.
	Read(p []byte) (int, error)
	// Write writes all of p, or stops as soon as wanted says no; it is called again when Wake was.
	Write(p []byte, wanted func() bool) error
	// Wake makes a Write under way ask wanted again.
	Wake()
}

// mostBuffered bounds what a session may leave unread, in bytes; the windows of HTTP/2 stay far below it.
const mostBuffered = 32 << 20

// Mux accepts sessions from ports; it is a net.Listener.
type Mux struct {
	mu       sync.Mutex
	magic    [PartBytes]byte
	current  *session
	sessions chan *session
	closed   chan struct{}
	once     sync.Once
}

// NewMux makes a listener whose hellos carry magic.
func NewMux(magic [PartBytes]byte) *Mux {
	return &Mux{magic: magic, sessions: make(chan *session, 1), closed: make(chan struct{})}
}

// SetMagic gives all later hellos another magic; the session under way lives on.
func (m *Mux) SetMagic(magic [PartBytes]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.magic = magic
}

// Serve reads one port until it ends.
func (m *Mux) Serve(port Port) error {
	var scan scanner
	var own *session
	defer func() {
		if own != nil {
			own.end()
		}
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := port.Read(buffer)
		if n > 0 {
			m.mu.Lock()
			scan.magic = m.magic
			m.mu.Unlock()
			var failure error
			scan.push(buffer[:n], func(b []byte) {
				if own != nil {
					own.feed(b)
				}
			}, func(nonce [PartBytes]byte) {
				next, err := m.begin(port, own, scan.magic, nonce)
				own, failure = next, errors.Join(failure, err)
			})
			if failure != nil {
				return failure
			}
		}
		if err != nil {
			return err
		}
	}
}

// begin ends the old session, answers the hello and hands out the new session.
func (m *Mux) begin(port Port, own *session, magic, nonce [PartBytes]byte) (*session, error) {
	m.mu.Lock()
	old := m.current
	next := newSession(port)
	m.current = next
	m.mu.Unlock()
	for _, gone := range []*session{old, own} {
		if gone != nil {
			gone.end()
		}
	}
	ack := make([]byte, 0, 2*PartBytes)
	for _, b := range magic {
		ack = append(ack, ^b)
	}
	ack = append(ack, nonce[:]...)
	if err := port.Write(ack, func() bool { return true }); err != nil {
		return next, err
	}
	select {
	case m.sessions <- next:
	case <-m.closed:
		return next, net.ErrClosed
	}
	return next, nil
}

// Accept waits for the next session.
func (m *Mux) Accept() (net.Conn, error) {
	select {
	case s := <-m.sessions:
		return s, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept; sessions live on.
func (m *Mux) Close() error {
	m.once.Do(func() { close(m.closed) })
	return nil
}

// Addr names the channel; there is no address to give.
func (m *Mux) Addr() net.Addr { return address{} }

type address struct{}

func (address) Network() string { return "virtio" }
func (address) String() string  { return "host" }

// session is one HTTP/2 connection on the port.
type session struct {
	port   Port
	mu     sync.Mutex
	filled *sync.Cond
	buffer []byte
	ended  bool
	write  sync.Mutex
}

func newSession(port Port) *session {
	s := &session{port: port}
	s.filled = sync.NewCond(&s.mu)
	return s
}

func (s *session) feed(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || len(s.buffer)+len(b) > mostBuffered {
		s.ended = true
	} else {
		s.buffer = append(s.buffer, b...)
	}
	s.filled.Broadcast()
}

// end makes reads give EOF and writes fail, and returns when no write of this session is under way any more.
func (s *session) end() {
	s.mu.Lock()
	s.ended = true
	s.filled.Broadcast()
	s.mu.Unlock()
	s.port.Wake()
	s.write.Lock()
	defer s.write.Unlock()
}

func (s *session) isAlive() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.ended
}

func (s *session) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.buffer) == 0 && !s.ended {
		s.filled.Wait()
	}
	if s.ended {
		return 0, io.EOF
	}
	n := copy(p, s.buffer)
	s.buffer = s.buffer[n:]
	if len(s.buffer) == 0 {
		s.buffer = nil
	}
	return n, nil
}

func (s *session) Write(p []byte) (int, error) {
	s.write.Lock()
	defer s.write.Unlock()
	if !s.isAlive() {
		return 0, net.ErrClosed
	}
	if err := s.port.Write(p, s.isAlive); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close ends the session but not the port.
func (s *session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.filled.Broadcast()
	s.port.Wake()
	return nil
}

func (s *session) LocalAddr() net.Addr              { return address{} }
func (s *session) RemoteAddr() net.Addr             { return address{} }
func (s *session) SetDeadline(time.Time) error      { return nil }
func (s *session) SetReadDeadline(time.Time) error  { return nil }
func (s *session) SetWriteDeadline(time.Time) error { return nil }
