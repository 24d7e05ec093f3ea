// Members of a session, for where there are no cgroups.

package process

import (
	"bytes"
	"os"
	"strconv"
)

// membersOfSession lists the processes of a session, whatever group they have moved to.
func membersOfSession(session int) []int {
	folder, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer folder.Close()
	names, _ := folder.Readdirnames(-1)
	var pids []int
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		text, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue
		}
		// The name in brackets may hold anything; after it: state, parent, group, session.
		fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
		if len(fields) > 3 && string(fields[3]) == strconv.Itoa(session) {
			pids = append(pids, pid)
		}
	}
	return pids
}
