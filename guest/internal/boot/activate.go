// Activation mounts the environment, the guest's disk and the project, and makes them the root of the guest.

package boot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	imageFolder   = "/image"
	projectFolder = "/project"
	diskFolder    = "/disk"
	newRoot       = "/root.new"
	newWorkspace  = "/workspace.new"
	// Workspace is where the project and its changes are.
	Workspace = "/workspace"
)

// Mounts is what the agent keeps of an activation.
type Mounts struct {
	// Disk is the root folder of the guest's own disk, which holds the upper layers in root/upper and
	// workspace/upper. It stays mounted in the initramfs below the new root, where no path in the guest leads:
	// whoever walks the guest's files meets them once, and nothing there depends on what the image has at some path.
	Disk *os.File
	// Image is the root folder of the environment, the lower layer of the root.
	Image *os.File
	// Project is the lower layer of the workspace: the project, or an empty folder.
	Project *os.File
	// HasProject is true once the project's disk is that layer.
	HasProject bool
	// projectDevice is the project's disk, found before a template is saved: finding it again would take longer than
	// mounting it. Empty when there is no such disk yet.
	projectDevice string
	// Names are the open files that hold the guest's names in /etc, by their names there.
	Names map[string]*os.File
}

// Activate mounts everything and switches the root of this process; afterwards all paths are those of the image.
// It cannot be undone: after an error the guest is useless.
func Activate(hasProject bool) (*Mounts, error) {
	if err := mountDisks(hasProject); err != nil {
		return nil, err
	}
	// Opened now, because no path leads to them once the root is switched.
	layers, err := openAll(diskFolder, imageFolder)
	if err != nil {
		return nil, err
	}
	lower, err := mountOverlays(layers[1], hasProject)
	if err != nil {
		return nil, err
	}
	projectDevice := deviceWith(diskPattern, projectSerial)
	workspaceTree, err := unix.OpenTree(unix.AT_FDCWD, newWorkspace, unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("open the workspace: %w", err)
	}
	defer unix.Close(workspaceTree)
	if err := switchRoot(); err != nil {
		return nil, err
	}
	// From here on, links of the image point where they do in the guest, and cannot lead out of it.
	if err := makePlain(Workspace); err != nil {
		return nil, err
	}
	if err := unix.MoveMount(workspaceTree, "", unix.AT_FDCWD, Workspace, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return nil, fmt.Errorf("move the workspace: %w", err)
	}
	if err := mountSystem(); err != nil {
		return nil, err
	}
	names, err := mountNames()
	if err != nil {
		return nil, err
	}
	return &Mounts{Disk: layers[0], Image: layers[1], Project: lower, HasProject: hasProject,
		projectDevice: projectDevice, Names: names}, nil
}

