// Unpacking: a tar stream goes into a draft next to its destination, and moves into place only once it is complete.

package files

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// endMarkBytes are the zeroes at the end of a tar.
	endMarkBytes = 1024
)

// Unpacked counts what was done.
type Unpacked struct {
	Written int `json:"written"`
	Deleted int `json:"deleted"`
}

// Unpack puts a tree in place. A failure before its last step changes nothing at the destination.
func (r *Store) Unpack(ctx context.Context, body io.Reader) (*Unpacked, error) {
	marked := &endMarks{Reader: body}
	in := tar.NewReader(marked)
	manifest, err := readManifest(in)
	if err != nil {
		return nil, err
	}
	destination, file, err := manifest.place()
	if err != nil {
		return nil, explain(err, string(manifest.Destination))
	}
	name, release := r.hide()
	defer release()
	staging := filepath.Join(r.stagingPlace(destination), name)
	if err := os.Mkdir(staging, 0o700); err != nil {
		return nil, explain(err, staging)
	}
	// What cannot be removed now is removed at the next start.
	defer os.RemoveAll(staging)
	if err := ownAlone(staging); err != nil {
		return nil, explain(err, staging)
	}
	root, err := os.OpenRoot(staging)
	if err != nil {
		return nil, explain(err, staging)
	}
	defer root.Close()
	draft := &draft{root: root, folders: map[string]*tar.Header{}}
	defer draft.close()
	if err := draft.fill(ctx, in); err != nil {
		return nil, explain(err, string(manifest.Destination))
	}
	if marked.zeroes < endMarkBytes {
		return nil, refuse("invalid_request", "the tree is cut off")
	}
	if file != string(manifest.File) {
		if err := draft.rename(string(manifest.File), file); err != nil {
			return nil, explain(err, string(manifest.File))
		}
	}
	target, err := os.OpenRoot(destination)
	if err != nil {
		return nil, explain(err, destination)
	}
	defer target.Close()
	r.writing.Lock()
	defer r.writing.Unlock()
	m := &merger{from: root, to: target, draft: draft}
	if manifest.KeepsKinds {
		if err := m.checkKinds(".", destination); err != nil {
			return nil, explain(err, destination)
		}
	}
	if err := unchanged(ctx, destination, manifest.Expected); err != nil {
		return nil, explain(err, destination)
	}
	err = m.merge(manifest.Deleted)
	return &Unpacked{m.written, m.deleted}, explain(err, destination)
}

// stagingPlace is a folder of the same mount as the destination, since only there a rename is one step: the root of
// the overlay where that is it, so that what a crash leaves is found at the next start.
func (r *Store) stagingPlace(destination string) string {
	mount, err := mountOf(destination)
	if err != nil {
		return destination
	}
	for _, root := range r.roots() {
		if id, err := mountOf(root); err == nil && id == mount && isBelow(destination, root) {
			return root
		}
	}
	return destination
}

func isBelow(path, root string) bool {
	return path == root || strings.HasPrefix(path, strings.TrimSuffix(root, "/")+"/")
}

func mountOf(path string) (uint64, error) {
	var status unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_MNT_ID, &status)
	return status.Mnt_id, err
}

// endMarks counts the zeroes that were read last: to the tar reader a stream that is cut between entries is complete.
type endMarks struct {
	io.Reader
	zeroes int
}

func (e *endMarks) Read(p []byte) (int, error) {
	n, err := e.Reader.Read(p)
	rest := len(bytes.TrimRight(p[:n], "\x00"))
	if rest > 0 {
		e.zeroes = 0
	}
	e.zeroes += n - rest
	return n, err
}

// draft is a tree that is not yet in place.
type draft struct {
	root *os.Root
	// folders are those with an entry of their own, by their paths; "." is the destination itself.
	folders map[string]*tar.Header
	// around is the folder of the latest entry, which most often is that of the next one too; at is its path.
	around *os.File
	at     string
}

