// The guest's own disk: freezing it for a snapshot, and growing its file system.

package boot

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// No binding names these.
const (
	// fiFreeze makes a file system write everything, journal included, and take no more changes.
	fiFreeze     = 0xc0045877
	fiThaw       = 0xc0045878
	ext4Resize   = 0x40086610
	sectorBytes  = 512
	mostFreezing = 10 * time.Second
)

// ErrFrozen is returned when the disk is already frozen.
var ErrFrozen = errors.New("the disk is already frozen")

// Freezer freezes a disk for a bounded time: writers wait meanwhile, perhaps even the agent.
type Freezer struct {
	mu    sync.Mutex
	timer *time.Timer
}

// Freeze lasts until Thaw, or 10 s.
func (f *Freezer) Freeze(disk *os.File) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := unix.IoctlSetInt(int(disk.Fd()), fiFreeze, 0); err != nil {
		if errors.Is(err, unix.EBUSY) {
			return ErrFrozen
		}
		return fmt.Errorf("freeze the disk: %w", err)
	}
	var timer *time.Timer
	timer = time.AfterFunc(mostFreezing, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		// A timer that fired too late to be stopped must not end the next freeze.
		if f.timer == timer {
			_, _ = f.thaw(disk)
		}
	})
	f.timer = timer
	return nil
}

// Thaw reports whether the disk was frozen until now.
func (f *Freezer) Thaw(disk *os.File) (wasFrozen bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.thaw(disk)
}

func (f *Freezer) thaw(disk *os.File) (wasFrozen bool, err error) {
	if f.timer != nil {
		f.timer.Stop()
		f.timer = nil
	}
	err = unix.IoctlSetInt(int(disk.Fd()), fiThaw, 0)
	if errors.Is(err, unix.EINVAL) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("thaw the disk: %w", err)
	}
	return true, nil
}

// Grow makes the file system as large as its disk is now, and returns that size in bytes.
func Grow(disk *os.File) (int64, error) {
	var status unix.Stat_t
	if err := unix.Fstat(int(disk.Fd()), &status); err != nil {
		return 0, err
	}
	var system unix.Statfs_t
	if err := unix.Fstatfs(int(disk.Fd()), &system); err != nil {
		return 0, err
	}
	path := fmt.Sprintf("/sys/dev/block/%d:%d/size", unix.Major(status.Dev), unix.Minor(status.Dev))
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	sectors, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 54)
	if err != nil {
		return 0, err
	}
	blocks := uint64(sectors * sectorBytes / system.Bsize)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, disk.Fd(), ext4Resize, uintptr(unsafe.Pointer(&blocks))); errno != 0 {
		return 0, fmt.Errorf("grow the disk: %w", errno)
	}
	return int64(blocks) * system.Bsize, nil
}
