package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// reportDescriptor is where the program's process id is wanted.
const reportDescriptor = 4

const namespaceFlags = syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC |
	syscall.CLONE_NEWUTS | syscall.CLONE_NEWCGROUP

// Rights that the inner half needs before it gives up all of them; only in a namespace of its own do they count.
var innerRights = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SETPCAP}

// runInside starts the inner half, serves it, and waits for its end.
func runInside(wanted *spec) (syscall.WaitStatus, error) {
	var none syscall.WaitStatus
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return none, err
	}
	unix.CloseOnExec(reportDescriptor)
	// What the program inherits, and behind it the inner half's end of the pair.
	files := make([]uintptr, 0, wanted.Descriptors+1)
	for each := range wanted.Descriptors {
		files = append(files, uintptr(each))
	}
	files = append(files, uintptr(pair[1]))
	pid, err := syscall.ForkExec("/proc/self/exe", []string{insideName}, &syscall.ProcAttr{
		Env:   []string{specVariable + "=" + os.Getenv(specVariable)},
		Files: files,
		Sys:   attributes(wanted),
	})
	if err != nil {
		return none, fmt.Errorf("start in namespaces of its own: %w", err)
	}
	_ = unix.Close(pair[1])
	if wanted.Descriptors > 3 {
		_ = unix.Close(3)
	}
	passOn(pid)
	report := os.NewFile(reportDescriptor, "report")
	if err := meet(wanted, pair[0], pid, report); err != nil {
		// It has said on standard error what went wrong, and ends by itself or now.
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	return await(pid)
}

func attributes(wanted *spec) *syscall.SysProcAttr {
	sys := &syscall.SysProcAttr{}
	if wanted.Namespaces {
		sys.Cloneflags = namespaceFlags
	}
	if wanted.UserNamespace {
		sys.Cloneflags |= syscall.CLONE_NEWUSER
		sys.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
		sys.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
		sys.AmbientCaps = innerRights
	}
	return sys
}

// meet waits until the inner half is ready, reports its process id, and lets it go on as the program.
func meet(wanted *spec, connection, pid int, report *os.File) error {
	word, space := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	count, spaceUsed, _, _, err := unix.Recvmsg(connection, word, space, unix.MSG_CMSG_CLOEXEC)
	if err != nil || count == 0 {
		return errors.New("it has ended")
	}
	if wanted.Ram != "" {
		listener, err := receivedDescriptor(space[:spaceUsed])
		if err != nil {
			return err
		}
		ram, err := unix.Open(wanted.Ram, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			fmt.Fprintf(os.Stderr, "confine: %s: %v\n", wanted.Ram, err)
			return err
		}
		go serveOpens(listener, ram, pid, wanted.Ram)
	}
	// Nobody who wants to know is no reason not to start.
	_, _ = fmt.Fprintf(report, "%d\n", pid)
	_ = report.Close()
	_, err = unix.Write(connection, word)
	_ = unix.Close(connection)
	return err
}

func receivedDescriptor(space []byte) (int, error) {
	messages, err := unix.ParseSocketControlMessage(space)
	if err != nil {
		return -1, err
	}
	for _, message := range messages {
		if descriptors, err := unix.ParseUnixRights(&message); err == nil && len(descriptors) == 1 {
			return descriptors[0], nil
		}
	}
	return -1, errors.New("no listener came")
}

// passOn hands signals for us on to the program.
func passOn(pid int) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	go func() {
		for each := range signals {
			if number, ok := each.(syscall.Signal); ok {
				_ = syscall.Kill(pid, number)
			}
		}
	}()
}

func await(pid int) (syscall.WaitStatus, error) {
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(pid, &status, 0, nil)
		if err == nil || !errors.Is(err, syscall.EINTR) {
			return status, err
		}
	}
}
