// The server answers the host's requests: sessions, routes, and the gate that a session passes by resuming.

// Package server is the agent's HTTP interface.
package server

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"pyro/guest/internal/channel"
	"pyro/guest/internal/files"
	"pyro/guest/internal/network"
	"pyro/guest/internal/process"
	"pyro/guest/internal/resume"
)

// The host has the same limits, so that neither end slows the other down.
const (
	streamData  = 4 << 20
	sessionData = 16 << 20
	frameBytes  = 64 << 10
	mostStreams = 1000
)

// Machine is the guest as its first process rules it.
type Machine interface {
	// Apply gives the guest its clock, entropy and names.
	Apply(identity resume.Identity) error
	// Activate mounts the guest's file systems.
	Activate(hasProject bool) error
	// MountProject puts the project's disk below the workspace of a guest that was activated without it.
	MountProject() error
	// Freeze makes the guest's disk whole and still for a bounded time; Thaw tells whether it was so until now.
	Freeze() error
	Thaw() (wasFrozen bool, err error)
	// Grow makes the file system as large as its disk, and gives that in bytes.
	Grow() (int64, error)
	// PowerOff ends the guest.
	PowerOff()
}

// Agent is the state behind the routes.
type Agent struct {
	// Machine is nil when the agent is a plain process: it then counts as activated and rules nothing.
	Machine Machine
	Version string
	Mux     *channel.Mux
	Manager *process.Manager
	Files   *files.Store
	Network *network.Network
	// Disguise is nil but in the lying agent, which tests alone build.
	Disguise Disguise

	activating sync.Mutex
	activated  atomic.Bool
}

// Disguise stands between the host and the routes.
type Disguise interface {
	// Handler answers in place of honest, or has that answer.
	Handler(honest http.Handler) http.Handler
	// Context gives the requests of a session what Handler needs to know of it.
	Context(ctx context.Context, conn net.Conn) context.Context
}

// session is what the agent remembers of one connection.
type session struct {
	isResumed atomic.Bool
	ended     <-chan struct{}
}

type sessionKey struct{}

func sessionOf(r *http.Request) *session {
	s, ok := r.Context().Value(sessionKey{}).(*session)
	if !ok {
		return &session{}
	}
	return s
}

// Serve answers sessions of the mux until it is closed, which is net.ErrClosed.
func (a *Agent) Serve() error {
	if a.Machine == nil {
		a.activated.Store(true)
	}
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	handler := guard(a.routes())
	if a.Disguise != nil {
		handler = a.Disguise.Handler(handler)
	}
	server := &http.Server{
		Handler:   handler,
		Protocols: &protocols,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          mostStreams,
			MaxReadFrameSize:              frameBytes,
			MaxReceiveBufferPerStream:     streamData,
			MaxReceiveBufferPerConnection: sessionData,
		},
		// A session cut in the middle is the usual case, and the console is bounded.
		ErrorLog: log.New(io.Discard, "", 0),
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			state := &session{}
			if s, ok := conn.(interface{ Ended() <-chan struct{} }); ok {
				state.ended = s.Ended()
			}
			if a.Disguise != nil {
				ctx = a.Disguise.Context(ctx, conn)
			}
			return context.WithValue(ctx, sessionKey{}, state)
		},
	}
	return server.Serve(a.Mux)
}

func (a *Agent) routes() http.Handler {
	routes := http.NewServeMux()
	for pattern, handler := range map[string]http.HandlerFunc{
		"POST /v1/activate":              a.activate,
		"POST /v1/processes":             a.whenActive(a.start),
		"GET /v1/processes":              a.list,
		"GET /v1/processes/{id}":         a.withProcess(a.show),
		"GET /v1/processes/{id}/attach":  a.withProcess(a.attach),
		"POST /v1/processes/{id}/input":  a.withProcess(a.input),
		"POST /v1/processes/{id}/resize": a.withProcess(a.resize),
		"POST /v1/processes/{id}/signal": a.withProcess(a.signal),
		"DELETE /v1/processes/{id}":      a.withProcess(a.forget),
		"POST /v1/project":               a.whenActive(a.mountProject),
		"POST /v1/freeze":                a.whenActive(a.freeze),
		"POST /v1/thaw":                  a.whenActive(a.thaw),
		"POST /v1/grow":                  a.whenActive(a.grow),
		"GET /v1/files":                  a.whenActive(a.listFiles),
		"GET /v1/files/content":          a.whenActive(a.readFile),
		"PUT /v1/files/content":          a.whenActive(a.writeFile),
		"POST /v1/files/replace":         a.whenActive(a.replaceText),
		"POST /v1/changes":               a.whenActive(a.changes),
		"POST /v1/tree/pack":             a.whenActive(a.pack),
		"POST /v1/tree/unpack":           a.whenActive(a.unpack),
		"POST /v1/tree/compare":          a.whenActive(a.compare),
		"POST /v1/network":               a.whenActive(a.setNetwork),
		"POST /v1/connect":               a.whenActive(a.connect),
		"POST /v1/probe":                 a.whenActive(a.probe),
		"GET /v1/status":                 a.status,
		"POST /v1/sync":                  a.sync,
		"POST /v1/poweroff":              a.powerOff,
		"/":                              noRoute,
	} {
		routes.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if !sessionOf(r).isResumed.Load() {
				refuse(w, http.StatusTooEarly, "not_resumed", "the session has not resumed the guest")
				return
			}
			handler(w, r)
		})
	}
	routes.HandleFunc("POST /v1/resume", a.resume)
	return routes
}

// whenActive refuses what needs the guest's file systems before they are mounted.
func (a *Agent) whenActive(handler http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !a.activated.Load() {
			refuse(w, http.StatusConflict, "not_activated", "the guest's root is not mounted yet")
			return
		}
		handler(w, r)
	}
}

func noRoute(w http.ResponseWriter, r *http.Request) {
	refuse(w, http.StatusNotFound, "not_found", "no such route: "+cut(r.Method+" "+r.URL.Path))
}
