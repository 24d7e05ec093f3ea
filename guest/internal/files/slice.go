// Slices: a part of a file, by bytes or by lines, whatever the file's size.

package files

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// mostSlice bounds what one answer carries, in bytes.
const mostSlice = 16 << 20

// SliceRequest asks for Length bytes at most, from Offset or from the line StartLine to EndLine.
type SliceRequest struct {
	Path   string
	Length int64
	Offset int64
	// StartLine counts from 1; 0 asks by offset.
	StartLine int64
	// EndLine is the last line wanted; 0 has no end.
	EndLine int64
}

// Slice is what was asked for.
type Slice struct {
	Bytes []byte
	// Size is the file's; for a file made up by the kernel, what is known of it.
	Size   int64
	Mode   uint32
	Offset int64
	// FirstLine is 0 when bytes were asked for.
	FirstLine int64
	IsCut     bool
}

// Read gives a slice of a regular file.
func (r *Store) Read(request SliceRequest) (*Slice, error) {
	path, err := checkPath(request.Path)
	if err != nil {
		return nil, err
	}
	if err := request.check(); err != nil {
		return nil, err
	}
	fd, status, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	slice := &Slice{Mode: status.Mode & 0o7777, Offset: request.Offset, FirstLine: request.StartLine}
	source := io.Reader(descriptor(fd))
	if request.StartLine > 0 {
		source, slice.Offset, err = skipLines(source, request.StartLine-1)
	} else if request.Offset > 0 {
		_, err = unix.Seek(fd, request.Offset, io.SeekStart)
	}
	if err == nil {
		// One more byte tells whether the file continues.
		slice.Bytes, err = io.ReadAll(io.LimitReader(source, request.Length+1))
	}
	if err != nil {
		return nil, explain(err, path)
	}
	known := slice.Offset + int64(len(slice.Bytes))
	if len(slice.Bytes) == 0 {
		known = 0
	}
	slice.Size = max(status.Size, known)
	slice.cut(request)
	return slice, nil
}

func (q SliceRequest) check() error {
	switch {
	case q.Length < 0 || q.Length > mostSlice:
		return refuse("invalid_request", "length must be 0 to %d", mostSlice)
	case q.Offset < 0 || q.StartLine < 0 || q.EndLine < 0:
		return refuse("invalid_request", "offset and lines must not be negative")
	case q.StartLine > 0 && q.Offset > 0, q.EndLine > 0 && q.StartLine == 0:
		return refuse("invalid_request", "give either offset, or lines from start_line")
	case q.EndLine > 0 && q.EndLine < q.StartLine:
		return refuse("invalid_request", "end_line is before start_line")
	}
	return nil
}

// cut removes what is beyond the length and the last line.
func (s *Slice) cut(request SliceRequest) {
	if int64(len(s.Bytes)) > request.Length {
		s.Bytes, s.IsCut = s.Bytes[:request.Length], true
	}
	if request.EndLine == 0 {
		return
	}
	end := 0
	for range request.EndLine - request.StartLine + 1 {
		at := bytes.IndexByte(s.Bytes[end:], '\n')
		if at < 0 {
			return
		}
		end += at + 1
	}
	if end < len(s.Bytes) {
		s.Bytes, s.IsCut = s.Bytes[:end], true
	}
}

// skipLines skips lines and returns what follows, and the offset where that begins.
func skipLines(source io.Reader, lines int64) (io.Reader, int64, error) {
	buffer := make([]byte, 256<<10)
	offset := int64(0)
	for lines > 0 {
		n, err := source.Read(buffer)
		rest := buffer[:n]
		for lines > 0 {
			at := bytes.IndexByte(rest, '\n')
			if at < 0 {
				offset += int64(len(rest))
				rest = nil
				break
			}
			rest = rest[at+1:]
			offset += int64(at) + 1
			lines--
		}
		if lines == 0 {
			return io.MultiReader(bytes.NewReader(rest), source), offset, nil
		}
		if errors.Is(err, io.EOF) {
			return bytes.NewReader(nil), offset, nil
		}
		if err != nil {
			return nil, 0, err
		}
	}
	return source, 0, nil
}

// openRegular opens a regular file and nothing else: opening a device may already do something.
func openRegular(path string) (int, *unix.Stat_t, error) {
	var status unix.Stat_t
	if err := unix.Stat(path, &status); err != nil {
		return -1, nil, explain(err, path)
	}
	if kind := kindOfStat(status.Mode); kind != "file" {
		return -1, nil, notAFile(path, kind)
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return -1, nil, explain(err, path)
	}
	if err := unix.Fstat(fd, &status); err != nil || kindOfStat(status.Mode) != "file" {
		_ = unix.Close(fd)
		return -1, nil, refuse("not_a_file", "%.500q is not a regular file", path)
	}
	return fd, &status, nil
}

// descriptor reads without waiting: a kernel file with nothing to read now counts as ended.
type descriptor int

func (d descriptor) Read(p []byte) (int, error) {
	for {
		n, err := unix.Read(int(d), p[:min(len(p), math.MaxInt32)])
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return 0, io.EOF
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		}
		return n, nil
	}
}
