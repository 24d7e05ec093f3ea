// Shares: what keeps one command, a fork bomb too, from taking the guest away from the agent and from other commands.

package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	subtreeControl = "cgroup.subtree_control"
	pidsMax        = "pids.max"
	// ofOnePerMiB and ofAllPerMiB are processes and threads for each MiB of memory that programs can have, of one command
	// and of all: a small shell takes 200 KiB, and memory that runs out holds up everybody.
	ofOnePerMiB, ofAllPerMiB = 2, 3
	fewestOfOne              = 256
)

// Share gives each cgroup the same part of the processor, and all together no more than the agent's, which is in none of
// them; and bounds their processes. The folder is that of OpenCgroups, in the root of its file system.
func (c *Cgroups) Share(folder string) error {
	available, err := availableMiB()
	if err != nil {
		return err
	}
	ofOne := max(fewestOfOne, ofOnePerMiB*available)
	for _, each := range []struct{ file, value string }{
		{filepath.Join(filepath.Dir(folder), subtreeControl), "+cpu +pids"},
		{filepath.Join(folder, subtreeControl), "+cpu +pids"},
		{filepath.Join(folder, pidsMax), strconv.Itoa(ofOne * ofAllPerMiB / ofOnePerMiB)},
		// One line for each process, each time that one is killed for its memory, would hold up everybody, too.
		{"/proc/sys/vm/oom_dump_tasks", "0"},
	} {
		if err := os.WriteFile(each.file, []byte(each.value), 0); err != nil {
			return fmt.Errorf("share the guest among commands: %w", err)
		}
	}
	c.ofOne = strconv.Itoa(ofOne)
	return nil
}

func availableMiB() (int, error) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	kib := 0
	for _, line := range strings.Split(string(text), "\n") {
		if n, _ := fmt.Sscanf(line, "MemAvailable: %d kB", &kib); n == 1 {
			break
		}
	}
	return kib >> 10, nil
}
