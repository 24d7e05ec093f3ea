// Launching: file descriptors, session, cgroup and user of a new process, and the fork itself.

package process

import (
	"errors"
	"fmt"
	"os"
	"sort"
	"syscall"
	"time"
)

const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environment adds what every program expects to the requested variables.
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

func (p *Process) launch(request Request, program, cwd string, env []string, who *syscall.Credential) error {
	wires, err := connect(request, who)
	if err != nil {
		return err
	}
	defer wires.closeChildEnds()
	attr := &syscall.ProcAttr{
		Dir: cwd, Env: env, Files: wires.childDescriptors(),
		Sys: &syscall.SysProcAttr{Setsid: true, Setctty: request.Terminal != nil, Credential: who},
	}
	if p.cgroups != nil {
		// A guest that has broken its own cgroups still gets its processes, known by session only.
		if folder, err := p.cgroups.create(p.id); err == nil {
			defer folder.Close()
			p.hasCgroup = true
			attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, int(folder.Fd())
		}
	}
	launched := make(chan struct{})
	pid, err := p.reaper.spawn(program, request.Argv, attr, func(status syscall.WaitStatus) {
		<-launched
		p.finish(status)
	})
	if err != nil {
		wires.closeOwnEnds()
		return launchRefusal(request.Argv[0], err)
	}
	p.pid = pid
	p.input, p.terminal = wires.input, wires.terminal
	p.pumps = append(p.pumps, startPump(wires.stdout, p.stdout, wires.terminal != nil))
	if wires.stderr != nil {
		p.pumps = append(p.pumps, startPump(wires.stderr, p.stderr, false))
	}
	if request.TimeoutMs > 0 {
		p.timer = time.AfterFunc(time.Duration(request.TimeoutMs)*time.Millisecond, p.expire)
	}
	close(launched)
	return nil
}

func launchRefusal(name string, err error) error {
	switch {
	case errors.Is(err, syscall.E2BIG):
		return refuse("invalid_request", "argv and env together are longer than the guest's kernel allows")
	case errors.Is(err, syscall.ENOENT):
		// The file itself was found a moment ago.
		return refuse("command_not_executable", fmt.Sprintf("%.200s needs an interpreter that the guest does not have", name))
	case errors.Is(err, syscall.EAGAIN):
		return refuse("too_many", "as many processes and threads run in the guest as it may have")
	case errors.Is(err, syscall.ENOMEM), errors.Is(err, syscall.EMFILE):
		return fmt.Errorf("start %.200s: %w", name, err)
	}
	return refuse("command_not_executable", fmt.Sprintf("%.200s cannot be executed in the guest: %v", name, err))
}

func findFolder(cwd string, mayMake bool) (string, error) {
	if cwd == "" {
		return "/", nil
	}
	if cwd[0] != '/' {
		return "", refuse("invalid_request", "cwd must be absolute")
	}
	info, err := os.Stat(cwd)
	if errors.Is(err, os.ErrNotExist) && mayMake {
		if err := os.MkdirAll(cwd, 0o755); err != nil {
			return "", refuse("cwd_missing", fmt.Sprintf("the folder %.200s could not be made in the guest: %v", cwd, err))
		}
		return cwd, nil
	}
	if err != nil || !info.IsDir() {
		return "", refuse("cwd_missing", fmt.Sprintf("no such folder in the guest: %.200s", cwd))
	}
	return cwd, nil
}
