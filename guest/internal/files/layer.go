// Layers as open folders: every step goes by descriptor and name, so that no link is followed and no path is too long.

package files

import (
	"errors"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	opaqueName   = "overlay.opaque"
	redirectName = "overlay.redirect"
	// folderFlags open a folder, never a link to one.
	folderFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
)

// folder is an open folder of a layer.
type folder struct {
	*os.File
	// at is its path below the layer's root; two folders of the lower layer are the same when these are equal.
	at string
}

// node is an entry of an open folder.
type node struct {
	in     *folder
	name   string
	status unix.Stat_t
}

// reopen opens a folder again, so that the copy is read from the start and closed on its own.
func reopen(file *os.File) (*folder, error) {
	fd, err := unix.Openat(int(file.Fd()), ".", folderFlags, 0)
	if err != nil {
		return nil, os.NewSyscallError("open a layer", err)
	}
	return &folder{os.NewFile(uintptr(fd), "layer"), ""}, nil
}

func (f *folder) close() {
	if f != nil {
		// It was only read.
		_ = f.File.Close()
	}
}

// names are those of all entries, sorted; none of no folder.
func (f *folder) names() ([]string, error) {
	if f == nil {
		return nil, nil
	}
	names, err := f.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}

// find returns an entry; nil when there is none, or no folder.
func (f *folder) find(name string) (*node, error) {
	if f == nil {
		return nil, nil
	}
	n := &node{in: f, name: name}
	err := unix.Fstatat(int(f.Fd()), name, &n.status, unix.AT_SYMLINK_NOFOLLOW)
	switch {
	case errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR):
		return nil, nil
	case err != nil:
		return nil, os.NewSyscallError("stat", err)
	}
	return n, nil
}

func (n *node) kind() string {
	if n == nil {
		return ""
	}
	return kindOfStat(n.status.Mode)
}

// isWhiteout is true for the entry of an upper layer that takes away what the lower one has.
func (n *node) isWhiteout() bool {
	return n != nil && n.status.Mode&unix.S_IFMT == unix.S_IFCHR && n.status.Rdev == 0
}

// openFolder returns nil for anything but a folder, and for one that has gone.
func (n *node) openFolder() (*folder, error) {
	if n.kind() != "directory" {
		return nil, nil
	}
	fd, err := unix.Openat(int(n.in.Fd()), n.name, folderFlags, 0)
	switch {
	case errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP):
		return nil, nil
	case err != nil:
		return nil, os.NewSyscallError("open a folder", err)
	}
	return &folder{os.NewFile(uintptr(fd), n.name), n.in.at + "/" + n.name}, nil
}

func (n *node) readlink() (string, error) {
	buffer := make([]byte, unix.PathMax)
	size, err := unix.Readlinkat(int(n.in.Fd()), n.name, buffer)
	if err != nil {
		return "", os.NewSyscallError("readlink", err)
	}
	return string(buffer[:size]), nil
}

// openFile opens a regular file; a negative descriptor comes with an error.
func (n *node) openFile() (int, error) {
	fd, err := unix.Openat(int(n.in.Fd()), n.name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return -1, os.NewSyscallError("open", err)
	}
	return fd, nil
}

// mark reads what the overlay has written to a folder of its upper layer; empty when there is nothing.
func (f *folder) mark(name string) string {
	buffer := make([]byte, unix.PathMax)
	size, err := unix.Fgetxattr(int(f.Fd()), name, buffer)
	if err != nil {
		return ""
	}
	return string(buffer[:size])
}

// openBelow opens the folder at a path without following links; nil when there is none.
func openBelow(root *os.File, path string) (*folder, error) {
	path = strings.Trim(path, "/")
	how := unix.OpenHow{Flags: folderFlags, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS}
	fd, err := unix.Openat2(int(root.Fd()), "./"+path, &how)
	switch {
	case errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP):
		return nil, nil
	case err != nil:
		return nil, os.NewSyscallError("open a folder", err)
	}
	at := ""
	if path != "" {
		at = "/" + path
	}
	return &folder{os.NewFile(uintptr(fd), path), at}, nil
}

// descend finds a path without following links; nil when there is none. The node's folder is to be closed.
func descend(root *os.File, path string) (*node, error) {
	parent, name := split(path)
	in, err := openBelow(root, parent)
	if in == nil || err != nil {
		return nil, err
	}
	n, err := in.find(name)
	if n == nil {
		in.close()
	}
	return n, err
}

// split returns the parent folder of a path, and the name in it.
func split(path string) (parent, name string) {
	path = strings.Trim(path, "/")
	at := strings.LastIndexByte(path, '/')
	return path[:max(at, 0)], path[at+1:]
}