func openAll(paths ...string) ([]*os.File, error) {
	var files []*os.File
	for _, path := range paths {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

func mountDisks(hasProject bool) error {
	disks := []struct {
		serial string
		at     mount
	}{
		{"root", mount{"", imageFolder, "squashfs", unix.MS_RDONLY, ""}},
		// Deleted blocks are returned to the host's disk.
		{"disk", mount{"", diskFolder, "ext4", unix.MS_NOATIME, "discard"}},
		{projectSerial, mount{"", projectFolder, "squashfs", unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV, ""}},
	}
	if !hasProject {
		disks = disks[:2]
	}
	for _, disk := range disks {
		device, err := findDisk(disk.serial)
		if err != nil {
			return err
		}
		disk.at.source = device
		if err := disk.at.mount(); err != nil {
			return err
		}
	}
	return nil
}

// mountOverlays returns the workspace's lower layer: the project, or what the image has there.
func mountOverlays(image *os.File, hasProject bool) (*os.File, error) {
	_, err := os.Lstat(filepath.Join(diskFolder, "workspace/upper"))
	isNew := errors.Is(err, os.ErrNotExist)
	for _, folder := range []string{"root/upper", "root/work", "workspace/upper", "workspace/work", "workspace/empty"} {
		if err := os.MkdirAll(filepath.Join(diskFolder, folder), 0o755); err != nil {
			return nil, err
		}
	}
	lower, err := os.Open(projectFolder)
	if !hasProject {
		lower, err = openWorkspaceOf(image)
		if err == nil && lower == nil {
			lower, err = os.Open(filepath.Join(diskFolder, "workspace/empty"))
		} else if err == nil && isNew {
			err = copyOwner(lower, filepath.Join(diskFolder, "workspace/upper"))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open the layer below the workspace: %w", err)
	}
	return lower, mountAll([]mount{
		overlay(imageFolder, diskFolder+"/root", newRoot),
		// By descriptor: names in an image may contain the separator of mount options.
		overlay(descriptorPath(lower), diskFolder+"/workspace", newWorkspace),
	})
}

// openWorkspaceOf returns the folder that /workspace of an image is or, within the image, points to; nil when there is none.
func openWorkspaceOf(image *os.File) (*os.File, error) {
	fd, err := unix.Openat2(int(image.Fd()), strings.TrimPrefix(Workspace, "/"), &unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV,
	})
	if err != nil {
		// Nothing there, a file, a dangling link or a link loop.
		return nil, nil
	}
	var top, found unix.Stat_t
	if err := errors.Join(unix.Fstat(int(image.Fd()), &top), unix.Fstat(fd, &found)); err != nil {
		unix.Close(fd)
		return nil, err
	}
	if top.Ino == found.Ino {
		// The whole image is not a workspace.
		unix.Close(fd)
		return nil, nil
	}
	return os.NewFile(uintptr(fd), "workspace"), nil
}

// copyOwner gives a folder the owner and the mode of another.
func copyOwner(from *os.File, to string) error {
	var status unix.Stat_t
	if err := unix.Fstat(int(from.Fd()), &status); err != nil {
		return err
	}
	return errors.Join(os.Chown(to, int(status.Uid), int(status.Gid)), unix.Chmod(to, status.Mode&0o7777))
}

func overlay(lower, folder, target string) mount {
	return mount{"overlay", target, "overlay", unix.MS_NOATIME, fmt.Sprintf(
		"lowerdir=%s,upperdir=%s/upper,workdir=%s/work,redirect_dir=on,metacopy=off,index=off", lower, folder, folder)}
}

// makePlain replaces whatever else an image has there with a folder.
func makePlain(path string) error {
	if info, err := os.Lstat(path); err == nil && !info.IsDir() {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return os.MkdirAll(path, 0o755)
}

// clearWay removes a file, or a link that does not point to a folder, where a folder is needed.
func clearWay(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	return makePlain(path)
}

func switchRoot() error {
	if err := os.Chdir(newRoot); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move the root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return err
	}
	return os.Chdir("/")
}

// mountSystem mounts what programs expect of a running system; the image may lack the folders.
func mountSystem() error {
	const plain = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	for _, path := range []string{"/proc", "/sys", "/dev", "/run"} {
		if err := clearWay(path); err != nil {
			return err
		}
	}
	err := mountAll([]mount{
		{"proc", "/proc", "proc", plain, ""},
		{"sysfs", "/sys", "sysfs", plain, ""},
		{"cgroup2", "/sys/fs/cgroup", "cgroup2", plain, ""},
		{"dev", "/dev", "devtmpfs", unix.MS_NOSUID, "mode=0755"},
		{"devpts", "/dev/pts", "devpts", unix.MS_NOSUID | unix.MS_NOEXEC, "gid=5,mode=0620,ptmxmode=0666"},
		{"shm", "/dev/shm", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=1777"},
		{"run", "/run", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=0755"},
	})
	if err != nil {
		return err
	}
	for link, target := range map[string]string{
		"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
	} {
		// All mounts of devtmpfs are the same, so the links may already exist.
		_ = os.Symlink(target, filepath.Join("/dev", link))
	}
	for _, folder := range []struct {
		path string
		mode os.FileMode
	}{{"/tmp", 0o777 | os.ModeSticky}, {"/run/lock", 0o777 | os.ModeSticky}, {"/root", 0o700}, {"/etc", 0o755}} {
		if err := makeFolder(folder.path, folder.mode); err != nil {
			return err
		}
	}
	return nil
}

// makeFolder leaves an existing folder of the image as it is.
func makeFolder(path string, mode os.FileMode) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	if err := makePlain(path); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}
