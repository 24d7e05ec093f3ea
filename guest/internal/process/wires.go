// Wires of a process: pipes, or a pseudo-terminal, between it and the agent.

package process

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

type wires struct {
	child          []*os.File
	stdout, stderr *os.File
	input          *os.File
	terminal       *os.File
}

func connect(p *Process, request Request) (*wires, error) {
	w := &wires{}
	var err error
	if request.Terminal != nil {
		err = w.openTerminal(*request.Terminal)
	} else {
		err = w.openPipes(request.Stdin)
	}
	if err != nil {
		w.closeChildEnds()
		w.closeOwnEnds()
		return nil, fmt.Errorf("connect %s: %w", p.id, err)
	}
	return w, nil
}

func (w *wires) openPipes(stdin bool) error {
	if stdin {
		read, write, err := os.Pipe()
		if err != nil {
			return err
		}
		w.child, w.input = append(w.child, read), write
	} else {
		null, err := os.Open(os.DevNull)
		if err != nil {
			return err
		}
		w.child = append(w.child, null)
	}
	for _, own := range []**os.File{&w.stdout, &w.stderr} {
		read, write, err := os.Pipe()
		if err != nil {
			return err
		}
		*own = read
		w.child = append(w.child, write)
	}
	return nil
}

func (w *wires) openTerminal(size Size) error {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	w.terminal = os.NewFile(uintptr(fd), "ptmx")
	w.input, w.stdout = w.terminal, w.terminal
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return err
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		return err
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: size.Cols, Row: size.Rows}); err != nil {
		return err
	}
	end, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	w.child = []*os.File{end, end, end}
	return nil
}

// childFds makes the child's ends blocking, as programs expect them.
func (w *wires) childFds() []uintptr {
	fds := make([]uintptr, 0, len(w.child))
	for _, file := range w.child {
		fds = append(fds, file.Fd())
	}
	return fds
}

func (w *wires) startPumps(p *Process) []*pump {
	pumps := []*pump{startPump(w.stdout, p.stdout)}
	if w.stderr != nil {
		pumps = append(pumps, startPump(w.stderr, p.stderr))
	}
	return pumps
}

func (w *wires) closeChildEnds() {
	for _, file := range w.child {
		_ = file.Close()
	}
}

func (w *wires) closeOwnEnds() {
	for _, file := range []*os.File{w.stdout, w.stderr, w.input} {
		if file != nil {
			_ = file.Close()
		}
	}
}
