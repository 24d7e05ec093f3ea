// Connections that the proxy's HTTP server gets from the sorting, watched for what that server refuses by itself.

package network

import (
	"bufio"
	"net"
	"net/http"
	"sync"
)

// mostKept is what is kept of a request for a report, in bytes.
const mostKept = 512

// peekedConn is a connection of which the first bytes have been read. The server answers what it cannot read without
// asking any handler; that shows here as an answer, or an end, that no handler stands behind.
type peekedConn struct {
	*net.TCPConn
	in *bufio.Reader
	// process is who holds the other end.
	process string

	mu sync.Mutex
	// head is the beginning of what came since the last answer.
	head     []byte
	answered bool
	refused  func(said string)
}

// watch sets what is called for what the server refuses.
func (c *peekedConn) watch(refused func(said string)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused = refused
}

// isAnswered says that a handler has the request.
func (c *peekedConn) isAnswered() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answered = true
}

func (c *peekedConn) becomes(state http.ConnState) {
	switch state {
	case http.StateIdle:
		c.mu.Lock()
		c.head, c.answered = nil, false
		c.mu.Unlock()
	case http.StateClosed:
		c.endUnheard(false)
	}
}

func (c *peekedConn) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	if room := mostKept - len(c.head); room > 0 && n > 0 {
		c.head = append(c.head, p[:min(n, room)]...)
	}
	return n, err
}

func (c *peekedConn) Write(p []byte) (int, error) {
	c.endUnheard(true)
	return c.TCPConn.Write(p)
}

// endUnheard reports what no handler has seen. What is said behind another request may have been read with that one.
func (c *peekedConn) endUnheard(isWrite bool) {
	c.mu.Lock()
	head, refused := c.head, c.refused
	if c.answered || refused == nil || len(head) == 0 && !isWrite {
		c.mu.Unlock()
		return
	}
	c.refused = nil
	c.mu.Unlock()
	refused(describeHead(head))
}

// connListener hands connections to a server.
type connListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newConnListener() *connListener {
	return &connListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *connListener) give(conn net.Conn) {
	select {
	case l.conns <- conn:
	case <-l.closed:
		_ = conn.Close()
	}
}

func (l *connListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close is called once, by the server.
func (l *connListener) Close() error {
	close(l.closed)
	return nil
}

func (l *connListener) Addr() net.Addr { return linkAddress{} }
