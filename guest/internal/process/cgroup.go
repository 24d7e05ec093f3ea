// Cgroups: one for each process, so that signals reach its grandchildren wherever they have gone.

package process

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// emptyWaitMs bounds the wait for a killed cgroup to become empty, in milliseconds.
const emptyWaitMs = 10_000

// Cgroups is a folder of a cgroup v2 file system. It is held by descriptor: the guest may mount something over its path.
type Cgroups struct {
	root *os.Root
	// ofOne is the most processes and threads of one cgroup, as its file takes it; empty is without a limit.
	ofOne string

	mu sync.Mutex
	// forgotten names cgroups whose process is no longer known but which could not be removed yet.
	forgotten map[string]struct{}
}

// OpenCgroups makes the folder when it is missing and opens it.
func OpenCgroups(folder string) (*Cgroups, error) {
	if err := os.Mkdir(folder, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	return &Cgroups{root: root, forgotten: map[string]struct{}{}}, nil
}

// create makes a cgroup and opens its folder, to start a process in it.
func (c *Cgroups) create(name string) (*os.File, error) {
	if err := c.root.Mkdir(name, 0o755); err != nil {
		return nil, err
	}
	if c.ofOne != "" {
		// A guest that has taken the limits away does without.
		_ = c.root.WriteFile(path.Join(name, pidsMax), []byte(c.ofOne), 0)
	}
	return c.root.Open(name)
}

func (c *Cgroups) kill(name string) error {
	file, err := c.root.OpenFile(path.Join(name, "cgroup.kill"), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.WriteString("1")
	return err
}

// signal signals each process of the cgroup and of those that were made below it.
func (c *Cgroups) signal(name string, number syscall.Signal) {
	for _, folder := range c.tree(name) {
		file, err := c.root.Open(path.Join(folder, "cgroup.procs"))
		if err != nil {
			continue
		}
		text, _ := io.ReadAll(io.LimitReader(file, 1<<20))
		_ = file.Close()
		for _, word := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(word); err == nil && pid > 1 {
				_ = syscall.Kill(pid, number)
			}
		}
	}
}

// tree lists the cgroup and all below it, each before its children.
func (c *Cgroups) tree(name string) []string {
	folders := []string{name}
	for at := 0; at < len(folders) && len(folders) < 1000; at++ {
		folder, err := c.root.Open(folders[at])
		if err != nil {
			continue
		}
		entries, _ := folder.ReadDir(-1)
		_ = folder.Close()
		for _, entry := range entries {
			if entry.IsDir() {
				folders = append(folders, path.Join(folders[at], entry.Name()))
			}
		}
	}
	return folders
}

// remove waits until the cgroup is empty and removes it. What cannot be removed is tried again by sweep.
func (c *Cgroups) remove(name string) {
	c.waitEmpty(name)
	folders := c.tree(name)
	for at := len(folders) - 1; at >= 0; at-- {
		_ = c.root.Remove(folders[at])
	}
	_, err := c.root.Stat(name)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.forgotten[name] = struct{}{}
	} else {
		delete(c.forgotten, name)
	}
}

func (c *Cgroups) isPopulated(name string) bool {
	text, err := c.root.ReadFile(path.Join(name, "cgroup.events"))
	return err == nil && strings.Contains(string(text), "populated 1")
}

func (c *Cgroups) waitEmpty(name string) {
	file, err := c.root.Open(path.Join(name, "cgroup.events"))
	if err != nil {
		return
	}
	defer file.Close()
	buffer := make([]byte, 256)
	for {
		n, err := file.ReadAt(buffer, 0)
		if (err != nil && err != io.EOF) || !strings.Contains(string(buffer[:n]), "populated 1") {
			return
		}
		// The kernel reports a change of this file as a priority event.
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(file.Fd()), Events: unix.POLLPRI}}, emptyWaitMs)
		if ready == 0 || (err != nil && err != unix.EINTR) {
			return
		}
	}
}

// sweep tries to remove again what could not be removed before.
func (c *Cgroups) sweep() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name := range c.forgotten {
		if c.root.Remove(name) == nil {
			delete(c.forgotten, name)
		}
	}
}
