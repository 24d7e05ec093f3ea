// Listings: the entries of a folder and of those below it, in pages sorted by the bytes of their paths.

package files

import (
	"context"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	mostEntries = 10_000
	mostDepth   = 1000
	// mostListingBytes ends a page early: the host takes answers of 1 MiB.
	mostListingBytes = 700 << 10
	// entryBytes is about how long an entry's JSON is, without its paths.
	entryBytes = 160
)

// Entry is one path of a listing.
type Entry struct {
	Path    []byte `json:"path"`
	Type    string `json:"type"`
	Size    int64  `json:"size"`
	Mode    uint32 `json:"mode"`
	MtimeMs int64  `json:"mtime_ms"`
	Target  []byte `json:"link_target,omitempty"`
}

// Listing is a page; NextCursor is its last path if more follows.
type Listing struct {
	Entries    []Entry `json:"entries"`
	NextCursor []byte  `json:"next_cursor,omitempty"`
}

// ListRequest asks for what is below Path, down to Depth folders, behind Cursor.
type ListRequest struct {
	Path   string
	Depth  int
	Glob   string
	Limit  int
	Cursor string
}

// List returns one page. A path that is not a folder lists itself.
func (r *Store) List(ctx context.Context, request ListRequest) (*Listing, error) {
	path, err := checkPath(request.Path)
	if err != nil {
		return nil, err
	}
	if request.Depth < 1 || request.Depth > mostDepth || request.Limit < 1 || request.Limit > mostEntries {
		return nil, refuse("invalid_request", "depth must be 1 to %d and limit 1 to %d", mostDepth, mostEntries)
	}
	pattern, err := parseGlob(request.Glob)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, explain(err, path)
	}
	l := &lister{store: r, ctx: ctx, request: request, pattern: pattern, page: &Listing{Entries: []Entry{}}}
	if !info.IsDir() {
		if path > request.Cursor {
			l.add(path)
		}
		return l.page, nil
	}
	err = l.walk(path, "", request.Depth)
	return l.page, explain(err, path)
}

type lister struct {
	store   *Store
	ctx     context.Context
	request ListRequest
	pattern glob
	page    *Listing
	bytes   int
}

// walk lists a folder; relative is its path below the first one, with a slash at the end unless it is that.
func (l *lister) walk(path, relative string, depth int) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		if relative == "" {
			return err
		}
		// Gone or closed since: the others are still worth listing.
		return l.ctx.Err()
	}
	// In path order, the contents of a folder come after "folder/", and "folder-x" comes before that.
	var keys []string
	for _, entry := range entries {
		if l.store.isHidden(entry.Name()) {
			continue
		}
		keys = append(keys, entry.Name())
		// Git's own files are listed only when asked for by their own path.
		if entry.IsDir() && depth > 1 && entry.Name() != ".git" {
			keys = append(keys, entry.Name()+"/")
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		if l.page.NextCursor != nil {
			return nil
		}
		full := strings.TrimSuffix(path, "/") + "/" + key
		if strings.HasSuffix(key, "/") {
			if l.request.Cursor > full && !strings.HasPrefix(l.request.Cursor, full) {
				continue
			}
			if err := l.walk(strings.TrimSuffix(full, "/"), relative+key, depth-1); err != nil {
				return err
			}
			continue
		}
		if full > l.request.Cursor && l.pattern.matches(relative+key) {
			l.add(full)
		}
	}
	return l.ctx.Err()
}

// add puts an entry on the page, or ends the page when it is full.
func (l *lister) add(path string) {
	var status unix.Stat_t
	if err := unix.Lstat(path, &status); err != nil {
		return
	}
	entry := entryOf(path, &status)
	size := entryBytes + (len(path)+len(entry.Target))*4/3
	if count := len(l.page.Entries); count > 0 && (count >= l.request.Limit || l.bytes+size > mostListingBytes) {
		l.page.NextCursor = l.page.Entries[count-1].Path
		return
	}
	l.bytes += size
	l.page.Entries = append(l.page.Entries, entry)
}

func entryOf(path string, status *unix.Stat_t) Entry {
	entry := Entry{
		Path: []byte(path), Type: kindOfStat(status.Mode), Mode: status.Mode & 0o7777,
		// Times before 1970 cannot be sent.
		MtimeMs: max(0, status.Mtim.Nano()/1e6),
	}
	switch entry.Type {
	case "file":
		entry.Size = status.Size
	case "symlink":
		if target, err := os.Readlink(path); err == nil {
			entry.Target = []byte(target)
		}
	}
	return entry
}

func kindOfStat(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return "file"
	case unix.S_IFDIR:
		return "directory"
	case unix.S_IFLNK:
		return "symlink"
	}
	return "other"
}
