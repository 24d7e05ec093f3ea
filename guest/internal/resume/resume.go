// Resume gives a guest that was booted or restored its own time, entropy and names.

// Package resume makes a restored guest different from the others of its template.
package resume

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Folder holds the files that are bind-mounted over /etc.
const Folder = "/run/pyro/etc"

// Identity is what the host gives a guest.
type Identity struct {
	Now       time.Time
	Entropy   []byte
	Hostname  string
	MachineID string
}

// Apply sets clock, entropy, host name and machine id. The first failure is returned, later steps still run.
func Apply(identity Identity) error {
	var first error
	keep := func(err error) {
		if first == nil {
			first = err
		}
	}
	value := unix.NsecToTimeval(identity.Now.UnixNano())
	keep(unix.Settimeofday(&value))
	keep(addEntropy(identity.Entropy))
	keep(unix.Sethostname([]byte(identity.Hostname)))
	keep(WriteFiles(identity.Hostname, identity.MachineID))
	return first
}

// WriteFiles writes the files that carry the names.
func WriteFiles(hostname, machineID string) error {
	if err := os.MkdirAll(Folder, 0o755); err != nil {
		return err
	}
	files := map[string]string{
		"hostname":    hostname + "\n",
		"machine-id":  machineID + "\n",
		"hosts":       fmt.Sprintf("127.0.0.1 localhost %s\n::1 localhost ip6-localhost\n", hostname),
		"resolv.conf": "",
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(Folder, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// addEntropy credits the bytes and makes the kernel reseed at once: clones of a template share its pool.
func addEntropy(entropy []byte) error {
	file, err := os.OpenFile("/dev/urandom", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	request := make([]byte, 8, 8+len(entropy))
	binary.NativeEndian.PutUint32(request, uint32(len(entropy)*8))
	binary.NativeEndian.PutUint32(request[4:], uint32(len(entropy)))
	request = append(request, entropy...)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, file.Fd(), unix.RNDADDENTROPY, uintptr(unsafe.Pointer(&request[0]))); errno != 0 {
		return errno
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, file.Fd(), unix.RNDRESEEDCRNG, 0); errno != 0 {
		return errno
	}
	return nil
}
