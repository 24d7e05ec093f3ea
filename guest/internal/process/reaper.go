// The reaper waits for every child: tracked ones report their status, orphans that became ours are only buried.

package process

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
)

type reaper struct {
	mu      sync.Mutex
	waiting map[int]func(syscall.WaitStatus)
}

func startReaper() *reaper {
	r := &reaper{waiting: map[int]func(syscall.WaitStatus){}}
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	go func() {
		for range children {
			r.reap()
		}
	}()
	return r
}

// spawn forks under the lock, so that a child that ends at once is known before it is waited for.
func (r *reaper) spawn(path string, argv []string, attr *syscall.ProcAttr, done func(syscall.WaitStatus)) (int, error) {
	r.mu.Lock()
	pid, err := syscall.ForkExec(path, argv, attr)
	if err == nil {
		r.waiting[pid] = done
	}
	r.mu.Unlock()
	// The signal of a child that ended within the lock may have been taken by an earlier round.
	r.reap()
	return pid, err
}

func (r *reaper) reap() {
	for {
		var status syscall.WaitStatus
		r.mu.Lock()
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		done := r.waiting[pid]
		if pid > 0 {
			delete(r.waiting, pid)
		}
		r.mu.Unlock()
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if done != nil {
			done(status)
		}
	}
}
