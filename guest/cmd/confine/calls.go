package main

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Offsets in what a filter sees of a system call.
const (
	callNumber   = 0
	callMachine  = 4
	callArgument = 16
)

const (
	load         = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	isEqual      = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	isAtLeast    = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	hasBits      = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
	answer       = unix.BPF_RET | unix.BPF_K
	otherMachine = 0x40000000 // x32, whose calls have numbers of their own
	refuse       = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	unknown      = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
)

// What no virtual machine needs: other processes, mounts, namespaces, modules, keys, the clock, and doors past this filter.
var refusedCalls = []uint32{
	unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_KCMP, unix.SYS_PIDFD_OPEN,
	unix.SYS_PIDFD_SEND_SIGNAL, unix.SYS_PIDFD_GETFD, unix.SYS_PROCESS_MADVISE, unix.SYS_PROCESS_MRELEASE,
	unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_OPEN_TREE, unix.SYS_MOVE_MOUNT,
	unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_MOUNT_SETATTR,
	unix.SYS_SETNS, unix.SYS_UNSHARE, unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD,
	unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE,
	unix.SYS_DELETE_MODULE, unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD, unix.SYS_REBOOT, unix.SYS_SWAPON,
	unix.SYS_SWAPOFF, unix.SYS_ACCT, unix.SYS_QUOTACTL, unix.SYS_IOPL, unix.SYS_IOPERM, unix.SYS_SYSLOG,
	unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_ADJTIMEX, unix.SYS_CLOCK_ADJTIME,
	unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER,
	unix.SYS_IO_URING_REGISTER, unix.SYS_MODIFY_LDT, unix.SYS_PERSONALITY,
}

// Calls whose first argument names the process that a signal goes to.
var signalCalls = []uint32{unix.SYS_KILL, unix.SYS_TGKILL, unix.SYS_RT_SIGQUEUEINFO, unix.SYS_RT_TGSIGQUEUEINFO}

const newNamespaces = unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP

// callFilter is the list of instructions for the kernel; pid is the number by which the program knows itself.
func callFilter(wanted *spec, pid int) []unix.SockFilter {
	var filter []unix.SockFilter
	add := func(code uint16, value uint32, ifTrue, ifFalse uint8) {
		filter = append(filter, unix.SockFilter{Code: code, K: value, Jt: ifTrue, Jf: ifFalse})
	}
	add(load, callMachine, 0, 0)
	add(isEqual, unix.AUDIT_ARCH_X86_64, 1, 0)
	add(answer, unix.SECCOMP_RET_KILL_PROCESS, 0, 0)
	add(load, callNumber, 0, 0)
	add(isAtLeast, otherMachine, 0, 1)
	add(answer, unknown, 0, 0)
	refuseCall := func(number, value uint32) {
		add(isEqual, number, 0, 1)
		add(answer, value, 0, 0)
	}
	// A call with one argument looked at: its answer depends on the comparison.
	judgeCall := func(number uint32, argument uint32, comparison uint16, value, ifTrue, ifFalse uint32) {
		add(isEqual, number, 0, 4)
		add(load, callArgument+8*argument, 0, 0)
		add(comparison, value, 0, 1)
		add(answer, ifTrue, 0, 0)
		add(answer, ifFalse, 0, 0)
	}
	const allow = unix.SECCOMP_RET_ALLOW
	for _, number := range refusedCalls {
		refuseCall(number, refuse)
	}
	// Its arguments lie in memory, out of a filter's sight. Libraries fall back to the older one.
	refuseCall(unix.SYS_CLONE3, unknown)
	judgeCall(unix.SYS_CLONE, 0, hasBits, newNamespaces, refuse, allow)
	judgeCall(unix.SYS_SOCKET, 0, isEqual, unix.AF_UNIX, allow, refuse)
	if !wanted.Connects {
		refuseCall(unix.SYS_CONNECT, refuse)
	}
	for _, number := range signalCalls {
		judgeCall(number, 0, isEqual, uint32(pid), allow, refuse)
	}
	// Names a thread without its process; the C library musl uses it between its own threads.
	if !wanted.Namespaces && !hasMusl() {
		refuseCall(unix.SYS_TKILL, refuse)
	}
	if wanted.Ram != "" {
		judgeCall(unix.SYS_OPENAT, 2, isEqual, unix.O_RDWR, unix.SECCOMP_RET_USER_NOTIF, allow)
	}
	add(answer, allow, 0, 0)
	return filter
}

func hasMusl() bool {
	_, err := os.Stat("/lib/ld-musl-x86_64.so.1")
	return err == nil
}

// restrictCalls puts the filter in force; it gives the listener for opens that are to be served, or -1.
func restrictCalls(wanted *spec) (int, error) {
	filter := callFilter(wanted, os.Getpid())
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	flags := uintptr(0)
	if wanted.Ram != "" {
		flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
	}
	listener, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return -1, fmt.Errorf("system calls: %w", errno)
	}
	if flags == 0 {
		return -1, nil
	}
	return int(listener), nil
}

// notification of a call that waits for us, and the two answers, as the kernel lays them out.
type notification struct {
	id      uint64
	pid     uint32
	flags   uint32
	number  int32
	machine uint32
	pointer uint64
	args    [6]uint64
}

type response struct {
	id    uint64
	value int64
	errno int32
	flags uint32
}

type gift struct {
	id          uint64
	flags       uint32
	source      uint32
	target      uint32
	targetFlags uint32
}

// serveOpens answers the program's calls to open a file for reading and writing: that of its memory is given read-only,
// any other is the kernel's to judge. QEMU before 8.2 asks for more than a private copy of its memory needs.
func serveOpens(listener, ram, pid int, path string) {
	for {
		var call notification
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(listener), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&call))); errno != 0 {
			if errors.Is(errno, unix.EINTR) || errors.Is(errno, unix.ENOENT) {
				continue
			}
			return
		}
		answer := response{id: call.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
		if pathOf(pid, uintptr(call.args[1]), len(path)+1) == path+"\x00" {
			if descriptor, ok := give(listener, call.id, ram); ok {
				answer = response{id: call.id, value: int64(descriptor)}
			}
		}
		_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(listener), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&answer)))
	}
}

// give puts a file of ours among those of the program, and gives its number there; the answer is sent apart. To do both in
// one call is no way: a signal that ends the call, of which the runtime sends itself many, leaves the program with an
// answer that was never filled in, which is number 0.
func give(listener int, id uint64, source int) (int, bool) {
	for {
		given := gift{id: id, source: uint32(source)}
		descriptor, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(listener), unix.SECCOMP_IOCTL_NOTIF_ADDFD, uintptr(unsafe.Pointer(&given)))
		if errno == 0 {
			return int(descriptor), true
		}
		if !errors.Is(errno, unix.EINTR) {
			return 0, false
		}
	}
}

// pathOf reads what stands at an address of the program. It may lie: it gets nothing that is not its own.
func pathOf(pid int, address uintptr, length int) string {
	buffer := make([]byte, length)
	local := []unix.Iovec{{Base: &buffer[0], Len: uint64(length)}}
	count, err := unix.ProcessVMReadv(pid, local, []unix.RemoteIovec{{Base: address, Len: length}}, 0)
	if err != nil {
		return ""
	}
	return string(buffer[:count])
}
