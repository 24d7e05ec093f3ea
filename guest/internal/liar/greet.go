//go:build liar

// Lies in place of a hello's answer, and recordings of sessions, which a later hello may have played to it.

package liar

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"sync"

	"pyro/guest/internal/channel"
)

// mostRecorded bounds a recording, in bytes.
const mostRecorded = 1 << 20

// Greet answers a hello on the agent's port; see channel.Mux.
func (l *Liar) Greet(session *channel.Session, hello, answer []byte) net.Conn {
	return l.greet(onHello, session, hello, answer)
}

// GreetOnNetwork answers a hello on the network port.
func (l *Liar) GreetOnNetwork(session *channel.Session, hello, answer []byte) net.Conn {
	return l.greet(onNetworkHello, session, hello, answer)
}

func (l *Liar) greet(on string, session *channel.Session, hello, answer []byte) net.Conn {
	served := &greeted{Session: session, answer: answer}
	lie := l.script.find(on, func(string) bool { return true })
	if lie == nil {
		go func() { _, _ = served.Write(nil) }()
		return served
	}
	folder := l.script.place()
	served.heard, served.said = openRecord(folder, lie.Record, ".heard"), openRecord(folder, lie.Record, ".said")
	served.heard.keep(hello)
	isHonest := lie.End == "honest"
	if isHonest {
		served.before = make(chan struct{})
	}
	go func() {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go func() {
			<-session.Ended()
			cancel()
		}()
		if !isHonest && !lie.IsDeaf {
			go served.listen()
		}
		_ = (&player{ctx: ctx, folder: folder, out: session, flush: func() {}, ack: answer, next: 2}).play(lie.Body)
		if isHonest {
			close(served.before)
			_, _ = served.Write(nil)
		}
	}()
	if isHonest {
		return served
	}
	return nil
}

// greeted is a session that has its hello answered before anything else, and may be recorded.
type greeted struct {
	*channel.Session
	// before is closed once that was said which comes before the answer; nil where there is none.
	before      chan struct{}
	writing     sync.Mutex
	answer      []byte
	heard, said *record
}

func (g *greeted) Read(p []byte) (int, error) {
	n, err := g.Session.Read(p)
	g.heard.keep(p[:n])
	return n, err
}

func (g *greeted) Write(p []byte) (int, error) {
	if g.before != nil {
		select {
		case <-g.before:
		case <-g.Ended():
			return 0, net.ErrClosed
		}
	}
	g.writing.Lock()
	defer g.writing.Unlock()
	if g.answer != nil {
		if _, err := g.Session.Write(g.answer); err != nil {
			return 0, err
		}
		g.said.keep(g.answer)
		g.answer = nil
	}
	n, err := g.Session.Write(p)
	g.said.keep(p[:n])
	return n, err
}

// listen keeps what comes to a session that nobody serves.
func (g *greeted) listen() {
	piece := make([]byte, 64<<10)
	for {
		if _, err := g.Read(piece); err != nil {
			return
		}
	}
}

// record is a file that grows; nil where nothing is kept.
type record struct {
	file *os.File
	rest int
}

func openRecord(folder, name, kind string) *record {
	if name == "" {
		return nil
	}
	file, err := os.OpenFile(filepath.Join(folder, filepath.Base(name)+kind), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil
	}
	return &record{file, mostRecorded}
}

// keep is called for one direction, whose calls do not overlap.
func (r *record) keep(b []byte) {
	if r == nil {
		return
	}
	n := min(len(b), r.rest)
	r.rest -= n
	_, _ = r.file.Write(b[:n])
}
