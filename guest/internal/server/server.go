// The server answers the host's requests: routes, limits and the gate that a session passes by resuming.

// Package server is the agent's HTTP interface.
package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"pyro/guest/internal/boot"
	"pyro/guest/internal/channel"
	"pyro/guest/internal/process"
	"pyro/guest/internal/resume"
)

const (
	mostBody    = 1 << 20
	streamData  = 4 << 20
	sessionData = 16 << 20
	frameBytes  = 64 << 10
)

// Agent is the state behind the routes.
type Agent struct {
	// IsInit tells that the agent is the guest's first process and owns clock, names and mounts.
	IsInit  bool
	Version string
	Mux     *channel.Mux
	Manager *process.Manager

	activating sync.Mutex
	activated  atomic.Bool
}

type sessionKey struct{}

// Serve answers sessions of the mux until it is closed.
func (a *Agent) Serve() error {
	if !a.IsInit {
		a.activated.Store(true)
	}
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{
		Handler:   a.routes(),
		Protocols: &protocols,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          1000,
			MaxReadFrameSize:              frameBytes,
			MaxReceiveBufferPerStream:     streamData,
			MaxReceiveBufferPerConnection: sessionData,
		},
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, sessionKey{}, &atomic.Bool{})
		},
	}
	return server.Serve(a.Mux)
}

func (a *Agent) routes() http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("POST /v1/resume", a.resume)
	for pattern, handler := range map[string]http.HandlerFunc{
		"POST /v1/activate":              a.activate,
		"POST /v1/processes":             a.start,
		"GET /v1/processes":              a.list,
		"GET /v1/processes/{id}":         a.withProcess(a.show),
		"GET /v1/processes/{id}/attach":  a.withProcess(a.attach),
		"POST /v1/processes/{id}/input":  a.withProcess(a.input),
		"POST /v1/processes/{id}/resize": a.withProcess(a.resize),
		"POST /v1/processes/{id}/signal": a.withProcess(a.signal),
		"DELETE /v1/processes/{id}":      a.withProcess(a.forget),
		"GET /v1/status":                 a.status,
		"POST /v1/sync":                  a.sync,
		"POST /v1/poweroff":              a.powerOff,
	} {
		routes.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			resumed, ok := r.Context().Value(sessionKey{}).(*atomic.Bool)
			if !ok || !resumed.Load() {
				refuse(w, http.StatusTooEarly, "not_resumed", "the session has not resumed the guest")
				return
			}
			handler(w, r)
		})
	}
	return routes
}

type resumeRequest struct {
	UnixMs    int64  `json:"unix_ms"`
	Entropy   []byte `json:"entropy"`
	Hostname  string `json:"hostname"`
	MachineID string `json:"machine_id"`
	Magic     []byte `json:"magic,omitempty"`
}

type resumeAnswer struct {
	Protocol  int    `json:"protocol"`
	Version   string `json:"version"`
	Activated bool   `json:"activated"`
	BootMs    int64  `json:"boot_ms"`
}

var machineID = regexp.MustCompile(`^[0-9a-f]{32}$`)

func (a *Agent) resume(w http.ResponseWriter, r *http.Request) {
	var request resumeRequest
	if !decode(w, r, &request) {
		return
	}
	if len(request.Entropy) < 32 || len(request.Entropy) > 256 || len(request.Hostname) == 0 || len(request.Hostname) > 63 ||
		!machineID.MatchString(request.MachineID) || (request.Magic != nil && len(request.Magic) != channel.PartBytes) {
		refuse(w, http.StatusBadRequest, "invalid_request", "entropy, hostname, machine_id or magic is out of range")
		return
	}
	if a.IsInit {
		err := resume.Apply(resume.Identity{
			Now: time.UnixMilli(request.UnixMs), Entropy: request.Entropy, Hostname: request.Hostname, MachineID: request.MachineID,
		})
		if err != nil {
			refuse(w, http.StatusInternalServerError, "resume_failed", err.Error())
			return
		}
	}
	if request.Magic != nil {
		a.Mux.SetMagic([channel.PartBytes]byte(request.Magic))
	}
	if resumed, ok := r.Context().Value(sessionKey{}).(*atomic.Bool); ok {
		resumed.Store(true)
	}
	answer(w, resumeAnswer{Protocol: 1, Version: a.Version, Activated: a.activated.Load(), BootMs: uptime().Milliseconds()})
}

type activateRequest struct {
	Project bool `json:"project"`
}

type activateAnswer struct {
	MountsMs int64 `json:"mounts_ms"`
}

func (a *Agent) activate(w http.ResponseWriter, r *http.Request) {
	var request activateRequest
	if !decode(w, r, &request) {
		return
	}
	a.activating.Lock()
	defer a.activating.Unlock()
	if a.activated.Load() {
		refuse(w, http.StatusConflict, "already_activated", "the guest's root is mounted already")
		return
	}
	started := time.Now()
	if err := boot.Activate(request.Project); err != nil {
		refuse(w, http.StatusInternalServerError, "activate_failed", err.Error())
		return
	}
	a.Manager.CgroupRoot = boot.CgroupRoot
	a.activated.Store(true)
	answer(w, activateAnswer{MountsMs: time.Since(started).Milliseconds()})
}

type statusAnswer struct {
	UptimeMs             int64  `json:"uptime_ms"`
	MemoryTotalBytes     uint64 `json:"memory_total_bytes"`
	MemoryAvailableBytes uint64 `json:"memory_available_bytes"`
	Processes            int    `json:"processes"`
	Activated            bool   `json:"activated"`
}

func (a *Agent) status(w http.ResponseWriter, _ *http.Request) {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		refuse(w, http.StatusInternalServerError, "status_failed", err.Error())
		return
	}
	answer(w, statusAnswer{
		UptimeMs: uptime().Milliseconds(), MemoryTotalBytes: info.Totalram * uint64(info.Unit),
		MemoryAvailableBytes: availableMemory(), Processes: int(info.Procs), Activated: a.activated.Load(),
	})
}

func availableMemory() uint64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	match := regexp.MustCompile(`MemAvailable:\s+(\d+) kB`).FindSubmatch(text)
	if match == nil {
		return 0
	}
	var kib uint64
	_, _ = fmt.Sscan(string(match[1]), &kib)
	return kib << 10
}

func (a *Agent) sync(w http.ResponseWriter, _ *http.Request) {
	unix.Sync()
	answer(w, struct{}{})
}

func (a *Agent) powerOff(w http.ResponseWriter, _ *http.Request) {
	answer(w, struct{}{})
	if a.IsInit {
		// The answer leaves before the guest does.
		time.AfterFunc(50*time.Millisecond, boot.PowerOff)
	}
}

func uptime() time.Duration {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &now)
	return time.Duration(now.Nano())
}

func decode(w http.ResponseWriter, r *http.Request, into any) bool {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, mostBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		refuse(w, http.StatusBadRequest, "invalid_request", "the request does not parse: "+err.Error())
		return false
	}
	return true
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
	if flusher, ok := w.(http.Flusher); ok {
		flusher.Flush()
	}
}

type wireError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(wireError{code, message})
}

func refuseWith(w http.ResponseWriter, err error) {
	var refusal *process.Refusal
	if errors.As(err, &refusal) {
		status := http.StatusBadRequest
		if refusal.Code == "too_many" {
			status = http.StatusTooManyRequests
		}
		refuse(w, status, refusal.Code, refusal.Message)
		return
	}
	refuse(w, http.StatusInternalServerError, "internal", err.Error())
}
