// Devices of the guest, found by the names that the host gave them, as the kernel announces them.

package boot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// deviceWait bounds the wait for a device that the host has promised.
const deviceWait = 20 * time.Second

// FindPort waits for the virtio-serial port of this name and gives its device.
func FindPort(name string) (string, error) {
	return waitFor("port", "/sys/class/virtio-ports/*/name", name)
}

// diskPattern matches the files that hold the serials of disks.
const diskPattern = "/sys/block/vd*/serial"

// projectSerial names the project's disk.
const projectSerial = "project"

// findDisk waits for the virtio disk with this serial: the order of their names is not guaranteed.
func findDisk(serial string) (string, error) {
	return waitFor("disk", diskPattern, serial)
}

func waitFor(kind, pattern, wanted string) (string, error) {
	// It subscribes before the first look, so that no announcement falls between look and wait.
	events, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return "", fmt.Errorf("listen for devices: %w", err)
	}
	defer unix.Close(events)
	if err := unix.Bind(events, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1}); err != nil {
		return "", fmt.Errorf("listen for devices: %w", err)
	}
	deadline := time.Now().Add(deviceWait)
	buffer := make([]byte, 8<<10)
	for {
		if device := deviceWith(pattern, wanted); device != "" {
			return device, nil
		}
		left := time.Until(deadline)
		if left <= 0 {
			return "", fmt.Errorf("the machine has no %s named %q", kind, wanted)
		}
		timeout := unix.NsecToTimeval(left.Nanoseconds() + int64(time.Millisecond))
		if err := unix.SetsockoptTimeval(events, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
			return "", err
		}
		// What is announced does not matter, nor that some may be lost: it looks again anyway.
		if _, _, err := unix.Recvfrom(events, buffer, 0); err != nil &&
			!errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.ENOBUFS) {
			return "", fmt.Errorf("listen for devices: %w", err)
		}
	}
}

// deviceWith returns the device whose attribute file, matched by pattern, holds the wanted text; empty when none does.
func deviceWith(pattern, wanted string) string {
	paths, _ := filepath.Glob(pattern)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err == nil && strings.TrimSpace(string(text)) == wanted {
			return filepath.Join("/dev", filepath.Base(filepath.Dir(path)))
		}
	}
	return ""
}
