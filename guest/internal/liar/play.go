//go:build liar

// What a script has sent is played: bytes, files, frames of HTTP/2, and repetitions without an end.

package liar

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// player sends parts to one place.
type player struct {
	ctx context.Context
	// folder is where the script has its files.
	folder string
	out    io.Writer
	flush  func()
	// ack answers the hello of this connection.
	ack []byte
	// own is the stream of the request, next the first that was not used.
	own, next uint32
	number    int
}

func (p *player) play(parts []Part) error {
	for _, part := range parts {
		if err := p.ctx.Err(); err != nil {
			return err
		}
		if err := p.one(part); err != nil {
			return err
		}
	}
	return nil
}

func (p *player) one(part Part) error {
	switch {
	case part.Text != "":
		return p.write([]byte(p.numbered(part.Text)))
	case part.Base64 != nil:
		return p.write(part.Base64)
	case part.Ack:
		return p.write(p.ack)
	case part.File != "":
		return p.file(part.File)
	case part.Fill > 0:
		return p.fill(part.Fill)
	case part.Frame != nil:
		return p.frame(*part.Frame)
	case part.Repeat != nil:
		return p.repeat(part)
	}
	return p.pause(part.PauseMs)
}

func (p *player) numbered(text string) string {
	if !strings.Contains(text, "%08d") {
		return text
	}
	return strings.ReplaceAll(text, "%08d", fmt.Sprintf("%08d", p.number))
}

func (p *player) write(b []byte) error {
	_, err := p.out.Write(b)
	return err
}

func (p *player) file(name string) error {
	file, err := os.Open(filepath.Join(p.folder, filepath.Base(name)))
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(p.out, file)
	return err
}

func (p *player) fill(bytes int64) error {
	zeros := make([]byte, 256<<10)
	for bytes > 0 {
		piece := min(bytes, int64(len(zeros)))
		if err := p.write(zeros[:piece]); err != nil {
			return err
		}
		bytes -= piece
	}
	return nil
}

func (p *player) repeat(part Part) error {
	before := p.number
	defer func() { p.number = before }()
	for turn := 0; part.Count == 0 || turn < part.Count; turn++ {
		p.number = turn
		if err := p.play(part.Repeat); err != nil {
			return err
		}
		if part.PauseMs > 0 {
			p.flush()
			if err := p.pause(part.PauseMs); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *player) pause(ms int) error {
	select {
	case <-p.ctx.Done():
		return p.ctx.Err()
	case <-time.After(time.Duration(ms) * time.Millisecond):
		return nil
	}
}

// gathered takes what a frame's payload is made of.
type gathered struct{ bytes []byte }

func (g *gathered) Write(b []byte) (int, error) {
	g.bytes = append(g.bytes, b...)
	return len(b), nil
}

func (p *player) frame(frame Frame) error {
	stream := uint32(0)
	switch frame.Stream {
	case "":
	case "own":
		stream = p.own
	case "next":
		stream = p.next
		p.next += 2
	case "last":
		stream = p.next - 2
	default:
		number, err := strconv.ParseUint(frame.Stream, 10, 31)
		if err != nil {
			return err
		}
		stream = uint32(number)
	}
	payload := &gathered{bytes: make([]byte, 9)}
	inner := &player{ctx: p.ctx, folder: p.folder, out: payload, flush: func() {}, own: p.own, next: p.next, number: p.number}
	if err := inner.play(frame.Payload); err != nil {
		return err
	}
	length := len(payload.bytes) - 9
	if frame.Length != nil {
		length = *frame.Length
	}
	head := payload.bytes
	head[0], head[1], head[2] = byte(length>>16), byte(length>>8), byte(length)
	head[3], head[4] = frame.Type, frame.Flags
	binary.BigEndian.PutUint32(head[5:], stream)
	return p.write(payload.bytes)
}
