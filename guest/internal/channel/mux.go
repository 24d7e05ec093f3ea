// The mux turns ports into a listener: each hello ends the session before it and begins the next.

package channel

import (
	"errors"
	"io"
	"net"
	"sync"
)

// Mux accepts sessions from ports; it is a net.Listener.
type Mux struct {
	// Greet is nil but in the lying agent, which tests alone build. It gets a session whose hello was not answered, that
	// hello and its answer, and gives what is to be served; nil for a session that is not. It must not wait.
	Greet func(session *Session, hello, answer []byte) net.Conn

	// beginning serializes hellos on several ports.
	beginning sync.Mutex

	mu       sync.Mutex
	magic    [PartBytes]byte
	current  *Session
	sessions chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

// NewMux makes a listener whose hellos carry magic.
func NewMux(magic [PartBytes]byte) *Mux {
	return &Mux{magic: magic, sessions: make(chan net.Conn), closed: make(chan struct{})}
}

// SetMagic gives all later hellos another magic; the current session lives on.
func (m *Mux) SetMagic(magic [PartBytes]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.magic = magic
}

func (m *Mux) currentMagic() [PartBytes]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.magic
}

// Serve reads one port until its end, which is not an error.
func (m *Mux) Serve(port *Port) error {
	var scan scanner
	var own *Session
	drop := func() {
		if own != nil {
			own.end()
			own = nil
		}
	}
	defer drop()
	report := events{
		deliver: func(b []byte) {
			if own != nil {
				own.feed(b)
			}
		},
		matched: drop,
		hello:   func(nonce [PartBytes]byte) { own = m.begin(port, scan.magic, nonce) },
	}
	buffer := make([]byte, 64<<10)
	for {
		n, err := port.read(buffer)
		scan.magic = m.currentMagic()
		scan.push(buffer[:n], report)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, errDetached):
			drop()
		case err != nil:
			return err
		}
	}
}

// begin ends the previous session, hands out the new one and has the hello answered. It waits for nothing that
// depends on the host: the next hello may be right behind this one.
func (m *Mux) begin(port *Port, magic, nonce [PartBytes]byte) *Session {
	m.beginning.Lock()
	defer m.beginning.Unlock()
	next := newSession(port, answerTo(magic, nonce))
	m.mu.Lock()
	before := m.current
	m.current = next
	m.mu.Unlock()
	if before != nil {
		before.end()
	}
	served := m.greet(next, magic, nonce)
	if served == nil {
		return next
	}
	select {
	case m.sessions <- served:
	case <-m.closed:
		next.end()
	}
	return next
}

// greet has the hello answered.
func (m *Mux) greet(next *Session, magic, nonce [PartBytes]byte) net.Conn {
	if m.Greet != nil {
		answer := next.ack
		next.ack = nil
		return m.Greet(next, append(magic[:], nonce[:]...), answer)
	}
	go func() { _, _ = next.Write(nil) }()
	return next
}

func answerTo(magic, nonce [PartBytes]byte) []byte {
	answer := make([]byte, 0, 2*PartBytes)
	for _, b := range magic {
		answer = append(answer, ^b)
	}
	return append(answer, nonce[:]...)
}

// Accept waits for the next session; net.ErrClosed after Close.
func (m *Mux) Accept() (net.Conn, error) {
	select {
	case s := <-m.sessions:
		return s, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept; the current session lives on.
func (m *Mux) Close() error {
	m.once.Do(func() { close(m.closed) })
	return nil
}

// Addr names the channel; there is no address to give.
func (m *Mux) Addr() net.Addr { return address{} }
