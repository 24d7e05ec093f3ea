package main

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

const ownPid = 77

// seen is what the kernel shows a filter of one call.
func seen(machine, number uint32, arguments ...uint64) []byte {
	data := make([]byte, 64)
	binary.NativeEndian.PutUint32(data[callNumber:], number)
	binary.NativeEndian.PutUint32(data[callMachine:], machine)
	for index, each := range arguments {
		binary.NativeEndian.PutUint64(data[callArgument+8*index:], each)
	}
	return data
}

// judge runs a filter as the kernel does.
func judge(t *testing.T, filter []unix.SockFilter, data []byte) uint32 {
	t.Helper()
	var value uint32
	for at := 0; at < len(filter); at++ {
		step := filter[at]
		var holds bool
		switch step.Code {
		case load:
			value = binary.NativeEndian.Uint32(data[step.K:])
			continue
		case answer:
			return step.K
		case isEqual:
			holds = value == step.K
		case isAtLeast:
			holds = value >= step.K
		case hasBits:
			holds = value&step.K != 0
		default:
			t.Fatalf("step %d has code %#x", at, step.Code)
		}
		if holds {
			at += int(step.Jt)
		} else {
			at += int(step.Jf)
		}
	}
	t.Fatal("the filter gives no answer")
	return 0
}

func TestCallFilter(t *testing.T) {
	const allow = uint32(unix.SECCOMP_RET_ALLOW)
	const machine = uint32(unix.AUDIT_ARCH_X86_64)
	all := uint64(1<<64 - 1)
	for _, each := range []struct {
		what string
		data []byte
		want uint32
	}{
		{"read", seen(machine, unix.SYS_READ), allow},
		{"ioctl", seen(machine, unix.SYS_IOCTL), allow},
		{"read of a 32-bit program", seen(unix.AUDIT_ARCH_I386, 3), unix.SECCOMP_RET_KILL_PROCESS},
		{"mount of x32", seen(machine, 0x40000000+unix.SYS_MOUNT), unknown},
		{"ptrace", seen(machine, unix.SYS_PTRACE), refuse},
		{"unshare", seen(machine, unix.SYS_UNSHARE), refuse},
		{"io_uring", seen(machine, unix.SYS_IO_URING_SETUP), refuse},
		{"clone3", seen(machine, unix.SYS_CLONE3), unknown},
		{"a thread", seen(machine, unix.SYS_CLONE, unix.CLONE_VM|unix.CLONE_THREAD|unix.CLONE_SIGHAND), allow},
		{"a namespace", seen(machine, unix.SYS_CLONE, unix.CLONE_NEWUSER), refuse},
		{"a unix socket", seen(machine, unix.SYS_SOCKET, unix.AF_UNIX), allow},
		{"an internet socket", seen(machine, unix.SYS_SOCKET, unix.AF_INET), refuse},
		{"a netlink socket", seen(machine, unix.SYS_SOCKET, unix.AF_NETLINK), refuse},
		{"connect", seen(machine, unix.SYS_CONNECT), refuse},
		{"a signal to itself", seen(machine, unix.SYS_TGKILL, ownPid, 78), allow},
		{"a signal to another", seen(machine, unix.SYS_KILL, 1), refuse},
		{"a signal to all", seen(machine, unix.SYS_KILL, all), refuse},
		{"its memory", seen(machine, unix.SYS_OPENAT, all, 1, unix.O_RDWR), unix.SECCOMP_RET_USER_NOTIF},
		{"a disk", seen(machine, unix.SYS_OPENAT, all, 1, unix.O_RDWR|unix.O_CLOEXEC), allow},
		{"a file to read", seen(machine, unix.SYS_OPENAT, all, 1, unix.O_RDONLY), allow},
	} {
		filter := callFilter(&spec{Ram: "/memory", Namespaces: true}, ownPid)
		if got := judge(t, filter, each.data); got != each.want {
			t.Errorf("%s: %#x, want %#x", each.what, got, each.want)
		}
	}
	open := callFilter(&spec{Connects: true}, ownPid)
	if got := judge(t, open, seen(machine, unix.SYS_CONNECT)); got != allow {
		t.Errorf("connect of one that may: %#x", got)
	}
	if got := judge(t, open, seen(machine, unix.SYS_OPENAT, all, 1, unix.O_RDWR)); got != allow {
		t.Errorf("memory that nobody serves: %#x", got)
	}
	if got := judge(t, open, seen(machine, unix.SYS_TKILL, 1)); got != refuse && !hasMusl() {
		t.Errorf("a signal to a thread outside of namespaces: %#x", got)
	}
}

func TestFileRightsGrowWithTheKernel(t *testing.T) {
	for abi, want := range map[int]uint64{1: 0x1fff, 2: 0x3fff, 3: 0x7fff, 4: 0x7fff, 5: 0xffff, 7: 0xffff} {
		if got := fileRights(abi); got != want {
			t.Errorf("version %d: %#x, want %#x", abi, got, want)
		}
	}
}

func TestReadSpecWantsAProgram(t *testing.T) {
	for _, text := range []string{"", "{", "[]", `{"uid": "x"}`, `{"line": []}`} {
		t.Setenv(specVariable, text)
		if wanted, err := readSpec(); err == nil {
			t.Errorf("%q is taken for %+v", text, wanted)
		}
	}
	t.Setenv(specVariable, `{"line": ["/bin/true"], "uid": 5}`)
	if wanted, err := readSpec(); err != nil || wanted.UID != 5 || wanted.Line[0] != "/bin/true" {
		t.Errorf("%+v, %v", wanted, err)
	}
}
