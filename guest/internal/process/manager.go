// The manager knows processes by id, from their start until they are dropped.

package process

import (
	"fmt"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	mostProcesses   = 512
	mostArguments   = 4096
	longestArgument = 128 << 10
	leastBuffer     = 64 << 10
	mostBuffer      = 64 << 20
	usualBuffer     = 1 << 20
	// mostToldArgv bounds the argv of an Info in bytes, so that a list of all processes stays below 1 MiB.
	mostToldArgv = 1 << 10
)

// Manager owns all processes of the guest.
type Manager struct {
	reaper  *reaper
	cgroups atomic.Pointer[Cgroups]

	mu       sync.Mutex
	known    map[string]*Process
	starting int
	next     int
}

// NewManager starts the reaper; there is one manager in a program. takesOrphans is for the first process of a
// guest: it also waits for children that others left behind.
func NewManager(takesOrphans bool) *Manager {
	m := &Manager{known: map[string]*Process{}}
	m.reaper = startReaper(takesOrphans, func() {
		if cgroups := m.cgroups.Load(); cgroups != nil {
			cgroups.sweep()
		}
	})
	return m
}

// UseCgroups gives later processes a cgroup each; without it only their session is known.
func (m *Manager) UseCgroups(cgroups *Cgroups) { m.cgroups.Store(cgroups) }

// Start starts a process. Its error is a *Refusal when the request cannot be met.
func (m *Manager) Start(request Request) (*Process, error) {
	if err := check(request); err != nil {
		return nil, err
	}
	who, err := findAccount(request.User)
	if err != nil {
		return nil, err
	}
	cwd, err := findFolder(request.Cwd, request.MakeCwd)
	if err != nil {
		return nil, err
	}
	env, path := environment(request, who)
	program, err := findProgram(request.Argv[0], cwd, path)
	if err != nil {
		return nil, err
	}
	p, err := m.prepare(request)
	if err != nil {
		return nil, err
	}
	err = p.launch(request, program, cwd, env, who.credential)
	m.mu.Lock()
	m.starting--
	if err == nil {
		m.known[p.id] = p
	}
	m.mu.Unlock()
	if err != nil {
		p.discard()
		return nil, err
	}
	return p, nil
}

func check(request Request) error {
	if len(request.Argv) == 0 || len(request.Argv) > mostArguments || request.Argv[0] == "" {
		return refuse("invalid_request", "argv must have 1 to 4096 words, the first not empty")
	}
	for _, word := range request.Argv {
		if len(word) > longestArgument || strings.ContainsRune(word, 0) {
			return refuse("invalid_request", "a word of argv is longer than 128 KiB or contains a zero byte")
		}
	}
	for key, value := range request.Env {
		if key == "" || strings.ContainsAny(key, "=\x00") || strings.ContainsRune(value, 0) {
			return refuse("invalid_request", fmt.Sprintf("%.100q is not a valid environment variable", key))
		}
	}
	switch {
	case request.Overflow != "block" && request.Overflow != "drop":
		return refuse("invalid_request", "overflow must be block or drop")
	case request.BufferBytes != 0 && (request.BufferBytes < leastBuffer || request.BufferBytes > mostBuffer):
		return refuse("invalid_request", "buffer_bytes must be 64 KiB to 64 MiB")
	case request.TimeoutMs < 0 || request.TimeoutMs > longestTimeoutMs:
		return refuse("invalid_request", "timeout_ms is out of range")
	}
	return nil
}

// prepare reserves a slot; the process is known only once it runs.
func (m *Manager) prepare(request Request) (*Process, error) {
	limit := request.BufferBytes
	if limit == 0 {
		limit = usualBuffer
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.known)+m.starting >= mostProcesses {
		return nil, refuse("too_many", fmt.Sprintf("%d processes run in this guest, which is its limit", mostProcesses))
	}
	m.next++
	p := &Process{id: fmt.Sprintf("p%d", m.next), number: m.next, argv: toldArgv(request.Argv), reaper: m.reaper, cgroups: m.cgroups.Load()}
	block := request.Overflow == "block"
	p.stdout, p.stderr = newOutput(limit, block, p.changed), newOutput(limit, block, p.changed)
	m.starting++
	return p, nil
}

// toldArgv cuts a long command line; the process itself gets all of it.
func toldArgv(argv []string) []string {
	told := make([]string, 0, min(len(argv), 64))
	left := mostToldArgv
	for _, word := range argv {
		if left <= 0 {
			return append(told, "…")
		}
		if len(word) > left {
			word = strings.ToValidUTF8(word[:left], "") + "…"
		}
		// What a word costs besides its letters.
		left -= len(word) + 3
		told = append(told, word)
	}
	return told
}

// Get finds a process by its id.
func (m *Manager) Get(id string) (*Process, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.known[id]
	return p, ok
}

// List describes all known processes, oldest first.
func (m *Manager) List() []Info {
	m.mu.Lock()
	processes := make([]*Process, 0, len(m.known))
	for _, p := range m.known {
		processes = append(processes, p)
	}
	m.mu.Unlock()
	sort.Slice(processes, func(a, b int) bool { return processes[a].number < processes[b].number })
	list := make([]Info, 0, len(processes))
	for _, p := range processes {
		list = append(list, p.Info())
	}
	return list
}

// Leave drops the output of a process whose leader has ended, and lets the rest of it run on; false when the id is not
// known. One whose leader runs is killed, as by Forget: nobody could end it any more.
func (m *Manager) Leave(id string) bool {
	p, ok := m.take(id)
	if ok && p.isDone() {
		p.letGo()
	} else if ok {
		p.discard()
	}
	return ok
}

// Forget kills whatever of the process still runs and drops its output; false when the id is not known.
func (m *Manager) Forget(id string) bool {
	p, ok := m.take(id)
	if ok {
		p.discard()
	}
	return ok
}

// take makes a process unknown and returns it, so that it is dropped only once.
func (m *Manager) take(id string) (*Process, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.known[id]
	delete(m.known, id)
	return p, ok
}
