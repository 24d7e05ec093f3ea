package main

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A folder of every machine, for the moment in which the new root needs a place.
var places = []string{"/tmp", "/run", "/var", "/usr"}

// Devices without which hardly a program works; none of them leads anywhere.
var plainDevices = []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"}

// tree is a part of the host's files that is about to be shown at the same path.
type tree struct {
	path       string
	isFolder   bool
	descriptor int
}

// enterOwnRoot makes a root of only what is wanted, everything else being out of sight and out of reach.
func enterOwnRoot(wanted *spec) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("own mounts: %w", err)
	}
	trees, err := pickTrees(wanted)
	if err != nil {
		return err
	}
	place := ""
	for _, each := range places {
		if info, err := os.Stat(each); err == nil && info.IsDir() {
			place = each
			break
		}
	}
	if err := unix.Mount("pyro", place, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=0755,size=1m"); err != nil {
		return fmt.Errorf("own root: %w", err)
	}
	for _, each := range trees {
		if err := each.show(place); err != nil {
			return fmt.Errorf("show %s: %w", each.path, err)
		}
	}
	if err := unix.Chdir(place); err != nil {
		return err
	}
	// The old root comes to lie on the new one, and goes.
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("enter the own root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave the old root: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	return unix.MountSetattr(unix.AT_FDCWD, "/", 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
}

func pickTrees(wanted *spec) ([]tree, error) {
	const harmless = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV
	kinds := []struct {
		paths      []string
		attributes uint64
	}{
		{wanted.Read, harmless | unix.MOUNT_ATTR_RDONLY},
		{wanted.Drop, harmless | unix.MOUNT_ATTR_NOEXEC},
		{wanted.Sockets, harmless | unix.MOUNT_ATTR_NOEXEC},
		{wanted.Write, harmless | unix.MOUNT_ATTR_NOEXEC},
		{wanted.Devices, unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC},
		{plainDevices, unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC},
	}
	var trees []tree
	for _, kind := range kinds {
		for _, path := range kind.paths {
			picked, err := pickTree(path, kind.attributes)
			if err != nil {
				return nil, fmt.Errorf("take %s along: %w", path, err)
			}
			trees = append(trees, picked)
		}
	}
	return trees, nil
}

func pickTree(path string, attributes uint64) (tree, error) {
	info, err := os.Stat(path)
	if err != nil {
		return tree{}, err
	}
	descriptor, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return tree{}, err
	}
	attribute := unix.MountAttr{Attr_set: attributes, Propagation: unix.MS_PRIVATE}
	if err := unix.MountSetattr(descriptor, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &attribute); err != nil {
		return tree{}, err
	}
	return tree{path: path, isFolder: info.IsDir(), descriptor: descriptor}, nil
}

// show puts a tree where the program looks for it.
func (t tree) show(place string) error {
	target := filepath.Join(place, t.path)
	folder := target
	if !t.isFolder {
		folder = filepath.Dir(target)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if !t.isFolder {
		file, err := os.OpenFile(target, os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		_ = file.Close()
	}
	if err := unix.MoveMount(t.descriptor, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return err
	}
	return unix.Close(t.descriptor)
}
