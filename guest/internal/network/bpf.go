// Catching connections of programs that know no proxy: a program of the kernel's socket look-up hands every TCP
// connection that leaves for another machine, and every DNS datagram, to the agent's own sockets.

package network

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Offsets in struct bpf_sk_lookup.
const (
	familyAt     = 8
	protocolAt   = 12
	localIP4At   = 40
	localIP6At   = 44
	localPortAt  = 60
	firstOfMulti = 224
)

// Helpers of the kernel.
const (
	mapLookup = 1
	skRelease = 86
	skAssign  = 124
)

// Operations, with their operand in a register (X) or in the instruction (K).
const (
	loadWord    = unix.BPF_LDX | unix.BPF_W | unix.BPF_MEM
	storeWord   = unix.BPF_STX | unix.BPF_W | unix.BPF_MEM
	loadWide    = unix.BPF_LD | unix.BPF_IMM | unix.BPF_DW
	move        = unix.BPF_ALU64 | unix.BPF_MOV | unix.BPF_X
	set         = unix.BPF_ALU64 | unix.BPF_MOV | unix.BPF_K
	add         = unix.BPF_ALU64 | unix.BPF_ADD | unix.BPF_K
	and         = unix.BPF_ALU64 | unix.BPF_AND | unix.BPF_K
	or          = unix.BPF_ALU64 | unix.BPF_OR | unix.BPF_X
	ifEqual     = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	ifDifferent = unix.BPF_JMP | unix.BPF_JNE | unix.BPF_K
	ifAtLeast   = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	always      = unix.BPF_JMP | unix.BPF_JA
	call        = unix.BPF_JMP | unix.BPF_CALL
	exit        = unix.BPF_JMP | unix.BPF_EXIT
)

// step is one instruction; label names it, and target the one that a jump goes to.
type step struct {
	label    string
	code     byte
	to, from byte
	offset   int16
	value    int32
	target   string
}

// catcher gives the program. Sockets are entry 0 (TCP) and 1 (DNS datagrams) of the map.
func catcher(mapFd int, own netip.Addr) []step {
	ownRaw := own.As4()
	return []step{
		{code: move, to: 6, from: 1},
		{code: loadWord, to: 7, from: 6, offset: protocolAt},
		{code: loadWord, to: 8, from: 6, offset: familyAt},
		{code: ifEqual, to: 8, value: unix.AF_INET6, target: "six"},

		// IPv4: loopback, the guest's own address and multicast go their usual way.
		{code: loadWord, to: 2, from: 6, offset: localIP4At},
		{code: ifEqual, to: 2, value: int32(binary.LittleEndian.Uint32(ownRaw[:])), target: "pass"},
		{code: and, to: 2, value: 0xff},
		{code: ifEqual, to: 2, value: 127, target: "pass"},
		{code: ifAtLeast, to: 2, value: firstOfMulti, target: "pass"},
		{code: always, target: "judge"},

		// IPv6: multicast, link-local, ::1 and :: go their usual way.
		{label: "six", code: loadWord, to: 2, from: 6, offset: localIP6At},
		{code: move, to: 3, from: 2},
		{code: and, to: 3, value: 0xff},
		{code: ifEqual, to: 3, value: 0xff, target: "pass"},
		{code: ifEqual, to: 3, value: 0xfe, target: "pass"},
		{code: loadWord, to: 3, from: 6, offset: localIP6At + 4},
		{code: or, to: 2, from: 3},
		{code: loadWord, to: 3, from: 6, offset: localIP6At + 8},
		{code: or, to: 2, from: 3},
		{code: loadWord, to: 3, from: 6, offset: localIP6At + 12},
		{code: and, to: 3, value: 0xffffff},
		{code: or, to: 2, from: 3},
		{code: ifEqual, to: 2, value: 0, target: "pass"},

		{label: "judge", code: set, to: 3, value: 0},
		{code: ifEqual, to: 7, value: unix.IPPROTO_TCP, target: "assign"},
		{code: ifDifferent, to: 7, value: unix.IPPROTO_UDP, target: "pass"},
		{code: ifDifferent, to: 8, value: unix.AF_INET, target: "drop"},
		{code: loadWord, to: 2, from: 6, offset: localPortAt},
		{code: ifDifferent, to: 2, value: dnsPort, target: "drop"},
		{code: set, to: 3, value: 1},

		{label: "assign", code: storeWord, to: 10, from: 3, offset: -4},
		{code: loadWide, to: 1, from: unix.BPF_PSEUDO_MAP_FD, value: int32(mapFd)},
		{},
		{code: move, to: 2, from: 10},
		{code: add, to: 2, value: -4},
		{code: call, value: mapLookup},
		{code: ifEqual, to: 0, value: 0, target: "drop"},
		{code: move, to: 7, from: 0},
		{code: move, to: 1, from: 6},
		{code: move, to: 2, from: 7},
		{code: set, to: 3, value: 0},
		{code: call, value: skAssign},
		{code: move, to: 6, from: 0},
		{code: move, to: 1, from: 7},
		{code: call, value: skRelease},
		{code: ifDifferent, to: 6, value: 0, target: "drop"},

		{label: "pass", code: set, to: 0, value: 1},
		{code: exit},
		{label: "drop", code: set, to: 0, value: 0},
		{code: exit},
	}
}

