package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// becomeProgram gives up, in order, files, limits, user, rights and system calls, and becomes the program.
func becomeProgram(wanted *spec) error {
	connection := int(wanted.Descriptors)
	unix.CloseOnExec(connection)
	if wanted.Namespaces {
		if err := enterOwnRoot(wanted); err != nil {
			return err
		}
	}
	if err := setLimits(wanted.Limits); err != nil {
		return err
	}
	if err := giveUpRights(wanted); err != nil {
		return err
	}
	if wanted.Landlock {
		if err := restrictFiles(wanted); err != nil {
			return err
		}
	}
	unix.Umask(0o077)
	// The kernel forgets this one when the user changes.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("end with the parent: %w", err)
	}
	listener, err := restrictCalls(wanted)
	if err != nil {
		return err
	}
	if err := meetOutside(connection, listener); err != nil {
		return err
	}
	if err := unix.CloseRange(wanted.Descriptors, ^uint(0)>>1, unix.CLOSE_RANGE_CLOEXEC); err != nil && !errors.Is(err, unix.ENOSYS) {
		return fmt.Errorf("close what is not inherited: %w", err)
	}
	err = unix.Exec(wanted.Line[0], wanted.Line, wanted.Environment)
	return fmt.Errorf("%s: %w", wanted.Line[0], err)
}

// meetOutside hands the listener over and waits until the outer half is ready. One that is gone never is.
func meetOutside(connection, listener int) error {
	var rights []byte
	if listener >= 0 {
		rights = unix.UnixRights(listener)
	}
	word := []byte{1}
	if err := unix.Sendmsg(connection, word, rights, nil, unix.MSG_NOSIGNAL); err != nil {
		return fmt.Errorf("reach the outer half: %w", err)
	}
	count, err := unix.Read(connection, word)
	if err != nil || count == 0 {
		return errors.New("the outer half has ended")
	}
	return nil
}

func setLimits(wanted limits) error {
	for _, each := range []struct {
		kind  int
		value uint64
		isSet bool
	}{
		{unix.RLIMIT_CORE, 0, true},
		{unix.RLIMIT_MEMLOCK, 64 << 10, true},
		{unix.RLIMIT_MSGQUEUE, 0, true},
		{unix.RLIMIT_NOFILE, wanted.OpenFiles, wanted.OpenFiles > 0},
		{unix.RLIMIT_NPROC, wanted.Processes, wanted.Processes > 0},
		{unix.RLIMIT_FSIZE, wanted.FileBytes, wanted.FileBytes > 0},
	} {
		if !each.isSet {
			continue
		}
		var now unix.Rlimit
		if err := unix.Getrlimit(each.kind, &now); err != nil {
			return err
		}
		value := min(each.value, now.Max)
		if err := unix.Setrlimit(each.kind, &unix.Rlimit{Cur: value, Max: value}); err != nil {
			return fmt.Errorf("limit %d: %w", each.kind, err)
		}
	}
	return nil
}

// giveUpRights leaves a process that is nobody in particular, and for good.
func giveUpRights(wanted *spec) error {
	// Without these two a program that is started could get others back; who may not do it has none to get back.
	for right := range uintptr(64) {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, right, 0, 0, 0); errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) {
			break
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no new rights: %w", err)
	}
	if wanted.UID != 0 {
		// The calls of package syscall change all threads of this process.
		if err := unix.Setgroups(wanted.Groups); err != nil {
			return fmt.Errorf("groups: %w", err)
		}
		if err := unix.Setresgid(wanted.UID, wanted.UID, wanted.UID); err != nil {
			return fmt.Errorf("group %d: %w", wanted.UID, err)
		}
		if err := unix.Setresuid(wanted.UID, wanted.UID, wanted.UID); err != nil {
			return fmt.Errorf("user %d: %w", wanted.UID, err)
		}
	}
	_ = unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		return fmt.Errorf("give up rights: %w", err)
	}
	return os.Unsetenv(specVariable)
}
