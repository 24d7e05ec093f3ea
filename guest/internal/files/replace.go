// Replacing text in a file, when it occurs as often as expected.

package files

import (
	"bytes"
	"io"

	"golang.org/x/sys/unix"
)

// mostReplace bounds a file that text is replaced in, in bytes.
const mostReplace = 64 << 20

// ReplaceRequest asks for each OldText to become NewText.
type ReplaceRequest struct {
	Path          []byte `json:"path"`
	OldText       string `json:"old_text"`
	NewText       string `json:"new_text"`
	ExpectedCount int    `json:"expected_count"`
}

// Replaced says what became of the file.
type Replaced struct {
	Size          int64 `json:"size"`
	ReplacedCount int   `json:"replaced_count"`
}

// Replace changes nothing unless the old text is there as often as expected.
func (r *Room) Replace(request ReplaceRequest) (*Replaced, error) {
	path, err := checkPath(string(request.Path))
	if err != nil {
		return nil, err
	}
	if request.OldText == "" || request.ExpectedCount < 1 {
		return nil, refuse("invalid_request", "old_text is not empty and expected_count at least 1")
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	fd, _, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	old, err := io.ReadAll(io.LimitReader(descriptor(fd), mostReplace+1))
	_ = unix.Close(fd)
	if err != nil {
		return nil, explain(err, path)
	}
	if len(old) > mostReplace {
		return nil, refuse("file_too_large", "%.500q is longer than %d bytes", path, mostReplace)
	}
	count := bytes.Count(old, []byte(request.OldText))
	if count != request.ExpectedCount {
		return nil, refuse("replacement_mismatch", "%.500q %s", path, mismatch(old, []byte(request.OldText), count, request.ExpectedCount))
	}
	content := bytes.ReplaceAll(old, []byte(request.OldText), []byte(request.NewText))
	written, err := r.replaceContent(path, WriteRequest{Path: path}, bytes.NewReader(content))
	if err != nil {
		return nil, explain(err, path)
	}
	return &Replaced{Size: written.Size, ReplacedCount: count}, nil
}
