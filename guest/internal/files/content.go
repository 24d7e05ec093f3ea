// Content of a path, always of exactly the announced length, even if the file changes while it is read.

package files

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// wholeBytes is the size up to which a file is read before its length is announced.
const wholeBytes = 1 << 20

// content is what a path holds.
type content struct {
	// size is how much read returns, in bytes.
	size   int64
	source io.Reader
	file   *os.File
	// isTorn says after reading that the file had changed: bytes are missing or made up.
	isTorn bool
}

// open returns the content of a file or link; anything else is empty.
func (n *node) open() (*content, error) {
	switch n.kind() {
	case "symlink":
		target, err := n.readlink()
		return &content{size: int64(len(target)), source: strings.NewReader(target)}, err
	case "file":
	default:
		return &content{source: strings.NewReader("")}, nil
	}
	fd, err := n.openFile()
	if err != nil {
		return nil, err
	}
	var status unix.Stat_t
	if err := unix.Fstat(fd, &status); err != nil || kindOfStat(status.Mode) != "file" {
		_ = unix.Close(fd)
		return nil, unix.ENOENT
	}
	if status.Size > wholeBytes {
		return &content{size: status.Size, source: descriptor(fd), file: os.NewFile(uintptr(fd), n.name)}, nil
	}
	defer unix.Close(fd)
	whole, err := readWhole(descriptor(fd), status.Size)
	return &content{size: int64(len(whole)), source: bytes.NewReader(whole)}, err
}

// readWhole reads a file of the expected size with a single call if it has that size: there may be very many files.
func readWhole(from descriptor, expected int64) ([]byte, error) {
	buffer := make([]byte, expected+1)
	count, err := from.Read(buffer)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if err != nil || int64(count) == expected {
		return buffer[:count], nil
	}
	rest, err := io.ReadAll(io.LimitReader(from, max(wholeBytes-int64(count), 0)))
	return append(buffer[:count], rest...), err
}

// WriteTo writes exactly size bytes.
func (c *content) WriteTo(w io.Writer) (int64, error) {
	written, err := io.Copy(w, io.LimitReader(&sourceReader{c}, c.size))
	if err != nil {
		return written, err
	}
	if missing := c.size - written; missing > 0 {
		c.isTorn = true
		filled, err := io.Copy(w, io.LimitReader(zeroes{}, missing))
		return written + filled, err
	}
	if c.file != nil {
		var status unix.Stat_t
		c.isTorn = c.isTorn || unix.Fstat(int(c.file.Fd()), &status) != nil || status.Size != c.size
	}
	return written, nil
}

// Close may be called on nil.
func (c *content) Close() {
	if c != nil && c.file != nil {
		// It was only read.
		_ = c.file.Close()
	}
}

// sourceReader takes a failing disk for the end of a file: the host learns that it is torn.
type sourceReader struct{ *content }

func (r *sourceReader) Read(p []byte) (int, error) {
	n, err := r.source.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.isTorn = true
		return n, io.EOF
	}
	return n, err
}

type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
