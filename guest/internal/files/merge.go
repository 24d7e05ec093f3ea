// Merging: a draft that is complete takes its place, folder by folder, after what goes away has gone.

package files

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

type merger struct {
	from, to         *os.Root
	draft            *draft
	written, deleted int
}

func (m *merger) merge(deleted [][]byte) error {
	for _, path := range deleted {
		if err := m.remove(string(path)); err != nil {
			return err
		}
	}
	if err := m.place("."); err != nil {
		return err
	}
	return m.finish(".")
}

// remove takes a path away, unless a link is on the way: what is behind that is not below the destination.
func (m *merger) remove(path string) error {
	for at := 0; ; {
		next := strings.IndexByte(path[at:], '/')
		if next < 0 {
			break
		}
		at += next
		info, err := m.to.Lstat(path[:at])
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || err == nil && !info.IsDir() {
			return nil
		}
		if err != nil {
			return err
		}
		at++
	}
	if _, err := m.to.Lstat(path); err != nil {
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
			return nil
		}
		return err
	}
	if err := m.to.RemoveAll(path); err != nil {
		return err
	}
	m.deleted++
	return nil
}

// place moves what is in a folder of the draft to where a folder stands already.
func (m *merger) place(folder string) error {
	entries, err := entriesOf(m.from, folder)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := m.placeEntry(filepath.Join(folder, entry.Name()), entry.IsDir()); err != nil {
			return err
		}
	}
	return nil
}

func (m *merger) placeEntry(path string, isFolder bool) error {
	there, err := m.to.Lstat(path)
	isThere := err == nil
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	if isFolder && isThere && there.IsDir() {
		if err := m.place(path); err != nil {
			return err
		}
		if m.draft.folders[path] != nil {
			m.written++
			return m.finish(path)
		}
		return nil
	}
	// A file over a file is one step; anything else has to make room.
	if isThere && (isFolder || there.IsDir()) {
		if err := m.to.RemoveAll(path); err != nil {
			return err
		}
	}
	if isFolder {
		if err := m.finishDraft(path); err != nil {
			return err
		}
	} else {
		m.written++
	}
	return m.move(path)
}

// finishDraft gives the folders of a part of the draft, deepest first, what their entries say.
func (m *merger) finishDraft(path string) error {
	entries, err := entriesOf(m.from, path)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !entry.IsDir() {
			m.written++
		} else if err := m.finishDraft(filepath.Join(path, entry.Name())); err != nil {
			return err
		}
	}
	if m.draft.folders[path] != nil {
		m.written++
	}
	return m.apply(m.from, path)
}

// finish gives a folder that stands in its place what its entry says.
func (m *merger) finish(path string) error {
	if m.draft.folders[path] == nil {
		return nil
	}
	return m.apply(m.to, path)
}

func (m *merger) apply(root *os.Root, path string) error {
	if err := own(root, path); err != nil {
		return err
	}
	header := m.draft.folders[path]
	if header == nil {
		return nil
	}
	file, err := root.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := unix.Fchmod(int(file.Fd()), uint32(header.Mode&0o7777)); err != nil {
		return err
	}
	return root.Chtimes(path, header.ModTime, header.ModTime)
}

// move renames an entry from the draft to the same path of the destination; the folders around it are opened
// without following links.
func (m *merger) move(path string) error {
	from, err := m.from.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := m.to.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer to.Close()
	name := filepath.Base(path)
	return os.NewSyscallError("rename", unix.Renameat(int(from.Fd()), name, int(to.Fd()), name))
}

// entriesOf lists a folder. The package io/fs would not take names that are no UTF-8.
func entriesOf(root *os.Root, path string) ([]os.DirEntry, error) {
	folder, err := root.Open(path)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	return folder.ReadDir(-1)
}
