// Replacing text in a file, when it occurs as often as expected.

package files

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"golang.org/x/sys/unix"
)

// mostReplace bounds the size of a file to replace text in, in bytes.
const mostReplace = 64 << 20

// mostEditWork bounds what several edits read of a file, in bytes: each reads all of it.
const mostEditWork = 1 << 30

// mostNamedEdits bounds the edits that a refusal names.
const mostNamedEdits = 10

// Edit is a text that becomes another: each occurrence, of which there are ExpectedCount, or at least one where that is 0.
type Edit struct {
	OldText       string `json:"old_text"`
	NewText       string `json:"new_text"`
	ExpectedCount int    `json:"expected_count"`
}

// ReplaceRequest asks for edits, each on what the one before has made.
type ReplaceRequest struct {
	Path  []byte `json:"path"`
	Edits []Edit `json:"edits"`
}

// Replaced describes the result.
type Replaced struct {
	Size          int64 `json:"size"`
	ReplacedCount int   `json:"replaced_count"`
}

// Replace changes nothing unless every old text is there as often as expected.
func (r *Store) Replace(request ReplaceRequest) (*Replaced, error) {
	path, err := checkPath(string(request.Path))
	if err != nil {
		return nil, err
	}
	if len(request.Edits) == 0 {
		return nil, refuse("invalid_request", "there are no edits")
	}
	for _, edit := range request.Edits {
		if edit.OldText == "" || edit.ExpectedCount < 0 {
			return nil, refuse("invalid_request", "old_text must not be empty, nor expected_count negative")
		}
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
		return nil, refuse("file_too_large", "%.500q is larger than %d bytes", path, mostReplace)
	}
	if len(request.Edits) > 1 && len(request.Edits)*len(old) > mostEditWork {
		return nil, refuse("file_too_large", "%.500q is too large for %d edits at once", path, len(request.Edits))
	}
	content, count, err := applyEdits(old, request.Edits, path)
	if err != nil {
		return nil, err
	}
	written, err := r.replaceContent(path, WriteRequest{Path: path}, bytes.NewReader(content))
	if err != nil {
		return nil, explain(err, path)
	}
	return &Replaced{Size: written.Size, ReplacedCount: count}, nil
}

// applyEdits gives the content after all edits; an error names every one that does not fit.
func applyEdits(content []byte, edits []Edit, path string) ([]byte, int, error) {
	total := 0
	var failures []string
	for index, edit := range edits {
		old, text := []byte(edit.OldText), []byte(edit.NewText)
		count := bytes.Count(content, old)
		if count == 0 || (edit.ExpectedCount > 0 && count != edit.ExpectedCount) {
			said := mismatch(content, old, count, max(edit.ExpectedCount, 1))
			if len(edits) > 1 {
				said = fmt.Sprintf("edits[%d]: %s", index, said)
			}
			failures = append(failures, said)
			continue
		}
		if len(content)+count*(len(text)-len(old)) > mostReplace {
			return nil, 0, refuse("file_too_large", "%.500q would be larger than %d bytes", path, mostReplace)
		}
		content = bytes.ReplaceAll(content, old, text)
		total += count
	}
	if len(failures) == 0 {
		return content, total, nil
	}
	if len(failures) > mostNamedEdits {
		failures = append(failures[:mostNamedEdits], fmt.Sprintf("and %d more edits", len(failures)-mostNamedEdits))
	}
	return nil, 0, refuse("replacement_mismatch", "%.500q %s", path, strings.Join(failures, "; "))
}
