// Relaying between a program's socket and a stream to the host, each direction ending by itself.

package network

import (
	"io"
	"net"
	"sync"
)

// pieceBytes is how much is copied at once.
const pieceBytes = 256 << 10

// pieces are reused: getting fresh memory of that size for each connection takes longer than opening it.
var pieces = sync.Pool{New: func() any { return new([pieceBytes]byte) }}

// relay joins both until both directions have ended, or one breaks; in holds what was read of conn already.
func relay(conn *net.TCPConn, in io.Reader, stream *Stream) {
	var both sync.WaitGroup
	both.Go(func() {
		if _, err := copyAll(stream, in); err != nil {
			// A program that has gone takes its connection with it.
			_ = stream.Close()
			return
		}
		_ = stream.CloseWrite()
	})
	both.Go(func() {
		if _, err := copyAll(conn, stream); err != nil {
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

// copyAll copies in large pieces: each read of a stream may have to tell the host that there is room again.
func copyAll(to io.Writer, from io.Reader) (int64, error) {
	piece, ok := pieces.Get().(*[pieceBytes]byte)
	if !ok {
		panic("the pool of pieces holds something else")
	}
	defer pieces.Put(piece)
	return io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, piece[:])
}
