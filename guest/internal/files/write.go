// Writing: a file appears all at once, keeps its mode and owner, and stays where a link to it points.

package files

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	mostLinks  = 40
	usualMode  = 0o644
	folderMode = 0o755
)

// WriteRequest says where a file's content goes.
type WriteRequest struct {
	Path string
	// Mode are the permission bits wanted; nil keeps those of a file that exists.
	Mode     *uint32
	IsAppend bool
}

// Written describes the result.
type Written struct {
	Size       int64  `json:"size"`
	Mode       uint32 `json:"mode"`
	WasCreated bool   `json:"was_created"`
}

// Write puts content in the place of a file, or behind what it has.
func (r *Store) Write(request WriteRequest, content io.Reader) (*Written, error) {
	path, err := checkPath(request.Path)
	if err != nil {
		return nil, err
	}
	if request.Mode != nil && *request.Mode > 0o7777 {
		return nil, refuse("invalid_request", "mode must be 0 to 4095")
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	written, err := r.replaceContent(path, request, content)
	return written, explain(err, path)
}

func (r *Store) replaceContent(path string, request WriteRequest, content io.Reader) (*Written, error) {
	target, err := followLinks(path)
	if err != nil {
		return nil, err
	}
	written := &Written{Mode: usualMode}
	var old unix.Stat_t
	switch err := unix.Lstat(target, &old); {
	case errors.Is(err, unix.ENOENT):
		written.WasCreated = true
		if err := os.MkdirAll(filepath.Dir(target), folderMode); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	case kindOfStat(old.Mode) != "file":
		return nil, notAFile(path, kindOfStat(old.Mode))
	default:
		written.Mode = old.Mode & 0o7777
	}
	if request.Mode != nil {
		written.Mode = *request.Mode
	}
	name, release := r.hide()
	defer release()
	draft, err := os.OpenFile(filepath.Join(filepath.Dir(target), name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		if !written.WasCreated && cannotReplace(err) {
			return writeInPlace(target, request, written, content)
		}
		return nil, err
	}
	defer os.Remove(draft.Name())
	defer draft.Close()
	if err := fill(draft, target, request.IsAppend && !written.WasCreated, content); err != nil {
		return nil, err
	}
	if written.Size, err = draft.Seek(0, io.SeekCurrent); err != nil {
		return nil, err
	}
	if !written.WasCreated {
		// Owner before mode: a change of owner takes some bits away. Who may not give files away keeps them.
		_ = draft.Chown(int(old.Uid), int(old.Gid))
	}
	if err := unix.Fchmod(int(draft.Fd()), written.Mode); err != nil {
		return nil, err
	}
	if err := draft.Sync(); err != nil {
		return nil, err
	}
	err = os.Rename(draft.Name(), target)
	if err != nil && !written.WasCreated && cannotReplace(err) {
		if _, err := draft.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		request.IsAppend = false
		return writeInPlace(target, request, written, draft)
	}
	return written, err
}

func fill(draft *os.File, target string, isAppend bool, content io.Reader) error {
	if isAppend {
		old, err := os.Open(target)
		if err != nil {
			return err
		}
		defer old.Close()
		if _, err := io.Copy(draft, old); err != nil {
			return err
		}
	}
	_, err := io.Copy(draft, content)
	return err
}

// cannotReplace is true for anything but a plain entry of a folder: a file mounted over another, or a kernel file.
func cannotReplace(err error) bool {
	return slices.ContainsFunc([]error{unix.EBUSY, unix.EXDEV, unix.ENOENT, unix.EPERM, unix.EACCES, unix.EOPNOTSUPP},
		func(cause error) bool { return errors.Is(err, cause) })
}

func writeInPlace(target string, request WriteRequest, written *Written, content io.Reader) (*Written, error) {
	flags := os.O_WRONLY | os.O_TRUNC
	if request.IsAppend {
		flags = os.O_WRONLY | os.O_APPEND
	}
	file, err := os.OpenFile(target, flags|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if _, err := io.Copy(file, content); err != nil {
		return nil, err
	}
	if request.Mode != nil {
		if err := unix.Fchmod(int(file.Fd()), *request.Mode); err != nil {
			return nil, err
		}
	}
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	written.Size = info.Size()
	return written, nil
}

// followLinks resolves all links in a path; nothing has to exist there.
func followLinks(path string) (string, error) {
	for range mostLinks {
		at := strings.LastIndexByte(path, '/')
		folder, err := filepath.EvalSymlinks(path[:at+1])
		if errors.Is(err, unix.ENOENT) {
			return path, nil
		}
		if err != nil {
			return "", err
		}
		here := filepath.Join(folder, path[at+1:])
		target, err := os.Readlink(here)
		switch {
		case errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT):
			return here, nil
		case err != nil:
			return "", err
		case filepath.IsAbs(target):
			path = target
		default:
			// Not cleaned: what dots mean depends on the links before them.
			path = folder + "/" + target
		}
	}
	return "", unix.ELOOP
}
