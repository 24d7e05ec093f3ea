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
)

const (
	// mostLooked bounds the search: the answer is a hint for the log, and a guest may have any number of sockets.
	mostLooked     = 4000
	cgroupFolder   = "/sys/fs/cgroup/pyro"
	longestTable   = 4 << 20
	inodeField     = 9
	localPartField = 1
)

// ownerOf gives the id of the process that holds the other end of a local connection; empty when it is not found.
func ownerOf(conn net.Conn) string {
	client, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return ""
	}
	inode := inodeOf(client)
	if inode == "" {
		return ""
	}
	wanted, looked := "socket:["+inode+"]", 0
	folders, _ := filepath.Glob(cgroupFolder + "/*/cgroup.procs")
	// The latest process is the likeliest.
	slices.Reverse(folders)
	for _, folder := range folders {
		pids, _ := os.ReadFile(folder)
		for pid := range strings.FieldsSeq(string(pids)) {
			descriptors, _ := os.ReadDir("/proc/" + pid + "/fd")
			for _, descriptor := range descriptors {
				if looked++; looked > mostLooked {
					return ""
				}
				if link, _ := os.Readlink("/proc/" + pid + "/fd/" + descriptor.Name()); link == wanted {
					return filepath.Base(filepath.Dir(folder))
				}
			}
		}
	}
	return ""
}

// inodeOf finds the socket that is bound to an address.
func inodeOf(local netip.AddrPort) string {
	address := local.Addr().Unmap()
	forms := map[string]string{"/proc/self/net/tcp6": tableForm(netip.AddrFrom16(address.As16()), local.Port())}
	if address.Is4() {
		forms["/proc/self/net/tcp"] = tableForm(address, local.Port())
	}
	for path, form := range forms {
		file, err := os.Open(path)
		if err != nil {
			continue
		}
		inode := inodeIn(io.LimitReader(file, longestTable), form)
		_ = file.Close()
		if inode != "" {
			return inode
		}
	}
	return ""
}

func inodeIn(table io.Reader, form string) string {
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) > inodeField && fields[localPartField] == form && fields[inodeField] != "0" {
			return fields[inodeField]
		}
	}
	return ""
}

// tableForm writes an address as the kernel's table does: words of 32 bits in the machine's order.
func tableForm(address netip.Addr, port uint16) string {
	raw := address.AsSlice()
	for at := 0; at < len(raw); at += 4 {
		slices.Reverse(raw[at : at+4])
	}
	return fmt.Sprintf("%s:%04X", strings.ToUpper(hex.EncodeToString(raw)), port)
}
