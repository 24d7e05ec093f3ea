// Wires of a process: pipes, or a pseudo-terminal, between it and the agent.

package process

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// groupOfTerminals is the group tty of nearly every distribution.
const groupOfTerminals = 5

type wires struct {
	child          []*os.File
	stdout, stderr *os.File
	input          *input
	terminal       *os.File
}

func connect(request Request, who *syscall.Credential) (*wires, error) {
	w := &wires{}
	var err error
	if request.Terminal != nil {
		err = w.openTerminal(*request.Terminal, who)
	} else {
		err = w.openPipes(request.Stdin)
	}
	if err != nil {
		w.closeChildEnds()
		w.closeOwnEnds()
		return nil, fmt.Errorf("connect the process: %w", err)
	}
	return w, nil
}

func (w *wires) openPipes(hasInput bool) error {
	if hasInput {
		read, write, err := os.Pipe()
		if err != nil {
			return err
		}
		w.child, w.input = append(w.child, read), newInput(write, false)
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

func (w *wires) openTerminal(size Size, who *syscall.Credential) error {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open /dev/ptmx: %w", err)
	}
	w.terminal = os.NewFile(uintptr(fd), "terminal")
	w.input, w.stdout = newInput(w.terminal, true), w.terminal
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return err
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, size.winsize()); err != nil {
		return err
	}
	// The other end by descriptor: the guest may have mounted something over /dev/pts.
	peer, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		return fmt.Errorf("open the terminal's other end: %w", errno)
	}
	end := os.NewFile(peer, "terminal end")
	w.child = []*os.File{end, end, end}
	if who != nil {
		_ = end.Chown(int(who.Uid), groupOfTerminals)
	}
	return nil
}

// childDescriptors makes the child's ends blocking, as programs expect them.
func (w *wires) childDescriptors() []uintptr {
	fds := make([]uintptr, 0, len(w.child))
	for _, file := range w.child {
		fds = append(fds, file.Fd())
	}
	return fds
}

func (w *wires) closeChildEnds() {
	for _, file := range w.child {
		_ = file.Close()
	}
}

func (w *wires) closeOwnEnds() {
	w.input.close()
	for _, file := range []*os.File{w.stdout, w.stderr} {
		if file != nil {
			_ = file.Close()
		}
	}
}