// assemble resolves the jumps.
func assemble(steps []step) []byte {
	at := map[string]int{}
	for index, s := range steps {
		if s.label != "" {
			at[s.label] = index
		}
	}
	var code []byte
	for index, s := range steps {
		if s.target != "" {
			s.offset = int16(at[s.target] - index - 1)
		}
		code = append(code, s.code, s.to|s.from<<4)
		code = binary.LittleEndian.AppendUint16(code, uint16(s.offset))
		code = binary.LittleEndian.AppendUint32(code, uint32(s.value))
	}
	return code
}

// attachCatcher makes the kernel hand connections to the two sockets until the returned file is closed.
func attachCatcher(tcp, udp uintptr) (*os.File, error) {
	sockets, err := bpf(unix.BPF_MAP_CREATE, words(unix.BPF_MAP_TYPE_SOCKMAP, 4, 8, 2))
	if err != nil {
		return nil, fmt.Errorf("make a map of sockets: %w", err)
	}
	defer unix.Close(sockets)
	for index, socket := range []uintptr{tcp, udp} {
		key, value := uint32(index), uint64(socket)
		attr := struct {
			fd, _            uint32
			key, value, flag uint64
		}{uint32(sockets), 0, pointer(unsafe.Pointer(&key)), pointer(unsafe.Pointer(&value)), 0}
		_, err := bpf(unix.BPF_MAP_UPDATE_ELEM, bytesOf(unsafe.Pointer(&attr), unsafe.Sizeof(attr)))
		runtime.KeepAlive(&key)
		runtime.KeepAlive(&value)
		if err != nil {
			return nil, fmt.Errorf("put socket %d into the map: %w", index, err)
		}
	}
	program, err := loadProgram(assemble(catcher(sockets, ownAddress)))
	if err != nil {
		return nil, err
	}
	defer unix.Close(program)
	namespace, err := os.Open("/proc/self/ns/net")
	if err != nil {
		return nil, err
	}
	defer namespace.Close()
	link, err := bpf(unix.BPF_LINK_CREATE, words(uint32(program), uint32(namespace.Fd()), unix.BPF_SK_LOOKUP, 0))
	if err != nil {
		return nil, fmt.Errorf("attach the socket look-up: %w", err)
	}
	return os.NewFile(uintptr(link), "socket-lookup"), nil
}

func loadProgram(code []byte) (int, error) {
	license, report := []byte("MIT\x00"), make([]byte, 16<<10)
	attr := struct {
		kind, count           uint32
		code, license         uint64
		logLevel, logSize     uint32
		log                   uint64
		kernel, flags         uint32
		name                  [16]byte
		interfaceIndex, atype uint32
	}{
		kind: unix.BPF_PROG_TYPE_SK_LOOKUP, count: uint32(len(code) / 8),
		code: pointer(unsafe.Pointer(&code[0])), license: pointer(unsafe.Pointer(&license[0])),
		logLevel: 1, logSize: uint32(len(report)), log: pointer(unsafe.Pointer(&report[0])),
		atype: unix.BPF_SK_LOOKUP,
	}
	program, err := bpf(unix.BPF_PROG_LOAD, bytesOf(unsafe.Pointer(&attr), unsafe.Sizeof(attr)))
	runtime.KeepAlive(code)
	runtime.KeepAlive(license)
	if err != nil {
		said, _, _ := bytes.Cut(report, []byte{0})
		return 0, fmt.Errorf("load the socket look-up: %w: %s", err, said)
	}
	return program, nil
}

func bpf(command uintptr, attr []byte) (int, error) {
	fd, _, errno := unix.Syscall(unix.SYS_BPF, command, uintptr(unsafe.Pointer(&attr[0])), uintptr(len(attr)))
	if errno != 0 {
		return 0, errno
	}
	if command == unix.BPF_MAP_CREATE || command == unix.BPF_PROG_LOAD || command == unix.BPF_LINK_CREATE {
		unix.CloseOnExec(int(fd))
	}
	return int(fd), nil
}

func words(values ...uint32) []byte {
	var raw []byte
	for _, value := range values {
		raw = binary.LittleEndian.AppendUint32(raw, value)
	}
	return raw
}

func pointer(at unsafe.Pointer) uint64 { return uint64(uintptr(at)) }

func bytesOf(at unsafe.Pointer, size uintptr) []byte { return unsafe.Slice((*byte)(at), size) }
