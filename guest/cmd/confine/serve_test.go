package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	openedVariable = "CONFINE_TEST_OPENS"
	openedTimes    = 20_000
)

func TestMain(m *testing.M) {
	if path := os.Getenv(openedVariable); path != "" {
		if err := openAgainAndAgain(path); err != nil {
			fail(err)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// openAgainAndAgain is the program whose opens are served, in a process of its own.
func openAgainAndAgain(path string) error {
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	listener, err := restrictCalls(&spec{Ram: path, Namespaces: true})
	if err != nil {
		return err
	}
	if err := meetOutside(3, listener); err != nil {
		return err
	}
	wrong := 0
	for range openedTimes {
		descriptor, err := unix.Openat(unix.AT_FDCWD, path, unix.O_RDWR, 0)
		var stat unix.Stat_t
		if err != nil || unix.Fstat(descriptor, &stat) != nil || stat.Mode&unix.S_IFMT != unix.S_IFREG {
			wrong++
			continue
		}
		_ = unix.Close(descriptor)
	}
	_, err = os.Stdout.WriteString("wrong: " + strconv.Itoa(wrong) + "\n")
	return err
}

// A signal, of which the runtime sends itself many, ends a call to the kernel that waits: the program must not be told that
// its memory is whatever has number 0.
func TestServedOpensGiveTheFileWhateverSignalsCome(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ram")
	if err := os.WriteFile(path, []byte("memory"), 0o600); err != nil {
		t.Fatal(err)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	program := exec.Command(os.Args[0])
	program.Env = append(os.Environ(), openedVariable+"="+path)
	program.Stdout, program.Stderr = &said, &said
	theirs := os.NewFile(uintptr(pair[1]), "pair")
	program.ExtraFiles = []*os.File{theirs}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	_ = theirs.Close()
	if err := meet(&spec{Ram: path}, pair[0], program.Process.Pid, nil); err != nil {
		t.Fatal(err)
	}
	var isOver atomic.Bool
	go func() {
		for !isOver.Load() {
			tasks, _ := os.ReadDir("/proc/self/task")
			for _, task := range tasks {
				thread, _ := strconv.Atoi(task.Name())
				_ = unix.Tgkill(os.Getpid(), thread, syscall.SIGURG)
			}
		}
	}()
	err = program.Wait()
	isOver.Store(true)
	if err != nil || !strings.Contains(said.String(), "wrong: 0\n") {
		t.Fatalf("%v: %s", err, said.String())
	}
}
