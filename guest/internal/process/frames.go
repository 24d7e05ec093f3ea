// Frames of a process: output and events in one stream, as the host attaches to it.

package process

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
)

// Kinds of frames.
const (
	kindStdout = 1
	kindStderr = 2
	kindEvent  = 3
)

// Event is what a frame stream tells beside output; which fields are set depends on Event.
type Event struct {
	Event       string `json:"event"`
	ID          string `json:"id,omitempty"`
	PID         *int   `json:"pid,omitempty"`
	Stream      string `json:"stream,omitempty"`
	From        *int64 `json:"from,omitempty"`
	To          *int64 `json:"to,omitempty"`
	ExitCode    *int   `json:"exit_code,omitempty"`
	Signal      string `json:"signal,omitempty"`
	TimedOut    *bool  `json:"timed_out,omitempty"`
	StdoutBytes *int64 `json:"stdout_bytes,omitempty"`
	StderrBytes *int64 `json:"stderr_bytes,omitempty"`
}

// Flusher sends what was written so far.
type Flusher interface{ Flush() }

func writeFrame(w io.Writer, kind byte, payload []byte) error {
	frame := make([]byte, 5, 5+len(payload))
	frame[0] = kind
	binary.BigEndian.PutUint32(frame[1:], uint32(len(payload)))
	_, err := w.Write(append(frame, payload...))
	return err
}

func writeEvent(w io.Writer, event Event) error {
	payload, err := json.Marshal(event)
	if err != nil {
		return err
	}
	return writeFrame(w, kindEvent, payload)
}

// Attach writes the process's output from the given offsets on, and its exit as the last frame.
func (p *Process) Attach(ctx context.Context, w io.Writer, flusher Flusher, stdout, stderr int64) error {
	buffer := make([]byte, 60<<10)
	streams := []struct {
		kind   byte
		name   string
		out    *output
		offset int64
	}{{kindStdout, "stdout", p.stdout, stdout}, {kindStderr, "stderr", p.stderr, stderr}}
	for {
		changed := p.watch()
		done := p.isDone()
		wrote := false
		for index := range streams {
			s := &streams[index]
			n, from := s.out.read(buffer, s.offset)
			if end := p.endOf(s.kind); done && from+int64(n) > end {
				// What background children write after the exit is not part of this stream.
				n = int(max(0, end-from))
			}
			if from > s.offset {
				if err := writeEvent(w, Event{Event: "gap", Stream: s.name, From: &s.offset, To: &from}); err != nil {
					return err
				}
				s.offset = from
			}
			if n == 0 {
				continue
			}
			wrote = true
			if err := writeFrame(w, s.kind, buffer[:n]); err != nil {
				return err
			}
			s.offset += int64(n)
			s.out.sent(s.offset)
		}
		if !wrote && done {
			return writeEvent(w, p.exitEvent())
		}
		if wrote {
			flusher.Flush()
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// WriteStarted writes the event that begins the stream of a new process.
func (p *Process) WriteStarted(w io.Writer) error {
	return writeEvent(w, Event{Event: "started", ID: p.id, PID: &p.pid})
}
