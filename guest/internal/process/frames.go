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

const (
	headerBytes = 5
	// longestPayload makes a frame with its header as long as a DATA frame of HTTP/2.
	longestPayload = 65536 - headerBytes
)

// Event is what a frame stream reports besides output; which fields are set depends on Event.
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

// Sink is where frames go; Flush sends what was written so far.
type Sink interface {
	io.Writer
	Flush()
}

func putHeader(frame []byte, kind byte, payloadBytes int) {
	frame[0] = kind
	binary.BigEndian.PutUint32(frame[1:headerBytes], uint32(payloadBytes))
}

func writeEvent(w io.Writer, event Event) error {
	payload, err := json.Marshal(event)
	if err != nil {
		return err
	}
	frame := append(make([]byte, headerBytes, headerBytes+len(payload)), payload...)
	putHeader(frame, kindEvent, len(payload))
	_, err = w.Write(frame)
	return err
}

// Attachment is a reader of both streams of a process; output is kept for it until Detach.
type Attachment struct {
	process *Process
	sink    Sink
	frame   []byte
	streams [2]attachedStream
}

type attachedStream struct {
	kind   byte
	name   string
	reader *reader
}

// Attach adds a reader of the output from the given byte offsets on. Its error is a *Refusal when they are ahead of the process.
func (p *Process) Attach(stdout, stderr int64) (*Attachment, error) {
	out, outOK := p.stdout.attach(stdout)
	err, errOK := p.stderr.attach(stderr)
	a := &Attachment{process: p, streams: [2]attachedStream{{kindStdout, "stdout", out}, {kindStderr, "stderr", err}}}
	if !outOK || !errOK {
		a.Detach()
		return nil, refuse("invalid_request", "the process has not written that many bytes")
	}
	return a, nil
}

// Detach ends the attachment; it may be called again.
func (a *Attachment) Detach() {
	for _, s := range a.streams {
		if s.reader != nil {
			s.reader.detach()
		}
	}
}

// Follow writes output as it comes and the exit as the last frame. It ends early with the error of ctx or sink.
func (a *Attachment) Follow(ctx context.Context, sink Sink, isNew bool) error {
	a.sink, a.frame = sink, make([]byte, headerBytes+longestPayload)
	if isNew {
		if err := writeEvent(sink, Event{Event: "started", ID: a.process.id, PID: &a.process.pid}); err != nil {
			return err
		}
	}
	// A new reader learns at once that the stream is open.
	sink.Flush()
	for {
		changed := a.process.watch()
		isDone := a.process.isDone()
		wrote, err := a.copyBatch()
		if err != nil {
			return err
		}
		if wrote {
			continue
		}
		if isDone {
			return writeEvent(sink, a.process.exitEvent())
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// copyBatch writes at most one frame of each stream and flushes them.
func (a *Attachment) copyBatch() (wrote bool, err error) {
	for _, s := range a.streams {
		n, from, to := s.reader.read(a.frame[headerBytes:])
		if from < to {
			wrote = true
			if err := writeEvent(a.sink, Event{Event: "gap", Stream: s.name, From: &from, To: &to}); err != nil {
				return wrote, err
			}
		}
		if n > 0 {
			wrote = true
			putHeader(a.frame, s.kind, n)
			if _, err := a.sink.Write(a.frame[:headerBytes+n]); err != nil {
				return wrote, err
			}
		}
	}
	if !wrote {
		return false, nil
	}
	a.sink.Flush()
	for _, s := range a.streams {
		s.reader.flushed()
	}
	return true, nil
}
