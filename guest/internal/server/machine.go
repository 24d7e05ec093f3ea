// Routes of the machine: resume, activation, status, power.

package server

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"time"

	"golang.org/x/sys/unix"

	"pyro/guest/internal/channel"
	"pyro/guest/internal/resume"
)

const (
	protocol     = 1
	leastEntropy = 32
	mostEntropy  = 256
	// lastAnswerWait bounds how long the host may take to close its session before the power goes.
	lastAnswerWait = 200 * time.Millisecond
)

var (
	validMachineID = regexp.MustCompile(`^[0-9a-f]{32}$`)
	validHostname  = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)
)

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

func (q resumeRequest) check() string {
	switch {
	case q.UnixMs < 0 || q.UnixMs > 1<<53:
		return "unix_ms is out of range"
	case len(q.Entropy) < leastEntropy || len(q.Entropy) > mostEntropy:
		return "entropy must be 32 to 256 bytes"
	case !validHostname.MatchString(q.Hostname):
		return "hostname must be 1 to 63 letters, digits, dots, hyphens and underscores"
	case !validMachineID.MatchString(q.MachineID):
		return "machine_id must be 32 hexadecimal digits"
	case q.Magic != nil && len(q.Magic) != channel.PartBytes:
		return "magic must be 16 bytes"
	}
	return ""
}

func (a *Agent) resume(w http.ResponseWriter, r *http.Request) {
	var request resumeRequest
	if !decode(w, r, &request) {
		return
	}
	if wrong := request.check(); wrong != "" {
		refuse(w, http.StatusBadRequest, "invalid_request", wrong)
		return
	}
	if a.Machine != nil {
		err := a.Machine.Apply(resume.Identity{
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
	sessionOf(r).isResumed.Store(true)
	answer(w, resumeAnswer{Protocol: protocol, Version: a.Version, Activated: a.activated.Load(), BootMs: uptime().Milliseconds()})
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
		refuse(w, http.StatusConflict, "already_activated", "the guest's root is already mounted")
		return
	}
	started := time.Now()
	if err := a.Machine.Activate(request.Project); err != nil {
		refuse(w, http.StatusInternalServerError, "activate_failed", err.Error())
		return
	}
	a.activated.Store(true)
	answer(w, activateAnswer{MountsMs: time.Since(started).Milliseconds()})
}

type statusAnswer struct {
	UptimeMs             int64  `json:"uptime_ms"`
	MemoryTotalBytes     uint64 `json:"memory_total_bytes"`
	MemoryAvailableBytes uint64 `json:"memory_available_bytes"`
	// Processes counts those that the agent started and that run.
	Processes int  `json:"processes"`
	Activated bool `json:"activated"`
}

func (a *Agent) status(w http.ResponseWriter, _ *http.Request) {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		refuse(w, http.StatusInternalServerError, "status_failed", err.Error())
		return
	}
	running := 0
	for _, p := range a.Manager.List() {
		if p.Running {
			running++
		}
	}
	unit := uint64(info.Unit)
	answer(w, statusAnswer{
		UptimeMs: uptime().Milliseconds(), MemoryTotalBytes: uint64(info.Totalram) * unit,
		MemoryAvailableBytes: availableMemory(uint64(info.Freeram) * unit), Processes: running, Activated: a.activated.Load(),
	})
}

// availableMemory counts what the kernel would give up for programs, in bytes; free memory alone where /proc is missing.
func availableMemory(free uint64) uint64 {
	file, err := os.Open("/proc/meminfo")
	if err != nil {
		return free
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var kib uint64
		if n, _ := fmt.Sscanf(lines.Text(), "MemAvailable: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	return free
}

func (a *Agent) sync(w http.ResponseWriter, _ *http.Request) {
	unix.Sync()
	answer(w, emptyAnswer{})
}

func (a *Agent) powerOff(w http.ResponseWriter, r *http.Request) {
	answer(w, emptyAnswer{})
	ended, handled := sessionOf(r).ended, r.Context().Done()
	go func() {
		// The answer's last frame leaves when the handler has returned; a host that has it closes the session.
		<-handled
		select {
		case <-ended:
		case <-time.After(lastAnswerWait):
		}
		if a.Machine == nil {
			_ = a.Mux.Close()
			return
		}
		a.Machine.PowerOff()
	}()
}

func uptime() time.Duration {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &now)
	return time.Duration(now.Nano())
}
