// The pump moves a pipe's or terminal's bytes into the kept output and can be asked to drain what is there now.

package process

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pump reads file until its end. After each call of drain it closes one of the channels it hands back.
type pump struct {
	file    *os.File
	out     *output
	drained chan struct{}
}

func startPump(file *os.File, out *output) *pump {
	p := &pump{file: file, out: out, drained: make(chan struct{})}
	go p.run()
	return p
}

// drain interrupts the wait for more bytes: background children may hold the pipe open for ever.
func (p *pump) drain() { _ = p.file.SetReadDeadline(time.Unix(1, 0)) }

func (p *pump) run() {
	isDrained := false
	finish := func() {
		if !isDrained {
			isDrained = true
			close(p.drained)
		}
	}
	defer finish()
	defer p.file.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := p.file.Read(buffer)
		p.out.write(buffer[:max(n, 0)])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			_ = p.file.SetReadDeadline(time.Time{})
			if !p.empty(buffer) {
				return
			}
			finish()
			continue
		}
		if err != nil {
			return
		}
	}
}

// empty reads without waiting; false at the stream's end.
func (p *pump) empty(buffer []byte) bool {
	raw, err := p.file.SyscallConn()
	if err != nil {
		return false
	}
	for {
		var n int
		var readErr error
		if err := raw.Read(func(fd uintptr) bool {
			n, readErr = unix.Read(int(fd), buffer)
			return true
		}); err != nil {
			return false
		}
		switch {
		case n > 0:
			p.out.write(buffer[:n])
		case readErr == syscall.EAGAIN:
			return true
		case readErr != syscall.EINTR:
			return false
		}
	}
}
