// Power: how a guest ends.

package boot

import (
	"os"

	"golang.org/x/sys/unix"
)

// PowerOff ends the guest. It writes everything to disk first; disk may be nil when none is mounted.
func PowerOff(disk *os.File) {
	unix.Sync()
	if disk != nil {
		// A frozen file system needs no journal recovery at the next start. It cannot be unmounted, being in use.
		_ = unix.IoctlSetInt(int(disk.Fd()), fiFreeze, 0)
	}
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}
