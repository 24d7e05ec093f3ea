// Equality of two paths: type, mode and content, which is read only where all else is equal.

package files

import (
	"bytes"
	"context"
	"errors"
	"io"

	"golang.org/x/sys/unix"
)

const compareBytes = 256 << 10

// equal says whether a path is unchanged.
func equal(ctx context.Context, a, b *node) (bool, error) {
	if a == nil || b == nil {
		return a == b, nil
	}
	if a == b || a.status.Dev == b.status.Dev && a.status.Ino == b.status.Ino {
		return true, nil
	}
	if a.status.Mode != b.status.Mode && (a.kind() != "symlink" || b.kind() != "symlink") {
		return false, nil
	}
	switch a.kind() {
	case "file":
		if a.status.Size != b.status.Size {
			return false, nil
		}
		return equalFiles(ctx, a, b)
	case "symlink":
		first, err := a.readlink()
		if err != nil {
			return false, err
		}
		second, err := b.readlink()
		return first == second, err
	case "directory":
		return true, nil
	}
	return a.status.Rdev == b.status.Rdev, nil
}

func equalFiles(ctx context.Context, a, b *node) (bool, error) {
	first, err := a.openFile()
	if err != nil {
		return false, err
	}
	defer unix.Close(first)
	second, err := b.openFile()
	if err != nil {
		return false, err
	}
	defer unix.Close(second)
	one, two := make([]byte, compareBytes), make([]byte, compareBytes)
	for {
		// The caller may have gone, and a file may be as large as the disk.
		if err := ctx.Err(); err != nil {
			return false, err
		}
		n, firstErr := io.ReadFull(descriptor(first), one)
		m, secondErr := io.ReadFull(descriptor(second), two)
		if !bytes.Equal(one[:n], two[:m]) {
			return false, nil
		}
		if isEnd(firstErr) && isEnd(secondErr) {
			return true, nil
		}
		if err := errors.Join(firstErr, secondErr); err != nil {
			return false, err
		}
	}
}

func isEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
