// A restored guest gets the project's disk: its workspace gets another lower layer.

package boot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// projectMount is a folder of the guest's own disk, where no path of the guest leads.
const projectMount = "workspace/project"

// ErrWorkspaceBusy is returned when something still uses the workspace that is to be remounted.
var ErrWorkspaceBusy = errors.New("a process is using the workspace")

// MountProject mounts the project's disk and puts it below the workspace's changes. m.Project holds what it opened.
func (m *Mounts) MountProject() error {
	device := m.projectDevice
	if device == "" {
		found, err := findDisk(projectSerial)
		if err != nil {
			return err
		}
		device = found
	}
	if err := m.attachProject(device); err != nil {
		return err
	}
	project, err := openIn(m.Disk, projectMount)
	if err != nil {
		return err
	}
	if err := unix.Unmount(Workspace, unix.UMOUNT_NOFOLLOW); err != nil {
		_ = project.Close()
		// Left attached, it would block the next try.
		_ = unix.Unmount(filepath.Join(descriptorPath(m.Disk), projectMount), unix.MNT_DETACH)
		if errors.Is(err, unix.EBUSY) {
			return ErrWorkspaceBusy
		}
		return fmt.Errorf("unmount the workspace: %w", err)
	}
	// Only a mount in this namespace can be a layer, and only its descriptor finds it.
	folder := filepath.Join(descriptorPath(m.Disk), "workspace")
	// It has the owner of the image's own workspace, which is not the project's.
	upper := filepath.Join(folder, "upper")
	if err := errors.Join(os.Chown(upper, 0, 0), os.Chmod(upper, 0o755)); err != nil {
		_ = project.Close()
		return err
	}
	if err := overlay(descriptorPath(project), folder, Workspace).mount(); err != nil {
		_ = project.Close()
		return err
	}
	_ = m.Project.Close()
	m.Project, m.HasProject = project, true
	return nil
}

// attachProject mounts the disk by descriptor: the guest's paths cannot be trusted.
func (m *Mounts) attachProject(device string) error {
	if err := unix.Mkdirat(int(m.Disk.Fd()), projectMount, 0o755); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("make a place for the project: %w", err)
	}
	system, err := unix.Fsopen("squashfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return fmt.Errorf("open squashfs: %w", err)
	}
	defer unix.Close(system)
	err = errors.Join(unix.FsconfigSetString(system, "source", device), unix.FsconfigSetFlag(system, "ro"))
	if err == nil {
		err = unix.FsconfigCreate(system)
	}
	if err != nil {
		return fmt.Errorf("read the project's disk: %w", err)
	}
	tree, err := unix.Fsmount(system, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)
	if err != nil {
		return fmt.Errorf("mount the project: %w", err)
	}
	defer unix.Close(tree)
	err = unix.MoveMount(tree, "", int(m.Disk.Fd()), projectMount, unix.MOVE_MOUNT_F_EMPTY_PATH)
	if err != nil {
		return fmt.Errorf("attach the project: %w", err)
	}
	return nil
}

// Upper opens the upper layer of an overlay: root or workspace.
func (m *Mounts) Upper(name string) (*os.File, error) { return openIn(m.Disk, name+"/upper") }

func openIn(folder *os.File, path string) (*os.File, error) {
	fd, err := unix.Openat(int(folder.Fd()), path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

func descriptorPath(file *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", file.Fd()) }

// Covered are paths below the root that the agent mounts over, and Made are folders that it makes when the image has
// none: neither is a change of the guest's.
func Covered() (covered, made map[string]bool) {
	covered = map[string]bool{"proc": true, "sys": true, "dev": true, "run": true, "workspace": true}
	for _, name := range NameFiles {
		covered["etc/"+name] = true
	}
	return covered, map[string]bool{"tmp": true, "root": true, "etc": true}
}
