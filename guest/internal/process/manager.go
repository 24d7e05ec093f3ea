// The manager starts processes and knows them by id until they are forgotten.

package process

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	mostProcesses = 512
	mostArguments = 4096
	leastBuffer   = 64 << 10
	mostBuffer    = 64 << 20
	usualBuffer   = 1 << 20
	usualPath     = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// Manager owns all processes of the guest.
type Manager struct {
	// CgroupRoot is a cgroup v2 folder for one cgroup a process; empty where there is none.
	CgroupRoot string

	reaper *reaper
	mu     sync.Mutex
	known  map[string]*Process
	next   int
}

// NewManager starts the reaper; there is one manager in a program.
func NewManager(cgroupRoot string) *Manager {
	return &Manager{CgroupRoot: cgroupRoot, reaper: startReaper(), known: map[string]*Process{}}
}

// Start starts a process. Its error is a *Refusal when the request cannot be met.
func (m *Manager) Start(request Request) (*Process, error) {
	if len(request.Argv) == 0 || len(request.Argv) > mostArguments || request.Argv[0] == "" {
		return nil, refuse("invalid_request", "argv must have 1 to 4096 words")
	}
	if request.Overflow != "block" && request.Overflow != "drop" {
		return nil, refuse("invalid_request", "overflow must be block or drop")
	}
	who := account{home: "/root", name: "root"}
	if request.User != "" && request.User != "root" && request.User != "0" {
		var err error
		if who, err = findAccount(request.User); err != nil {
			return nil, err
		}
	}
	cwd := request.Cwd
	if cwd == "" {
		cwd = "/"
	}
	if info, err := os.Stat(cwd); err != nil || !info.IsDir() || !filepath.IsAbs(cwd) {
		return nil, refuse("cwd_missing", "no such folder in the guest: "+cwd)
	}
	env, path := environment(request, who)
	program, err := findProgram(request.Argv[0], cwd, path)
	if err != nil {
		return nil, err
	}
	p, err := m.register(request)
	if err != nil {
		return nil, err
	}
	if err := m.launch(p, request, program, cwd, env, who.credential); err != nil {
		m.Forget(p.id)
		return nil, err
	}
	return p, nil
}

func environment(request Request, who account) (env []string, path string) {
	values := map[string]string{"PATH": usualPath, "HOME": who.home, "USER": who.name}
	if request.Terminal != nil {
		values["TERM"] = "xterm-256color"
	}
	for key, value := range request.Env {
		values[key] = value
	}
	for key, value := range values {
		env = append(env, key+"="+value)
	}
	sort.Strings(env)
	return env, values["PATH"]
}

func (m *Manager) register(request Request) (*Process, error) {
	limit := request.BufferBytes
	if limit == 0 {
		limit = usualBuffer
	}
	limit = min(max(limit, leastBuffer), mostBuffer)
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.known) >= mostProcesses {
		return nil, refuse("too_many", fmt.Sprintf("%d processes are known already", mostProcesses))
	}
	m.next++
	p := &Process{id: fmt.Sprintf("p%d", m.next), argv: request.Argv, changes: make(chan struct{})}
	block := request.Overflow == "block"
	p.stdout, p.stderr = newOutput(limit, block, p.changed), newOutput(limit, block, p.changed)
	m.known[p.id] = p
	return p, nil
}

func (m *Manager) launch(p *Process, request Request, program, cwd string, env []string, who *syscall.Credential) error {
	wires, err := connect(p, request)
	if err != nil {
		return err
	}
	defer wires.closeChildEnds()
	attr := &syscall.ProcAttr{Dir: cwd, Env: env, Files: wires.childFds(), Sys: &syscall.SysProcAttr{Setsid: true, Credential: who}}
	if request.Terminal != nil {
		attr.Sys.Setctty, attr.Sys.Ctty = true, 0
	}
	if group, err := m.makeCgroup(p.id); err == nil && group != nil {
		defer group.Close()
		p.cgroup = group.Name()
		attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, int(group.Fd())
	}
	started := make(chan struct{})
	pid, err := m.reaper.spawn(program, request.Argv, attr, func(status syscall.WaitStatus) {
		go func() {
			<-started
			p.finish(status)
		}()
	})
	if err != nil {
		wires.closeOwnEnds()
		return refuse("command_not_executable", fmt.Sprintf("%s cannot be executed in the guest: %v", request.Argv[0], err))
	}
	p.pid = pid
	p.input, p.terminal = wires.input, wires.terminal
	p.pumps = wires.startPumps(p)
	if request.TimeoutMs > 0 {
		p.timer = time.AfterFunc(time.Duration(request.TimeoutMs)*time.Millisecond, p.expire)
	}
	close(started)
	return nil
}

func (m *Manager) makeCgroup(id string) (*os.File, error) {
	if m.CgroupRoot == "" {
		return nil, nil
	}
	folder := filepath.Join(m.CgroupRoot, id)
	if err := os.Mkdir(folder, 0o755); err != nil {
		return nil, err
	}
	return os.Open(folder)
}

// Get finds a process by its id.
func (m *Manager) Get(id string) (*Process, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.known[id]
	return p, ok
}

// List tells of all known processes, oldest first.
func (m *Manager) List() []Info {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]Info, 0, len(m.known))
	for _, p := range m.known {
		list = append(list, p.Info())
	}
	sort.Slice(list, func(a, b int) bool { return list[a].PID < list[b].PID })
	return list
}

// Forget kills whatever of the process still runs and drops its output.
func (m *Manager) Forget(id string) bool {
	m.mu.Lock()
	p, ok := m.known[id]
	delete(m.known, id)
	m.mu.Unlock()
	if !ok {
		return false
	}
	p.stdout.close()
	p.stderr.close()
	if p.pid > 0 {
		p.signalAll(unix.SIGKILL)
	}
	if p.cgroup != "" {
		_ = os.Remove(p.cgroup)
	}
	return true
}

func membersOf(cgroup string) []int {
	if cgroup == "" {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(cgroup, "cgroup.procs"))
	if err != nil {
		return nil
	}
	var pids []int
	for _, word := range strings.Fields(string(text)) {
		if pid, err := strconv.Atoi(word); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
