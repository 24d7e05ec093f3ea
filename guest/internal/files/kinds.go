// Kinds: replacing something with another kind is refused before anything is changed.

package files

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// checkKinds walks the folders that exist on both sides; at is the target's path.
func (m *merger) checkKinds(path, at string) error {
	folders, err := m.checkEntries(path, at)
	if err != nil {
		return err
	}
	for _, name := range folders {
		if err := m.checkKinds(filepath.Join(path, name), filepath.Join(at, name)); err != nil {
			return err
		}
	}
	return nil
}

// checkEntries gives the names of the folders that are on both sides.
func (m *merger) checkEntries(path, at string) ([]string, error) {
	to, err := m.to.OpenFile(path, unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer to.Close()
	entries, err := entriesOf(m.from, path)
	if err != nil {
		return nil, err
	}
	var folders []string
	for _, entry := range entries {
		var there unix.Stat_t
		err := unix.Fstatat(int(to.Fd()), entry.Name(), &there, unix.AT_SYMLINK_NOFOLLOW)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return nil, os.NewSyscallError("stat", err)
		}
		switch kind := kindOfStat(there.Mode); {
		case kind == "directory" && entry.IsDir():
			folders = append(folders, entry.Name())
		case entry.IsDir():
			return nil, refuse("not_a_directory", "%.500q is not a folder, and a folder would replace it", filepath.Join(at, entry.Name()))
		case kind == "directory":
			return nil, refuse("is_a_directory", "%.500q is a folder, and a file would replace it", filepath.Join(at, entry.Name()))
		case kind == "other":
			return nil, refuse("not_a_file", "%.500q is a device, a socket or a pipe, and a file would replace it", filepath.Join(at, entry.Name()))
		}
	}
	return folders, nil
}
