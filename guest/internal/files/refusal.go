// Refusals: what a request cannot have, with a code that the host knows.

package files

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Refusal is an error with a code of the wire protocol.
type Refusal struct {
	Code    string
	Message string
}

func (r *Refusal) Error() string { return r.Message }

func refuse(code, format string, values ...any) error {
	return &Refusal{Code: code, Message: fmt.Sprintf(format, values...)}
}

// codes are the system errors that a caller can do something about.
var codes = []struct {
	cause error
	code  string
}{
	{unix.ENOENT, "file_missing"},
	{unix.ENOTDIR, "not_a_directory"},
	{unix.EISDIR, "is_a_directory"},
	{unix.ELOOP, "too_many_links"},
	{unix.ENAMETOOLONG, "invalid_path"},
	{unix.EEXIST, "invalid_request"},
	{unix.EACCES, "permission_denied"},
	{unix.EPERM, "permission_denied"},
	{unix.EROFS, "read_only"},
	{unix.ENOSPC, "disk_full"},
	{unix.EDQUOT, "disk_full"},
	{unix.EFBIG, "disk_full"},
}

// explain maps a system error to its code.
func explain(err error, path string) error {
	var refusal *Refusal
	if err == nil || errors.As(err, &refusal) {
		return err
	}
	for _, known := range codes {
		if errors.Is(err, known.cause) {
			return refuse(known.code, "%.500q: %v", path, known.cause)
		}
	}
	return err
}

// checkPath takes absolute paths only and gives them without dots.
func checkPath(path string) (string, error) {
	if !filepath.IsAbs(path) || strings.ContainsRune(path, 0) {
		return "", refuse("invalid_path", "%.500q is not an absolute path", path)
	}
	return filepath.Clean(path), nil
}

// kindOf names a file's type as the wire does.
func kindOf(mode fs.FileMode) string {
	switch mode.Type() {
	case 0:
		return "file"
	case fs.ModeDir:
		return "directory"
	case fs.ModeSymlink:
		return "symlink"
	}
	return "other"
}

func notAFile(path, kind string) error {
	if kind == "directory" {
		return refuse("is_a_directory", "%.500q is a directory", path)
	}
	return refuse("not_a_file", "%.500q is not a regular file", path)
}
