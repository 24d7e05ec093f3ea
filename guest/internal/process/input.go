// Standard input: one writer at a time, at the pace of the process, given up when the writer's request ends.

package process

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

// endOfTransmission is what a terminal turns into an end of file.
const endOfTransmission = 4

type input struct {
	file       *os.File
	isTerminal bool
	// turn holds one token: writers take turns.
	turn   chan struct{}
	mu     sync.Mutex
	closed bool
}

func newInput(file *os.File, isTerminal bool) *input {
	return &input{file: file, isTerminal: isTerminal, turn: make(chan struct{}, 1)}
}

// close makes later writes fail; a terminal's file belongs to its pump. A nil input is always closed.
func (i *input) close() {
	if i == nil {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.closed && !i.isTerminal {
		_ = i.file.Close()
	}
	i.closed = true
}

func (i *input) isClosed() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.closed
}

// Feed copies body to the standard input, at the pace in which the process reads, and closes that afterwards if
// eof is set. It gives the count of bytes taken. Its error is a *Refusal when the process reads no more, else that of ctx or body.
func (p *Process) Feed(ctx context.Context, body io.Reader, eof bool) (int64, error) {
	i := p.input
	if i == nil {
		return 0, refuse("stdin_closed", "the process has no standard input")
	}
	select {
	case i.turn <- struct{}{}:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	defer func() { <-i.turn }()
	stop := context.AfterFunc(ctx, func() { _ = i.file.SetWriteDeadline(time.Unix(1, 0)) })
	defer func() {
		if !stop() {
			_ = i.file.SetWriteDeadline(time.Time{})
		}
	}()
	taken, err := i.copy(body)
	if err == nil && ctx.Err() == nil && eof {
		err = i.finish()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = context.Cause(ctx)
	}
	return taken, err
}

func (i *input) copy(body io.Reader) (int64, error) {
	buffer := make([]byte, 32<<10)
	taken := int64(0)
	for {
		if i.isClosed() {
			return taken, refuse("stdin_closed", "the process has closed its standard input")
		}
		n, readErr := body.Read(buffer)
		written, err := i.file.Write(buffer[:n])
		taken += int64(max(written, 0))
		switch {
		case errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.EIO), errors.Is(err, os.ErrClosed):
			return taken, refuse("stdin_closed", "the process has closed its standard input")
		case err != nil:
			return taken, err
		case readErr == io.EOF:
			return taken, nil
		case readErr != nil:
			return taken, readErr
		}
	}
}

func (i *input) finish() error {
	if i.isTerminal {
		_, err := i.file.Write([]byte{endOfTransmission})
		return err
	}
	i.close()
	return nil
}
