// The recorder writes changes as frames: kind, length, payload.

package files

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"

	"golang.org/x/sys/unix"
)

// wholeEnd is a ChangeEnd that says that nothing is torn.
var wholeEnd = []byte(`{"torn":false}`)

// recorder writes records as frames.
type recorder struct {
	*bufio.Writer
	ctx        context.Context
	hasContent bool
	// largest is the size up to which a file's content is sent; 0 sends everything.
	largest int64
	records int
	// failure is the connection's.
	failure error
}

// record writes one; a path that has gone meanwhile counts as gone.
func (o *recorder) record(found pair) error {
	before, beforeSide, err := o.side(found.before)
	if err != nil {
		return err
	}
	defer before.Close()
	after, afterSide, err := o.side(found.after)
	if err != nil {
		return err
	}
	defer after.Close()
	o.json(frameHead, ChangeHead{Path: []byte(found.path), Before: beforeSide, After: afterSide})
	isBeforeTorn := o.content(frameBefore, before)
	isAfterTorn := o.content(frameAfter, after)
	o.end(isBeforeTorn || isAfterTorn)
	o.records++
	return o.failure
}

// folded writes a folder with the count of what is below it.
func (o *recorder) folded(path string, n *node, count Fold) error {
	o.json(frameHead, ChangeHead{Path: []byte(path), After: &Side{Type: n.kind(), Mode: n.status.Mode & 0o7777}, Folded: &count})
	o.end(false)
	o.records++
	return o.failure
}

func (o *recorder) side(n *node) (*content, *Side, error) {
	if n == nil {
		return nil, nil, nil
	}
	side := &Side{Type: n.kind(), Mode: n.status.Mode & 0o7777}
	if !o.hasContent {
		if side.Type == "file" || side.Type == "symlink" {
			side.Size = n.status.Size
		}
		return nil, side, nil
	}
	if o.isWithheld(n.kind(), n.status.Size) {
		side.Size, side.Withheld = n.status.Size, true
		return nil, side, nil
	}
	opened, err := n.open()
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ELOOP) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	side.Size = opened.size
	if o.isWithheld(n.kind(), opened.size) {
		// It has grown since it was found.
		opened.Close()
		side.Withheld = true
		return nil, side, nil
	}
	return opened, side, nil
}

func (o *recorder) isWithheld(kind string, size int64) bool {
	return o.largest > 0 && kind == "file" && size > o.largest
}

// content writes a side's bytes and tells whether they are torn.
func (o *recorder) content(kind byte, side *content) bool {
	if side == nil || o.failure != nil {
		return false
	}
	_, o.failure = side.WriteTo(&frameWriter{o, kind})
	return side.isTorn
}

// end ends a record. Nearly all end alike, so that end is not built each time.
func (o *recorder) end(isTorn bool) {
	if isTorn {
		o.json(frameEnd, ChangeEnd{true})
		return
	}
	o.failure = errors.Join(o.failure, o.frame(frameEnd, wholeEnd))
}

func (o *recorder) json(kind byte, value any) {
	payload, err := json.Marshal(value)
	if err == nil {
		err = o.frame(kind, payload)
	}
	o.failure = errors.Join(o.failure, err)
}

func (o *recorder) frame(kind byte, payload []byte) error {
	header := [frameHeaderBytes]byte{kind}
	binary.BigEndian.PutUint32(header[1:], uint32(len(payload)))
	if _, err := o.Write(header[:]); err != nil {
		return err
	}
	_, err := o.Write(payload)
	return err
}

// frameWriter cuts bytes into frames.
type frameWriter struct {
	to   *recorder
	kind byte
}

func (w *frameWriter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		if err := w.to.ctx.Err(); err != nil {
			return len(p) - len(rest), err
		}
		part := rest[:min(len(rest), longestFrame)]
		if err := w.to.frame(w.kind, part); err != nil {
			return len(p) - len(rest), err
		}
		rest = rest[len(part):]
	}
	return len(p), nil
}
