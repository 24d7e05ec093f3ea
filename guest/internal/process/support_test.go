// Support of the tests: one manager for all, and a sink that takes frames apart.

package process

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// deadline is far above what any step takes; it only keeps a broken test from hanging.
const deadline = 20 * time.Second

var (
	onlyManager  *Manager
	startManager sync.Once
)

func manager(t *testing.T) *Manager {
	t.Helper()
	startManager.Do(func() {
		onlyManager = NewManager(false)
		if cgroups := testCgroups(); cgroups != nil {
			onlyManager.UseCgroups(cgroups)
		}
	})
	return onlyManager
}

// testCgroups finds a writable cgroup v2 file system; nil when this machine offers none.
func testCgroups() *Cgroups {
	for _, folder := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		if _, err := os.Stat(folder + "/cgroup.procs"); err != nil {
			continue
		}
		name, err := os.MkdirTemp(folder, "pyro-test-")
		if err != nil {
			continue
		}
		if cgroups, err := OpenCgroups(name); err == nil {
			return cgroups
		}
	}
	return nil
}

func needsCgroups(t *testing.T) {
	t.Helper()
	if manager(t).cgroups.Load() == nil {
		t.Skip("needs a writable cgroup v2 file system (root)")
	}
}

func needsRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to become another user")
	}
}

// shell is a request for a script.
func shell(script string) Request {
	return Request{Argv: []string{"sh", "-c", script}, Overflow: "block"}
}

func start(t *testing.T, request Request) *Process {
	t.Helper()
	p, err := manager(t).Start(request)
	if err != nil {
		t.Fatalf("start %v: %v", request.Argv, err)
	}
	t.Cleanup(func() { manager(t).Forget(p.id) })
	return p
}

func refusal(t *testing.T, request Request) string {
	t.Helper()
	p, err := manager(t).Start(request)
	if err == nil {
		manager(t).Forget(p.id)
		return ""
	}
	var r *Refusal
	if !errors.As(err, &r) {
		t.Fatalf("not a refusal: %v", err)
	}
	return r.Code
}

// collector is a sink that takes frames apart; onBytes sees output as it comes.
type collector struct {
	pending []byte
	stdout  strings.Builder
	stderr  strings.Builder
	events  []Event
	onBytes func(stdout string) error
	longest int
}

func (c *collector) Flush() {}

func (c *collector) Write(p []byte) (int, error) {
	c.pending = append(c.pending, p...)
	for len(c.pending) >= headerBytes {
		size := int(binary.BigEndian.Uint32(c.pending[1:]))
		if len(c.pending) < headerBytes+size {
			break
		}
		payload := c.pending[headerBytes : headerBytes+size]
		c.longest = max(c.longest, size)
		switch c.pending[0] {
		case kindStdout:
			c.stdout.Write(payload)
		case kindStderr:
			c.stderr.Write(payload)
		case kindEvent:
			var event Event
			if err := json.Unmarshal(payload, &event); err != nil {
				return 0, err
			}
			c.events = append(c.events, event)
		default:
			return 0, errors.New("a frame of unknown kind")
		}
		c.pending = c.pending[headerBytes+size:]
	}
	if c.onBytes != nil {
		if err := c.onBytes(c.stdout.String()); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// follow attaches at offsets and follows to the exit.
func follow(t *testing.T, p *Process, stdout, stderr int64) (*collector, Event) {
	t.Helper()
	c := &collector{}
	return c, followInto(t, p, stdout, stderr, c)
}

func followInto(t *testing.T, p *Process, stdout, stderr int64, c *collector) Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	attachment, err := p.Attach(stdout, stderr)
	if err != nil {
		t.Fatal(err)
	}
	defer attachment.Detach()
	if err := attachment.Follow(ctx, c, true); err != nil {
		t.Fatalf("follow: %v; stdout %q, events %+v", err, tail(c.stdout.String()), c.events)
	}
	if len(c.pending) != 0 {
		t.Fatalf("%d bytes of an unfinished frame", len(c.pending))
	}
	last := c.events[len(c.events)-1]
	if c.events[0].Event != "started" || last.Event != "exit" {
		t.Fatalf("events %+v", c.events)
	}
	return last
}

func tail(text string) string { return text[max(0, len(text)-200):] }

func run(t *testing.T, request Request) (*collector, Event) {
	t.Helper()
	return follow(t, start(t, request), 0, 0)
}

func needsProgram(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skip("needs " + name)
	}
}

// waitUntil waits for a state that nothing announces.
func waitUntil(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(deadline); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("never happened: %s", what)
}

func TestMain(m *testing.M) {
	code := m.Run()
	if onlyManager != nil && onlyManager.cgroups.Load() != nil {
		cgroups := onlyManager.cgroups.Load()
		name := cgroups.root.Name()
		for _, folder := range cgroups.tree(".") {
			if folder != "." {
				cgroups.remove(folder)
			}
		}
		_ = os.Remove(name)
	}
	os.Exit(code)
}
