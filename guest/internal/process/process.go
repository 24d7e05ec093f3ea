// One process: followed from its start until its leader has ended and its output is complete.

package process

import (
	"os"
	"sync"
	"syscall"
	"time"
)

// longestTimeoutMs is a year.
const longestTimeoutMs = 366 * 24 * 3600 * 1000

// Request describes a process to start.
type Request struct {
	Argv []string          `json:"argv"`
	Env  map[string]string `json:"env"`
	// Cwd is absolute; empty is the root folder.
	Cwd string `json:"cwd,omitempty"`
	// MakeCwd makes that folder where it is missing, as root's: images name folders that none of their layers holds.
	MakeCwd bool `json:"make_cwd,omitempty"`
	// User is NAME or UID, with :GROUP or :GID if wanted; empty is the agent's own.
	User     string `json:"user,omitempty"`
	Stdin    bool   `json:"stdin"`
	Terminal *Size  `json:"terminal,omitempty"`
	// TimeoutMs is when everything of the process is killed, in milliseconds; zero is never.
	TimeoutMs int64 `json:"timeout_ms,omitempty"`
	// BufferBytes bounds the kept output of each stream; zero is 1 MiB.
	BufferBytes int    `json:"buffer_bytes,omitempty"`
	Overflow    string `json:"overflow"`
}

// Info describes a process in the list.
type Info struct {
	ID          string   `json:"id"`
	PID         int      `json:"pid"`
	Argv        []string `json:"argv"`
	Running     bool     `json:"running"`
	ExitCode    *int     `json:"exit_code,omitempty"`
	Signal      string   `json:"signal,omitempty"`
	TimedOut    bool     `json:"timed_out"`
	StdoutBytes int64    `json:"stdout_bytes"`
	StderrBytes int64    `json:"stderr_bytes"`
}

// Process is a running or ended process.
type Process struct {
	id             string
	number         int
	argv           []string
	reaper         *reaper
	cgroups        *Cgroups
	stdout, stderr *output

	// Set by launch, before anybody else knows the process.
	pid       int
	hasCgroup bool
	pumps     []*pump
	input     *input
	terminal  *os.File
	timer     *time.Timer

	mu       sync.Mutex
	changes  chan struct{}
	isOver   bool
	status   syscall.WaitStatus
	timedOut bool
}

// watch returns a channel that is closed at the next change of output or state.
func (p *Process) watch() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.changes == nil {
		p.changes = make(chan struct{})
	}
	return p.changes
}

func (p *Process) changed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.changes != nil {
		close(p.changes)
		p.changes = nil
	}
}

func (p *Process) isDone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.isOver
}

// ID names the process on the wire.
func (p *Process) ID() string { return p.id }

// PID is the process id in the guest.
func (p *Process) PID() int { return p.pid }

// finish is called once, when the leader has been waited for.
func (p *Process) finish(status syscall.WaitStatus) {
	if p.timer != nil {
		p.timer.Stop()
	}
	for _, pump := range p.pumps {
		pump.stop()
	}
	for _, pump := range p.pumps {
		<-pump.drained
	}
	p.input.close()
	p.mu.Lock()
	p.status, p.isOver = status, true
	p.mu.Unlock()
	p.changed()
}

// expire kills everything the process started; what it has written stays.
func (p *Process) expire() {
	p.mu.Lock()
	p.timedOut = !p.isOver
	p.mu.Unlock()
	p.signalAll(syscall.SIGKILL)
}

// discard kills what runs and drops what is kept.
func (p *Process) discard() {
	if p.pid > 0 {
		p.signalAll(syscall.SIGKILL)
	}
	p.letGo()
}

// letGo drops what is kept; the cgroup goes once it is empty.
func (p *Process) letGo() {
	p.stdout.close()
	p.stderr.close()
	if p.timer != nil {
		p.timer.Stop()
	}
	if p.hasCgroup {
		go p.cgroups.remove(p.id)
	}
}

// Info describes the state of the process.
func (p *Process) Info() Info {
	info := Info{ID: p.id, PID: p.pid, Argv: p.argv, StdoutBytes: p.stdout.total(), StderrBytes: p.stderr.total()}
	p.mu.Lock()
	defer p.mu.Unlock()
	info.Running, info.TimedOut = !p.isOver, p.timedOut
	if p.isOver {
		code, signal := outcome(p.status)
		info.ExitCode, info.Signal = &code, signal
	}
	return info
}

func outcome(status syscall.WaitStatus) (code int, signal string) {
	if status.Signaled() {
		return 128 + int(status.Signal()), signalName(status.Signal())
	}
	return status.ExitStatus(), ""
}

func (p *Process) exitEvent() Event {
	info := p.Info()
	return Event{
		Event: "exit", ExitCode: info.ExitCode, Signal: info.Signal, TimedOut: &info.TimedOut,
		StdoutBytes: &info.StdoutBytes, StderrBytes: &info.StderrBytes,
	}
}
