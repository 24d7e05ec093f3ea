package files

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestHolesStayAndDataIsWhole(t *testing.T) {
	for name, content := range map[string][]byte{
		"nothing":    {},
		"all zeroes": make([]byte, 3*holeBytes+7),
		"in between": append(append(make([]byte, 2*holeBytes), "data"...), make([]byte, 4*holeBytes)...),
		"at its end": append(make([]byte, 2*holeBytes+1), 'x'),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			file, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			if err := copyWithHoles(file, bytes.NewReader(content), int64(len(content))); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(path)
			if err != nil || !bytes.Equal(got, content) {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
			var status unix.Stat_t
			if err := unix.Fstat(int(file.Fd()), &status); err != nil || status.Blocks*512 > 2*holeBytes {
				t.Fatalf("%d blocks, %v", status.Blocks, err)
			}
		})
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "short"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if copyWithHoles(file, bytes.NewReader([]byte("ab")), 3) == nil {
		t.Fatal("a file that breaks off was taken for a whole one")
	}
}
