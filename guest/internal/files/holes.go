// Holes: what is only zeroes takes no space, so that a sparse file of the host is one in the guest.

package files

import (
	"bytes"
	"io"
	"os"
)

const holeBytes = 64 << 10

var noBytes [holeBytes]byte

// copyWithHoles writes size bytes to an empty file, in one pass.
func copyWithHoles(file *os.File, from io.Reader, size int64) error {
	buffer := make([]byte, min(holeBytes, size))
	at, written := int64(0), int64(0)
	for at < size {
		count, err := io.ReadFull(from, buffer[:min(holeBytes, size-at)])
		if err != nil {
			return err
		}
		if !bytes.Equal(buffer[:count], noBytes[:count]) {
			if _, err := file.WriteAt(buffer[:count], at); err != nil {
				return err
			}
			written = at + int64(count)
		}
		at += int64(count)
	}
	if written < size {
		return file.Truncate(size)
	}
	return nil
}
