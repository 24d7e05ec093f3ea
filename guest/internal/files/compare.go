// Comparing a tree of the host with what is in the guest, so that only differences are sent.

package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	mostItems = 1_000_000
	// batch is how many answers a line carries: the host limits the length of lines.
	batch = 100
)

// Item is a path of the host's tree; Sha256 is that of a file's data or a link's target.
type Item struct {
	Path   []byte `json:"path"`
	Type   string `json:"type"`
	Mode   uint32 `json:"mode"`
	Size   int64  `json:"size"`
	Sha256 string `json:"sha256"`
}

// Differences is a line of the answer; the last one says End.
type Differences struct {
	Different []int    `json:"different,omitempty"`
	Extra     [][]byte `json:"extra,omitempty"`
	End       bool     `json:"end,omitempty"`
}

// Comparison is a tree of the host that has been read.
type Comparison struct {
	destination string
	items       []Item
	// known are the paths of all items and of the folders they are in.
	known map[string]bool
}

// Compare reads items, one JSON value after the other.
func (r *Store) Compare(destination string, body io.Reader) (*Comparison, error) {
	destination, err := checkPath(destination)
	if err != nil {
		return nil, err
	}
	c := &Comparison{destination: destination, known: map[string]bool{}}
	decoder := json.NewDecoder(body)
	decoder.DisallowUnknownFields()
	for {
		var item Item
		if err := decoder.Decode(&item); errors.Is(err, io.EOF) {
			return c, nil
		} else if err != nil {
			return nil, refuse("invalid_request", "an item does not parse: %v", err)
		}
		path := string(item.Path)
		if !isInside(path) {
			return nil, refuse("invalid_path", "%.500q is not a path below the destination", path)
		}
		if len(c.items) >= mostItems {
			return nil, refuse("invalid_request", "more than %d items", mostItems)
		}
		c.items = append(c.items, item)
		c.known[path] = true
		for at := strings.LastIndexByte(path, '/'); at > 0 && !c.known[path[:at]]; at = strings.LastIndexByte(path[:at], '/') {
			c.known[path[:at]] = true
		}
	}
}

// Stream writes the answer as lines of JSON.
func (c *Comparison) Stream(ctx context.Context, r *Store, to io.Writer) error {
	out := &lines{encoder: json.NewEncoder(to)}
	root, err := os.Open(c.destination)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		for index := range c.items {
			out.different(index)
		}
		return out.end()
	}
	if err != nil {
		return err
	}
	defer root.Close()
	if err := c.different(ctx, out, root); err != nil {
		return err
	}
	top, err := reopen(root)
	if err == nil {
		err = c.extra(ctx, r, out, top, "")
	}
	if err != nil {
		return err
	}
	return out.end()
}

func (c *Comparison) different(ctx context.Context, out *lines, root *os.File) error {
	// Consecutive items mostly share their folder.
	var around *folder
	defer func() { around.close() }()
	last := "/"
	for index := range c.items {
		if err := ctx.Err(); err != nil {
			return err
		}
		parent, name := split(string(c.items[index].Path))
		if parent != last {
			around.close()
			var err error
			if around, err = openBelow(root, parent); err != nil {
				return err
			}
			last = parent
		}
		n, err := around.find(name)
		if err != nil {
			return err
		}
		isEqual, err := c.items[index].equals(n)
		if err != nil {
			return err
		}
		if !isEqual {
			out.different(index)
		}
	}
	return out.failure
}

func (i *Item) equals(n *node) (bool, error) {
	if n.kind() != i.Type || i.Type != "symlink" && n.status.Mode&0o7777 != i.Mode {
		return false, nil
	}
	if i.Type == "directory" {
		return true, nil
	}
	if n.status.Size != i.Size {
		return false, nil
	}
	held, err := n.open()
	if err != nil {
		return false, gone(err)
	}
	defer held.Close()
	hash := sha256.New()
	if _, err := held.WriteTo(hash); err != nil || held.isTorn {
		return false, err
	}
	return hex.EncodeToString(hash.Sum(nil)) == i.Sha256, nil
}

// extra reports what is in a folder but not among the items, and closes the folder.
func (c *Comparison) extra(ctx context.Context, r *Store, out *lines, here *folder, path string) error {
	defer here.close()
	names, err := here.names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if r.isHidden(name) || path == "" && name == ".git" {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if len(path)+len(name) > longestPath {
			return refuse("invalid_path", "a path is longer than %d bytes", longestPath)
		}
		if !c.known[path+name] {
			out.extra([]byte(path + name))
		}
		n, err := here.find(name)
		if err != nil {
			return err
		}
		below, err := n.openFolder()
		if err != nil {
			return err
		}
		if below != nil {
			if err := c.extra(ctx, r, out, below, path+name+"/"); err != nil {
				return err
			}
		}
	}
	return out.failure
}

// lines gathers answers and writes them in batches.
type lines struct {
	encoder *json.Encoder
	next    Differences
	failure error
}

func (l *lines) different(index int) {
	l.next.Different = append(l.next.Different, index)
	l.flush(batch)
}

func (l *lines) extra(path []byte) {
	l.next.Extra = append(l.next.Extra, path)
	l.flush(batch)
}

func (l *lines) flush(least int) {
	if len(l.next.Different)+len(l.next.Extra) < least {
		return
	}
	l.failure = errors.Join(l.failure, l.encoder.Encode(l.next))
	l.next = Differences{}
}

func (l *lines) end() error {
	l.next.End = true
	l.flush(0)
	return l.failure
}
