// Signals and sizes: what the host does to a running process.

package process

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// emptyLook is the time between two checks whether anything of a process is left.
const emptyLook = 20 * time.Millisecond

// Size is a terminal's size in characters; zero where it is not known.
type Size struct {
	Cols uint16 `json:"cols"`
	Rows uint16 `json:"rows"`
}

func (s Size) winsize() *unix.Winsize { return &unix.Winsize{Col: s.Cols, Row: s.Rows} }

// Signal sends a signal, named without SIG, to the process group (scope group; with a terminal: its foreground
// group) or to everything of the process (scope all). To signal what is over is no error.
func (p *Process) Signal(name, scope string) error {
	number := unix.SignalNum("SIG" + name)
	if number == 0 {
		return refuse("invalid_request", fmt.Sprintf("no such signal: %.20q", name))
	}
	switch scope {
	case "all":
		p.signalAll(number)
	case "group":
		p.signalGroup(number)
	default:
		return refuse("invalid_request", "scope must be group or all")
	}
	return nil
}

func (p *Process) signalGroup(number syscall.Signal) {
	if p.terminal != nil {
		foreground := 0
		_ = control(p.terminal, func(fd int) { foreground, _ = unix.IoctlGetInt(fd, unix.TIOCGPGRP) })
		if foreground > 0 && foreground != p.pid {
			_ = unix.Kill(-foreground, number)
			return
		}
	}
	p.reaper.kill(-p.pid, number)
}

func (p *Process) signalAll(number syscall.Signal) {
	if p.hasCgroup {
		if number != unix.SIGKILL || p.cgroups.kill(p.id) != nil {
			p.cgroups.signal(p.id, number)
		}
		return
	}
	for _, pid := range membersOfSession(p.pid) {
		_ = unix.Kill(pid, number)
	}
	p.reaper.kill(-p.pid, number)
}

// WaitEmpty waits until nothing of the process is left, its leader included; not longer than limit and ctx allow.
func (p *Process) WaitEmpty(ctx context.Context, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for !p.isDone() || p.hasMembers() {
		select {
		case <-ctx.Done():
			return
		case <-time.After(emptyLook):
		}
	}
}

func (p *Process) hasMembers() bool {
	if p.hasCgroup {
		return p.cgroups.isPopulated(p.id)
	}
	return len(membersOfSession(p.pid)) > 0
}

// Resize changes the terminal's size; a *Refusal without a terminal.
func (p *Process) Resize(size Size) error {
	if p.terminal == nil {
		return refuse("invalid_request", "the process has no terminal")
	}
	_ = control(p.terminal, func(fd int) { _ = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, size.winsize()) })
	return nil
}

func signalName(number syscall.Signal) string {
	if name := unix.SignalName(number); len(name) > 3 {
		return name[3:]
	}
	return fmt.Sprintf("RT%d", int(number))
}
