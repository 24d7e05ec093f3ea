// One process: started with pipes or a terminal, in its own session and cgroup, followed until its leader ends.

package process

import (
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Size is a terminal's size in characters.
type Size struct {
	Cols uint16 `json:"cols"`
	Rows uint16 `json:"rows"`
}

// Request describes a process to start.
type Request struct {
	Argv        []string          `json:"argv"`
	Env         map[string]string `json:"env"`
	Cwd         string            `json:"cwd,omitempty"`
	User        string            `json:"user,omitempty"`
	Stdin       bool              `json:"stdin"`
	Terminal    *Size             `json:"terminal,omitempty"`
	TimeoutMs   int64             `json:"timeout_ms,omitempty"`
	BufferBytes int               `json:"buffer_bytes,omitempty"`
	Overflow    string            `json:"overflow"`
}

// Info is what the list tells of a process.
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
	pid            int
	argv           []string
	stdout, stderr *output
	pumps          []*pump
	input          *os.File
	terminal       *os.File
	cgroup         string
	timer          *time.Timer

	mu             sync.Mutex
	changes        chan struct{}
	done           bool
	endOut, endErr int64
	status         syscall.WaitStatus
	timedOut       bool
}

func (p *Process) watch() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changes
}

func (p *Process) changed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.changes)
	p.changes = make(chan struct{})
}

func (p *Process) isDone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done
}

func (p *Process) endOf(kind byte) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if kind == kindStdout {
		return p.endOut
	}
	return p.endErr
}

// PID is the process id in the guest.
func (p *Process) PID() int { return p.pid }

// ID names the process on the wire.
func (p *Process) ID() string { return p.id }

// finish is called once, when the leader has ended.
func (p *Process) finish(status syscall.WaitStatus) {
	if p.timer != nil {
		p.timer.Stop()
	}
	for _, pump := range p.pumps {
		pump.drain()
	}
	for _, pump := range p.pumps {
		<-pump.drained
	}
	p.mu.Lock()
	p.status, p.done = status, true
	p.endOut, p.endErr = p.stdout.total(), p.stderr.total()
	p.mu.Unlock()
	if p.input != nil && p.terminal == nil {
		_ = p.input.Close()
	}
	p.changed()
}

func (p *Process) exitEvent() Event {
	info := p.Info()
	p.mu.Lock()
	defer p.mu.Unlock()
	return Event{
		Event: "exit", ExitCode: info.ExitCode, Signal: info.Signal, TimedOut: &info.TimedOut,
		StdoutBytes: &p.endOut, StderrBytes: &p.endErr,
	}
}

// Info tells how the process stands.
func (p *Process) Info() Info {
	info := Info{ID: p.id, PID: p.pid, Argv: p.argv, StdoutBytes: p.stdout.total(), StderrBytes: p.stderr.total()}
	p.mu.Lock()
	defer p.mu.Unlock()
	info.Running, info.TimedOut = !p.done, p.timedOut
	if p.done {
		code := p.status.ExitStatus()
		if p.status.Signaled() {
			code = 128 + int(p.status.Signal())
			info.Signal = signalName(p.status.Signal())
		}
		info.ExitCode = &code
	}
	return info
}

// Signal sends a signal to the process group (with a terminal: its foreground group), or to every process.
func (p *Process) Signal(name, scope string) error {
	number := unix.SignalNum("SIG" + name)
	if number == 0 || (scope != "group" && scope != "all") {
		return refuse("invalid_request", "no such signal or scope: "+name+" "+scope)
	}
	if scope == "all" {
		p.signalAll(number)
		return nil
	}
	group := p.pid
	if p.terminal != nil {
		_ = control(p.terminal, func(fd int) {
			if foreground, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP); err == nil && foreground > 0 {
				group = foreground
			}
		})
	}
	if p.isDone() && group == p.pid {
		return nil
	}
	_ = unix.Kill(-group, number)
	return nil
}

func (p *Process) signalAll(number syscall.Signal) {
	if p.cgroup != "" && number == unix.SIGKILL {
		if os.WriteFile(filepath.Join(p.cgroup, "cgroup.kill"), []byte("1"), 0) == nil {
			return
		}
	}
	for _, pid := range membersOf(p.cgroup) {
		_ = unix.Kill(pid, number)
	}
	if !p.isDone() {
		_ = unix.Kill(-p.pid, number)
	}
}

// expire kills everything the process started; what it has written stays.
func (p *Process) expire() {
	p.mu.Lock()
	p.timedOut = !p.done
	p.mu.Unlock()
	p.signalAll(unix.SIGKILL)
}

// Resize changes the terminal's size.
func (p *Process) Resize(size Size) error {
	if p.terminal == nil {
		return refuse("invalid_request", "the process has no terminal")
	}
	return control(p.terminal, func(fd int) {
		_ = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: size.Cols, Row: size.Rows})
	})
}

// Input is where the process's standard input is written; nil when it has none.
func (p *Process) Input() *os.File { return p.input }

// HasTerminal tells whether input and output are a terminal.
func (p *Process) HasTerminal() bool { return p.terminal != nil }

// control gives the descriptor without making it blocking, as Fd would.
func control(file *os.File, use func(fd int)) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { use(int(fd)) })
}

func signalName(number syscall.Signal) string {
	if name := unix.SignalName(number); len(name) > 3 {
		return name[3:]
	}
	return "unknown"
}
