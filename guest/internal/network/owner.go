// Which process of the agent's a connection comes from: by the kernel's socket table and the processes' cgroups.

package network

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

const (
	// mostLooked bounds one search: the answer is a hint for the log, and a guest may have any number of sockets.
	mostLooked     = 20_000
	cgroupFolder   = "/sys/fs/cgroup/pyro"
	longestTable   = 4 << 20
	inodeField     = 9
	localPartField = 1
)

// owners looks for processes. Searches that come at once share one: each would look at all sockets.
type owners struct {
	// searching lets one search run at a time, so that the next one gathers.
	searching sync.Mutex
	mu        sync.Mutex
	next      *search
}

// search is one look at everything.
type search struct {
	once  sync.Once
	found map[string]string
}

// of gives the id of the process that holds the other end of a local connection; empty when it is not found.
func (o *owners) of(conn net.Conn) string {
	client, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return ""
	}
	// A search that has not begun will meet this connection, too.
	o.mu.Lock()
	if o.next == nil {
		o.next = &search{}
	}
	mine := o.next
	o.mu.Unlock()
	mine.once.Do(func() {
		o.searching.Lock()
		defer o.searching.Unlock()
		o.mu.Lock()
		o.next = nil
		o.mu.Unlock()
		mine.found = processesBySocket()
	})
	address := client.Addr().Unmap()
	if address.Is4() {
		if process, ok := mine.found["tcp "+tableForm(address, client.Port())]; ok {
			return process
		}
	}
	return mine.found["tcp "+tableForm(netip.AddrFrom16(address.As16()), client.Port())]
}

// processesBySocket maps protocols and local addresses, as the kernel's tables write them, to processes. A socket that
// has no address stands for that of its port; of a raw one, the protocol is the port.
func processesBySocket() map[string]string {
	byInode := processesByInode()
	found := map[string]string{}
	for _, protocol := range []string{"tcp", "udp", "raw"} {
		for _, table := range []string{protocol, protocol + "6"} {
			file, err := os.Open("/proc/self/net/" + table)
			if err != nil {
				continue
			}
			addSockets(found, protocol+" ", io.LimitReader(file, longestTable), byInode)
			_ = file.Close()
		}
	}
	return found
}

func addSockets(found map[string]string, protocol string, table io.Reader, byInode map[string]string) {
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) <= inodeField {
			continue
		}
		if process, ok := byInode[fields[inodeField]]; ok {
			local := fields[localPartField]
			found[protocol+local] = process
			// A datagram's address is chosen when it is sent, so the port has to do.
			found[protocol+local[strings.LastIndexByte(local, ':'):]] = process
		}
	}
}

func processesByInode() map[string]string {
	byInode, looked := map[string]string{}, 0
	folders, _ := filepath.Glob(cgroupFolder + "/*/cgroup.procs")
	for _, folder := range folders {
		process := filepath.Base(filepath.Dir(folder))
		pids, _ := os.ReadFile(folder)
		for pid := range strings.FieldsSeq(string(pids)) {
			descriptors, _ := os.ReadDir("/proc/" + pid + "/fd")
			for _, descriptor := range descriptors {
				if looked++; looked > mostLooked {
					return byInode
				}
				link, _ := os.Readlink("/proc/" + pid + "/fd/" + descriptor.Name())
				if inode, ok := strings.CutPrefix(link, "socket:["); ok {
					byInode[strings.TrimSuffix(inode, "]")] = process
				}
			}
		}
	}
	return byInode
}

// portForm stands for all addresses of a port.
func portForm(port uint16) string { return fmt.Sprintf(":%04X", port) }

// tableForm writes an address as the kernel's table does: words of 32 bits in the machine's order.
func tableForm(address netip.Addr, port uint16) string {
	raw := address.AsSlice()
	for at := 0; at < len(raw); at += 4 {
		slices.Reverse(raw[at : at+4])
	}
	return fmt.Sprintf("%s:%04X", strings.ToUpper(hex.EncodeToString(raw)), port)
}
