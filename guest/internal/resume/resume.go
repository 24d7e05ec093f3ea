// Resume gives a guest that was booted or restored its own time, entropy and names.

// Package resume makes a restored guest different from the others made from its template.
package resume

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Identity is what the host gives a guest.
type Identity struct {
	Now      time.Time
	Entropy  []byte
	Hostname string
	// MachineID is 32 lower case hexadecimal digits.
	MachineID string
}

// Resumer keeps a guest's names, and the files that carry them once there are any.
type Resumer struct {
	random *os.File

	mu       sync.Mutex
	identity Identity
	files    map[string]*os.File
}

// New opens the kernel's random device, by descriptor for good: the guest may put something else at its path.
func New() (*Resumer, error) {
	random, err := os.OpenFile("/dev/urandom", os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	return &Resumer{random: random}, nil
}

// Apply sets clock, entropy, host name and machine id. All steps run; their errors are joined.
func (r *Resumer) Apply(identity Identity) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.identity = identity
	now := unix.NsecToTimeval(identity.Now.UnixNano())
	return errors.Join(
		wrap("set the clock", unix.Settimeofday(&now)),
		wrap("add entropy", r.addEntropy(identity.Entropy)),
		wrap("set the host name", unix.Sethostname([]byte(identity.Hostname))),
		r.writeNames(),
	)
}

// UseFiles tells which open files carry the names from now on, by their names in /etc, and writes them.
func (r *Resumer) UseFiles(files map[string]*os.File) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.files = files
	return r.writeNames()
}

func (r *Resumer) writeNames() error {
	for name, content := range contents(r.identity) {
		file, ok := r.files[name]
		if !ok {
			continue
		}
		if err := errors.Join(file.Truncate(0), writeAt(file, content)); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

// contents are the files of /etc that follow from the names.
func contents(identity Identity) map[string]string {
	return map[string]string{
		"hostname":   identity.Hostname + "\n",
		"machine-id": identity.MachineID + "\n",
		"hosts": "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t" +
			identity.Hostname + "\n",
	}
}

func writeAt(file *os.File, content string) error {
	_, err := file.WriteAt([]byte(content), 0)
	return err
}

// addEntropy credits the bytes and makes the kernel reseed at once: clones of a template share its pool.
func (r *Resumer) addEntropy(entropy []byte) error {
	request := make([]byte, 8, 8+len(entropy))
	binary.NativeEndian.PutUint32(request, uint32(len(entropy)*8))
	binary.NativeEndian.PutUint32(request[4:], uint32(len(entropy)))
	request = append(request, entropy...)
	fd := r.random.Fd()
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, unix.RNDADDENTROPY, uintptr(unsafe.Pointer(&request[0]))); errno != 0 {
		return errno
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, unix.RNDRESEEDCRNG, 0); errno != 0 {
		return errno
	}
	return nil
}

func wrap(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
