// Names of the guest in /etc: tmpfs files mounted over those of the image, so that new names change no disk.

package boot

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const namesFolder = "/run/pyro"

// NameFiles are the files in /etc that are a guest's own.
var NameFiles = []string{"hostname", "hosts", "machine-id", "resolv.conf"}

// mountNames returns the open files. Once each is mounted in /etc, their file system needs no path of its own.
func mountNames() (map[string]*os.File, error) {
	tmpfs := mount{"names", namesFolder, "tmpfs", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, "mode=0700,size=1m"}
	if err := tmpfs.mount(); err != nil {
		return nil, err
	}
	files := map[string]*os.File{}
	for _, name := range NameFiles {
		own := filepath.Join(namesFolder, name)
		file, err := os.OpenFile(own, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return nil, err
		}
		files[name] = file
		target := filepath.Join("/etc", name)
		if err := makeTarget(target); err != nil {
			return nil, fmt.Errorf("make %s: %w", target, err)
		}
		if err := unix.Mount(own, target, "", unix.MS_BIND, ""); err != nil {
			return nil, fmt.Errorf("bind %s: %w", target, err)
		}
	}
	if err := unix.Unmount(namesFolder, unix.MNT_DETACH); err != nil {
		return nil, fmt.Errorf("detach %s: %w", namesFolder, err)
	}
	return files, os.Remove(namesFolder)
}

// makeTarget makes a file to mount over if there is none. Some images have a link there into a folder that is
// empty until a service runs; then the file is made at the end of the link, which stays as it is.
func makeTarget(path string) error {
	for range 40 {
		info, err := os.Lstat(path)
		switch {
		case err == nil && info.Mode().IsRegular():
			return nil
		case err == nil && info.Mode()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			if !filepath.IsAbs(link) {
				link = filepath.Join(filepath.Dir(path), link)
			}
			path = link
			continue
		case err == nil:
			// Neither file nor link: useless as it is.
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		return os.WriteFile(path, nil, 0o644)
	}
	return fs.ErrInvalid
}
