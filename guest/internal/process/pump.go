// The pump moves a pipe's or terminal's bytes into the kept output until the process is over.

package process

import (
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// hangupWait bounds how long a terminal's last bytes may take to come through, once its leader has ended.
const hangupWait = 500 * time.Millisecond

type pump struct {
	file       *os.File
	out        *output
	isTerminal bool
	// drained is closed when the output holds all that it will ever hold.
	drained chan struct{}
}

func startPump(file *os.File, out *output, isTerminal bool) *pump {
	p := &pump{file: file, out: out, isTerminal: isTerminal, drained: make(chan struct{})}
	go p.run()
	return p
}

// stop makes the pump read what is there now and no more: background children may hold a pipe open forever.
func (p *pump) stop() {
	p.out.lift()
	if p.isTerminal {
		// The kernel hangs a terminal up when its leader ends; the end of file follows the last bytes.
		_ = p.file.SetReadDeadline(time.Now().Add(hangupWait))
		return
	}
	_ = p.file.SetReadDeadline(time.Unix(1, 0))
}

func (p *pump) run() {
	defer p.file.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := p.file.Read(buffer)
		p.out.write(buffer[:max(n, 0)])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			close(p.drained)
			return
		}
	}
	if !p.isTerminal {
		p.takeWaiting(buffer)
	}
	close(p.drained)
	// Background children live on: without a reader their next write would end or block them.
	_ = p.file.SetReadDeadline(time.Time{})
	_, _ = io.CopyBuffer(io.Discard, onlyReader{p.file}, buffer)
}

// takeWaiting reads as much as the pipe holds at this moment, so that a child that never stops writing cannot hold up the exit.
func (p *pump) takeWaiting(buffer []byte) {
	_ = control(p.file, func(fd int) {
		waiting, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
		for err == nil && waiting > 0 {
			var n int
			n, err = unix.Read(fd, buffer[:min(len(buffer), waiting)])
			if n <= 0 {
				return
			}
			p.out.write(buffer[:n])
			waiting -= n
		}
	})
}

// onlyReader hides the file's own ways of copying, which would not use the buffer.
type onlyReader struct{ io.Reader }

// control gives the descriptor without making it blocking, as Fd would.
func control(file *os.File, use func(fd int)) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { use(int(fd)) })
}