func (d *draft) close() {
	if d.around != nil {
		// It was only gone through.
		_ = d.around.Close()
	}
}

func (d *draft) rename(from, to string) error {
	here, err := d.enter(from)
	if err != nil {
		return err
	}
	return os.NewSyscallError("rename", unix.Renameat(here, from, here, to))
}

// enter gives the folder that an entry is in, made when missing. Each step from the root of the draft costs system
// calls, which are dear where the processor is emulated: so what stays in the same folder goes by its descriptor.
func (d *draft) enter(name string) (int, error) {
	path := filepath.Dir(name)
	if d.around != nil && d.at == path {
		return int(d.around.Fd()), nil
	}
	if err := d.root.MkdirAll(path, folderMode); err != nil {
		if errno := syscall.Errno(0); errors.As(err, &errno) && errno != unix.ENOTDIR && errno != unix.EEXIST {
			return -1, err
		}
		return -1, refuse("invalid_path", "%.500q is below something that is not a folder in the tree", name)
	}
	file, err := d.root.OpenFile(path, unix.O_DIRECTORY, 0)
	if err != nil {
		return -1, err
	}
	d.close()
	d.around, d.at = file, path
	return int(file.Fd()), nil
}

func (d *draft) fill(ctx context.Context, in *tar.Reader) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return refuse("invalid_request", "the tree does not parse: %v", err)
		}
		name := strings.TrimSuffix(strings.TrimPrefix(header.Name, "./"), "/")
		if name == "." || name == "" {
			d.folders["."] = header
			continue
		}
		if !isInside(name) {
			return refuse("invalid_path", "%.500q is not a path below the destination", header.Name)
		}
		if err := d.add(name, header, in); err != nil {
			return err
		}
	}
}

func (d *draft) add(name string, header *tar.Header, in io.Reader) error {
	around, err := d.enter(name)
	if err != nil {
		return err
	}
	switch header.Typeflag {
	case tar.TypeDir:
		if err := d.root.MkdirAll(name, folderMode); err != nil {
			return err
		}
		d.folders[name] = header
		return nil
	case tar.TypeReg, tar.TypeGNUSparse:
		return addFile(around, filepath.Base(name), header, in)
	case tar.TypeSymlink:
		return os.NewSyscallError("symlink", unix.Symlinkat(header.Linkname, around, filepath.Base(name)))
	case tar.TypeLink:
		target := strings.TrimPrefix(header.Linkname, "./")
		if !isInside(target) {
			return refuse("invalid_path", "%.500q is not a path below the destination", header.Linkname)
		}
		return d.root.Link(target, name)
	}
	return refuse("invalid_request", "%.500q is of a kind that cannot be unpacked", name)
}

// addFile makes a file in an open folder; nothing that stands there is followed or written to.
func addFile(around int, name string, header *tar.Header, in io.Reader) error {
	fd, err := unix.Openat(around, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return os.NewSyscallError("open", err)
	}
	file := os.NewFile(uintptr(fd), name)
	defer file.Close()
	if err := copyWithHoles(file, in, header.Size); err != nil {
		return err
	}
	if err := unix.Fchmod(fd, uint32(header.Mode&0o7777)); err != nil {
		return err
	}
	time := unix.NsecToTimespec(header.ModTime.UnixNano())
	return os.NewSyscallError("utimensat", unix.UtimesNanoAt(around, name, []unix.Timespec{time, time}, unix.AT_SYMLINK_NOFOLLOW))
}

// ownAlone makes a new folder one whose entries belong to whoever makes them, also where the folder around it hands
// its group on: so none of them needs an owner of its own.
func ownAlone(folder string) error {
	if os.Geteuid() == 0 {
		if err := os.Lchown(folder, 0, 0); err != nil {
			return err
		}
	}
	return unix.Chmod(folder, 0o700)
}

// own makes the guest's root the owner, which an agent that is not root cannot and need not do.
func own(root *os.Root, name string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	return root.Lchown(name, 0, 0)
}
