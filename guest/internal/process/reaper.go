// The reaper waits for children: tracked ones report their status, orphans that became ours are only buried.

package process

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
)

type reaper struct {
	// takesOrphans tells that children which nobody tracks are ours too, as they are for the first process.
	takesOrphans bool
	orphanGone   func()

	mu      sync.Mutex
	waiting map[int]func(syscall.WaitStatus)
}

func startReaper(takesOrphans bool, orphanGone func()) *reaper {
	r := &reaper{takesOrphans: takesOrphans, orphanGone: orphanGone, waiting: map[int]func(syscall.WaitStatus){}}
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
// done runs on a goroutine of its own.
func (r *reaper) spawn(path string, argv []string, attr *syscall.ProcAttr, done func(syscall.WaitStatus)) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pid, err := syscall.ForkExec(path, argv, attr)
	if err == nil {
		r.waiting[pid] = done
	}
	return pid, err
}

// kill signals a tracked child, or its process group when pid is negative. A child that has been waited for is
// left alone: its number may be another's by now.
func (r *reaper) kill(pid int, number syscall.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, isOurs := r.waiting[max(pid, -pid)]; isOurs {
		_ = syscall.Kill(pid, number)
	}
}

func (r *reaper) reap() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.takesOrphans {
		for r.wait(-1) {
		}
		return
	}
	for pid := range r.waiting {
		r.wait(pid)
	}
}

func (r *reaper) wait(pid int) bool {
	var status syscall.WaitStatus
	got, err := syscall.Wait4(pid, &status, syscall.WNOHANG, nil)
	if err == syscall.EINTR {
		return true
	}
	if err != nil || got <= 0 {
		return false
	}
	done, isTracked := r.waiting[got]
	delete(r.waiting, got)
	if isTracked {
		go done(status)
	} else {
		go r.orphanGone()
	}
	return true
}
