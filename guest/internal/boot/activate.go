// Activation mounts the environment, the guest's disk and the project, and makes them the root of the guest.

package boot

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"pyro/guest/internal/resume"
)

const (
	newRoot = "/newroot"
	// hidden is where the guest's own disk stands after the switch: the upper layers of both overlays are on it,
	// and what changed in a guest is read from them.
	hidden = "/run/pyro/disk"
	// CgroupRoot holds one cgroup for each process.
	CgroupRoot = "/sys/fs/cgroup/pyro"
)

// Activate mounts everything and switches the root of this process; afterwards all paths are those of the image.
func Activate(hasProject bool) error {
	root, err := findDisk("root")
	if err != nil {
		return err
	}
	disk, err := findDisk("disk")
	if err != nil {
		return err
	}
	steps := []mount{
		{root, "/lower", "squashfs", unix.MS_RDONLY, ""},
		{disk, "/disk", "ext4", unix.MS_NOATIME, ""},
	}
	workspaceLower := "/disk/workspace/empty"
	if hasProject {
		project, err := findDisk("project")
		if err != nil {
			return err
		}
		steps = append(steps, mount{project, "/project", "squashfs", unix.MS_RDONLY, ""})
		workspaceLower = "/project"
	}
	if err := mountAll(steps); err != nil {
		return err
	}
	for _, folder := range []string{"root/upper", "root/work", "workspace/upper", "workspace/work", "workspace/empty"} {
		if err := os.MkdirAll(filepath.Join("/disk", folder), 0o755); err != nil {
			return err
		}
	}
	if err := overlay("/lower", "/disk/root", newRoot); err != nil {
		return err
	}
	if err := overlay(workspaceLower, "/disk/workspace", newRoot+"/workspace"); err != nil {
		return err
	}
	if err := mountSystem(); err != nil {
		return err
	}
	if err := bindFiles(); err != nil {
		return err
	}
	return switchRoot()
}

func mountAll(steps []mount) error {
	for _, step := range steps {
		if err := mountAt(step); err != nil {
			return err
		}
	}
	return nil
}

func overlay(lower, folder, target string) error {
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s/upper,workdir=%s/work,redirect_dir=on,metacopy=off,index=off", lower, folder, folder)
	return mountAt(mount{"overlay", target, "overlay", unix.MS_NOATIME, options})
}

// findDisk finds a virtio disk by the serial that the host gave it: the order of names is not promised.
func findDisk(serial string) (string, error) {
	paths, _ := filepath.Glob("/sys/block/vd*/serial")
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err == nil && strings.TrimSpace(string(text)) == serial {
			return filepath.Join("/dev", filepath.Base(filepath.Dir(path))), nil
		}
	}
	return "", fmt.Errorf("no disk with serial %q", serial)
}

func mountSystem() error {
	shm := newRoot + "/dev/shm"
	err := mountAll([]mount{
		{"proc", newRoot + "/proc", "proc", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
		{"sysfs", newRoot + "/sys", "sysfs", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
		{"cgroup2", newRoot + "/sys/fs/cgroup", "cgroup2", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
		{"dev", newRoot + "/dev", "devtmpfs", unix.MS_NOSUID, "mode=0755"},
		{"devpts", newRoot + "/dev/pts", "devpts", unix.MS_NOSUID | unix.MS_NOEXEC, "gid=5,mode=0620,ptmxmode=0666"},
		{"shm", shm, "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=1777"},
		{"run", newRoot + "/run", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=0755"},
	})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(newRoot+CgroupRoot, 0o755); err != nil {
		return err
	}
	for link, target := range map[string]string{
		"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
	} {
		// devtmpfs is one for all mounts, so the links may stand already.
		_ = os.Symlink(target, filepath.Join(newRoot, "dev", link))
	}
	if _, err := os.Stat(newRoot + "/tmp"); err != nil {
		if err := os.Mkdir(newRoot+"/tmp", 0o777); err != nil {
			return err
		}
		if err := os.Chmod(newRoot+"/tmp", os.ModeSticky|0o777); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(newRoot+"/root", 0o700); err != nil {
		return err
	}
	if err := os.MkdirAll(newRoot+"/run/lock", 0o1777); err != nil {
		return err
	}
	if err := os.MkdirAll(newRoot+hidden, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(newRoot+filepath.Dir(hidden), 0o711); err != nil {
		return err
	}
	return unix.Mount("/disk", newRoot+hidden, "", unix.MS_MOVE, "")
}

// bindFiles puts files of a tmpfs over those of /etc that are a guest's own, so that giving it new names changes no disk.
func bindFiles() error {
	old := resume.Folder
	if err := os.MkdirAll(newRoot+resume.Folder, 0o755); err != nil {
		return err
	}
	if err := os.MkdirAll(newRoot+"/etc", 0o755); err != nil {
		return err
	}
	for _, name := range []string{"hostname", "hosts", "resolv.conf", "machine-id"} {
		content, err := os.ReadFile(filepath.Join(old, name))
		if err != nil {
			return err
		}
		own := filepath.Join(newRoot, resume.Folder, name)
		if err := os.WriteFile(own, content, 0o644); err != nil {
			return err
		}
		target := filepath.Join(newRoot, "etc", name)
		if info, err := os.Lstat(target); err != nil || !info.Mode().IsRegular() {
			// Some images have a link here, often into a folder that is empty until a service runs.
			_ = os.Remove(target)
			if err := os.WriteFile(target, nil, 0o644); err != nil {
				return err
			}
		}
		if err := unix.Mount(own, target, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("bind %s: %w", target, err)
		}
	}
	return nil
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
