//go:build liar

// The liar on the network port, where the guest is the client of HTTP/2: it speaks frames of the script.

package liar

import (
	"context"
	"io"
	"net"

	"pyro/guest/internal/channel"
)

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// networkLiar answers each session of the port with the script's frames.
type networkLiar struct {
	mux    *channel.Mux
	script *script
}

func (n *networkLiar) serve() {
	for {
		conn, err := n.mux.Accept()
		if err != nil {
			return
		}
		go n.speak(conn)
	}
}

func (n *networkLiar) speak(conn net.Conn) {
	defer conn.Close()
	// The host speaks first.
	first := make([]byte, 1)
	if _, err := io.ReadFull(conn, first); err != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	lie := n.script.find(onNetwork, func(string) bool { return true })
	if lie == nil || !lie.IsDeaf {
		go func() {
			_, _ = io.Copy(io.Discard, conn)
			cancel()
		}()
	}
	if lie != nil {
		out := &player{ctx: ctx, folder: n.script.place(), out: conn, flush: func() {}, next: 1}
		_ = out.write([]byte(preface))
		_ = out.frame(Frame{Type: 4})
		_ = out.play(lie.Body)
		if lie.End != "hang" {
			return
		}
	}
	<-ctx.Done()
}
