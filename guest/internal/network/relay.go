// Relaying between a program's socket and a stream to the host, each direction ending by itself.

package network

import (
	"io"
	"net"
	"sync"
)

// relay joins both until both directions have ended, or one breaks; in holds what was read of conn already.
func relay(conn *net.TCPConn, in io.Reader, stream *Stream) {
	var both sync.WaitGroup
	both.Go(func() {
		if _, err := io.Copy(stream, in); err != nil {
			// A program that has gone takes its connection along.
			_ = stream.Close()
			return
		}
		_ = stream.CloseWrite()
	})
	both.Go(func() {
		if _, err := io.Copy(conn, stream); err != nil {
			reset(conn)
			_ = stream.Close()
			return
		}
		_ = conn.CloseWrite()
	})
	both.Wait()
	_ = stream.Close()
	_ = conn.Close()
}

// reset closes a connection so that its program sees a failure and not an end.
func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	_ = conn.Close()
}
