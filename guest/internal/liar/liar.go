//go:build liar

// The liar stands before the agent's routes, its sessions and its hellos.

package liar

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"

	"pyro/guest/internal/channel"
)

// mostRead is what of a request's body is looked at for a lie's text, in bytes.
const mostRead = 1 << 20

// Liar is a disguise of an agent; see server.Agent.
type Liar struct {
	script script
	// ServePort opens the network port.
	ServePort func(*channel.Mux) error
	network   *networkLiar
}

// session is a connection with the count of its requests: clients number their streams 1, 3, 5.
type session struct {
	net.Conn
	requests atomic.Uint32
}

type sessionKey struct{}

// Context keeps the connection, so that a lie can speak below HTTP/2.
func (l *Liar) Context(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, sessionKey{}, &session{Conn: conn})
}

// Handler lies where the script says so, and is honest else.
func (l *Liar) Handler(honest http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _ := r.Context().Value(sessionKey{}).(*session)
		own := uint32(0)
		if conn != nil {
			own = 2*conn.requests.Add(1) - 1
		}
		on := r.Method + " " + r.URL.Path
		if on == "POST /v1/network" && l.script.wants(onNetwork) {
			l.lieOnNetwork(w, r)
			return
		}
		if !l.script.wants(on) {
			honest.ServeHTTP(w, r)
			return
		}
		head, rest := peek(r)
		r.Body = rest
		lie := l.script.find(on, func(text string) bool {
			return strings.Contains(r.URL.RawQuery, text) || bytes.Contains(head, []byte(text))
		})
		if lie == nil {
			honest.ServeHTTP(w, r)
			return
		}
		tell(w, r, *lie, l.script.place(), conn, own)
	})
}

// peek reads what a body begins with; the whole is read again by whoever gets it. Only bodies of a known length are
// looked at: the end of another one may never come.
func peek(r *http.Request) (head []byte, rest io.ReadCloser) {
	if r.ContentLength <= 0 && r.Method != http.MethodPost || r.URL.Path == "/v1/connect" || strings.HasPrefix(r.URL.Path, "/v1/tree/") {
		return nil, r.Body
	}
	head, _ = io.ReadAll(io.LimitReader(r.Body, mostRead))
	return head, struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), r.Body), r.Body}
}

func tell(w http.ResponseWriter, r *http.Request, lie Lie, folder string, conn *session, own uint32) {
	if !lie.IsDeaf {
		go func() { _, _ = io.Copy(io.Discard, r.Body) }()
	}
	if lie.Raw != nil && conn != nil {
		// The host may end the session at any of these frames.
		_ = (&player{ctx: r.Context(), folder: folder, out: conn.Conn, flush: func() {}, own: own, next: 2}).play(lie.Raw)
	}
	if lie.End != "silent" {
		for name, value := range lie.Headers {
			w.Header().Set(name, value)
		}
		w.WriteHeader(max(lie.Status, http.StatusOK))
		flush := func() { _ = http.NewResponseController(w).Flush() }
		flush()
		_ = (&player{ctx: r.Context(), folder: folder, out: w, flush: flush, own: own, next: 2}).play(lie.Body)
		flush()
	}
	switch lie.End {
	case "hang", "silent":
		<-r.Context().Done()
	case "cut":
		panic(http.ErrAbortHandler)
	case "gone":
		if conn != nil {
			_ = conn.Close()
		}
	}
}

func (l *Liar) lieOnNetwork(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Magic []byte `json:"magic"`
	}
	if json.NewDecoder(io.LimitReader(r.Body, mostRead)).Decode(&request) != nil || len(request.Magic) != channel.PartBytes {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	magic := [channel.PartBytes]byte(request.Magic)
	if l.network == nil {
		l.network = &networkLiar{mux: channel.NewMux(magic), script: &l.script}
		if err := l.ServePort(l.network.mux); err != nil {
			w.WriteHeader(http.StatusConflict)
			return
		}
		go l.network.serve()
	}
	l.network.mux.SetMagic(magic)
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"proxy":"127.0.0.1:3128"}`)
}
