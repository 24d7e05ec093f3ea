// Merging: a complete draft moves into place, folder by folder, after what goes away has been removed.

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

// remove removes a path, unless a link is on the way: what is behind that is not below the destination.
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
func (m *merger) place(path string) error {
	both, err := m.placeEntries(path)
	if err != nil {
		return err
	}
	for _, folder := range both {
		if err := m.place(folder); err != nil {
			return err
		}
		if m.draft.folders[folder] != nil {
			m.written++
		}
		if err := m.finish(folder); err != nil {
			return err
		}
	}
	return nil
}

// placeEntries moves all but the folders that stand on both sides, which it gives. Both folders are opened once, and
// what is in them goes by its name: no link can lead out of the two roots.
func (m *merger) placeEntries(path string) ([]string, error) {
	from, err := m.from.OpenFile(path, unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	to, err := m.to.OpenFile(path, unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer to.Close()
	// The package io/fs would reject names that are not UTF-8.
	entries, err := from.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	var both []string
	for _, entry := range entries {
		isOnBoth, err := m.placeEntry(int(from.Fd()), int(to.Fd()), filepath.Join(path, entry.Name()), entry.IsDir())
		if err != nil {
			return nil, err
		}
		if isOnBoth {
			both = append(both, filepath.Join(path, entry.Name()))
		}
	}
	return both, nil
}

// placeEntry moves one, and gives true in place of that where it is a folder on both sides.
func (m *merger) placeEntry(from, to int, path string, isFolder bool) (bool, error) {
	name := filepath.Base(path)
	var there unix.Stat_t
	err := unix.Fstatat(to, name, &there, unix.AT_SYMLINK_NOFOLLOW)
	isThere := err == nil
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return false, os.NewSyscallError("stat", err)
	}
	isFolderThere := isThere && kindOfStat(there.Mode) == "directory"
	if isFolder && isFolderThere {
		return true, nil
	}
	// A file over a file is one step; anything else must be moved away first.
	if isThere && (isFolder || isFolderThere) {
		if err := m.to.RemoveAll(path); err != nil {
			return false, err
		}
	}
	if isFolder {
		if err := m.finishDraft(path); err != nil {
			return false, err
		}
	} else {
		m.written++
	}
	return false, os.NewSyscallError("rename", unix.Renameat(from, name, to, name))
}

// finishDraft applies their entries to the folders of a part of the draft, deepest first.
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

// finish applies its entry to a folder that is in place.
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

// entriesOf lists a folder. The package io/fs would not take names that are no UTF-8.
func entriesOf(root *os.Root, path string) ([]os.DirEntry, error) {
	folder, err := root.Open(path)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	return folder.ReadDir(-1)
}
