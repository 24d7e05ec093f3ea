// Boot brings the initramfs up: its file systems, the modules, the loopback interface, the signals.

// Package boot is what the agent does as the first process of a guest.
package boot

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	modulesFolder = "/modules"
	// mostOpenFiles is the limit of descriptors that processes of the guest may raise theirs to.
	mostOpenFiles = 524288
	openFiles     = 65536
)

type mount struct {
	source, target, kind string
	flags                uintptr
	options              string
}

// Prepare mounts /proc, /sys and /dev of the initramfs and loads the modules that the port to the host needs.
func Prepare() error {
	ignoreSignals()
	for _, m := range []mount{
		{"proc", "/proc", "proc", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
		{"sysfs", "/sys", "sysfs", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
		{"dev", "/dev", "devtmpfs", unix.MS_NOSUID, "mode=0755"},
	} {
		if err := m.mount(); err != nil {
			return err
		}
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: openFiles, Max: mostOpenFiles}); err != nil {
		return fmt.Errorf("raise the limit of open files: %w", err)
	}
	if err := loadModules("order"); err != nil {
		return err
	}
	return bringLoopbackUp()
}

// LoadLate loads the modules that nothing needs before activation, and frees their memory in the initramfs.
func LoadLate() error {
	if err := loadModules("late"); err != nil {
		return err
	}
	return os.RemoveAll(modulesFolder)
}

// ignoreSignals keeps the first process alive: by default most signals would end it, and with it the guest.
// They are caught rather than ignored, because ignored signals stay ignored in every child.
func ignoreSignals() {
	signal.Notify(make(chan os.Signal, 1), unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGABRT, unix.SIGUSR1, unix.SIGUSR2,
		unix.SIGALRM, unix.SIGTERM, unix.SIGPWR, unix.SIGIO, unix.SIGVTALRM)
}

func (m mount) mount() error {
	if err := os.MkdirAll(m.target, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(m.source, m.target, m.kind, m.flags, m.options); err != nil {
		return fmt.Errorf("mount %s on %s: %w", m.kind, m.target, err)
	}
	return nil
}

func mountAll(mounts []mount) error {
	for _, m := range mounts {
		if err := m.mount(); err != nil {
			return err
		}
	}
	return nil
}

// loadModules loads the modules listed in a file, one per line, each after those it needs.
func loadModules(list string) error {
	text, err := os.ReadFile(filepath.Join(modulesFolder, list))
	if err != nil {
		return err
	}
	for _, name := range strings.Fields(string(text)) {
		if err := loadModule(filepath.Join(modulesFolder, name)); err != nil {
			return fmt.Errorf("load %s: %w", name, err)
		}
	}
	return nil
}

func loadModule(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := unix.FinitModule(int(file.Fd()), "", 0); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	return nil
}

// Parameter is the value of name= on the kernel's command line; empty when there is none.
func Parameter(name string) string {
	text, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return ""
	}
	return parameterIn(string(text), name)
}

func parameterIn(commandLine, name string) string {
	for _, word := range strings.Fields(commandLine) {
		if value, ok := strings.CutPrefix(word, name+"="); ok {
			return value
		}
	}
	return ""
}

func bringLoopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("bring lo up: %w", err)
	}
	return nil
}
