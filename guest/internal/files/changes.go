// Changes: what differs between an overlay and its lower layer, as a stream of records.

package files

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
)

// Kinds of frames: a head, the bytes of both sides, an end, and so on; then the end of all, or a failure.
const (
	frameHead    = 1
	frameBefore  = 2
	frameAfter   = 3
	frameEnd     = 4
	frameAll     = 5
	frameFailure = 6
)

const (
	frameHeaderBytes = 5
	longestFrame     = 65536
	mostExplicit     = 100_000
)

// ChangesRequest asks for the changes of a scope.
type ChangesRequest struct {
	Scope   string `json:"scope"`
	Content bool   `json:"content"`
	// Paths are reported changed or not; Exact reports nothing else.
	Paths         [][]byte `json:"paths,omitempty"`
	Exact         bool     `json:"exact,omitempty"`
	ExcludedNames []string `json:"excluded_names,omitempty"`
	// Below is the path at and below which changes are looked for; everywhere when it is empty.
	Below []byte `json:"below,omitempty"`
	// LeftOut are paths that are not reported, and neither is what is below them.
	LeftOut [][]byte `json:"left_out,omitempty"`
	// LeafNames are the names of files and links that are reported; all of them when there are none. Folders are reported anyway.
	LeafNames []string `json:"leaf_names,omitempty"`
	// Folded are folders that, if the lower layer lacks them, are counted as a whole instead of walked.
	Folded [][]byte `json:"folded,omitempty"`
	// LargestContent is the size of a file up to which its content is sent, in bytes; 0 sends all.
	LargestContent int64 `json:"largest_content,omitempty"`
}

// Side is the state of a path before or after.
type Side struct {
	Type string `json:"type"`
	Mode uint32 `json:"mode"`
	Size int64  `json:"size"`
	// Withheld is true when the content is not sent, because it is larger than was asked for.
	Withheld bool `json:"withheld,omitempty"`
}

// Fold counts what is below a folder, other than folders.
type Fold struct {
	Files int64 `json:"files"`
	Bytes int64 `json:"bytes"`
}

// ChangeHead begins a record.
type ChangeHead struct {
	Path   []byte `json:"path"`
	Before *Side  `json:"before,omitempty"`
	After  *Side  `json:"after,omitempty"`
	Folded *Fold  `json:"folded,omitempty"`
}

// ChangeEnd ends a record. A side is torn when its file changed while it was read.
type ChangeEnd struct {
	Torn bool `json:"torn"`
}

// ChangesEnd ends a stream that is complete.
type ChangesEnd struct {
	Records int `json:"records"`
}

// ChangesFailure ends a stream that is not.
type ChangesFailure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Changes is a stream that has been prepared.
type Changes struct {
	store   *Store
	layers  *Layers
	request ChangesRequest
}

// Changes checks a request; the stream has a place for later failures.
func (r *Store) Changes(request ChangesRequest) (*Changes, error) {
	if request.Scope != "workspace" && request.Scope != "system" {
		return nil, refuse("invalid_request", "scope must be workspace or system")
	}
	if request.Scope == "system" && request.Content {
		return nil, refuse("invalid_request", "changes of the system carry no content")
	}
	if len(request.Paths) > mostExplicit || len(request.LeftOut) > mostExplicit || len(request.Folded) > mostExplicit {
		return nil, refuse("invalid_request", "more than %d paths", mostExplicit)
	}
	named := slices.Concat(request.Paths, request.LeftOut, request.Folded)
	if len(request.Below) > 0 {
		named = append(named, request.Below)
	}
	for _, path := range named {
		if !isInside(string(path)) {
			return nil, refuse("invalid_path", "%.500q is not a path below the root", path)
		}
	}
	layers := r.layers(request.Scope)
	if layers == nil {
		return nil, refuse("no_layers", "there is no overlay to compare with")
	}
	return &Changes{r, layers, request}, nil
}

// isInside takes relative paths without empty, . and .. parts.
func isInside(path string) bool {
	for name := range strings.SplitSeq(path, "/") {
		if name == "" || name == "." || name == ".." {
			return false
		}
	}
	return len(path) <= longestPath && !strings.ContainsRune(path, 0)
}

// Stream writes all records. It returns only a failure of the connection; others are in the stream.
func (c *Changes) Stream(ctx context.Context, to io.Writer) error {
	out := &recorder{Writer: bufio.NewWriterSize(to, longestFrame), ctx: ctx, hasContent: c.request.Content, largest: c.request.LargestContent}
	err := c.records(ctx, out)
	if out.failure != nil {
		return out.failure
	}
	if err != nil {
		failure := ChangesFailure{"internal", err.Error()}
		if refusal := new(Refusal); errors.As(err, &refusal) {
			failure.Code = refusal.Code
		}
		failure.Message = strings.ToValidUTF8(failure.Message[:min(len(failure.Message), 1000)], "\uFFFD")
		out.json(frameFailure, failure)
	} else {
		out.json(frameAll, ChangesEnd{out.records})
	}
	return errors.Join(out.failure, out.Flush())
}

func (c *Changes) records(ctx context.Context, out *recorder) error {
	skipped := map[string]bool{}
	merged, err := os.Open(c.layers.Merged)
	if err != nil {
		return err
	}
	defer merged.Close()
	for _, path := range c.request.Paths {
		if skipped[string(path)] {
			continue
		}
		skipped[string(path)] = true
		if err := c.explicit(out, merged, string(path)); err != nil {
			return err
		}
	}
	if c.request.Exact {
		return nil
	}
	w := &walker{
		ctx: ctx, store: c.store, layers: c.layers, below: string(c.request.Below),
		excluded: setOf(c.request.ExcludedNames), leftOut: setOf(c.request.LeftOut), skipped: skipped, emit: out.record,
		folded: setOf(c.request.Folded), emitFolded: out.folded, leafNames: setOf(c.request.LeafNames),
	}
	return w.walk()
}

func setOf[T string | []byte](of []T) map[string]bool {
	set := map[string]bool{}
	for _, each := range of {
		set[string(each)] = true
	}
	return set
}

// explicit reports a path whether or not it has changed.
func (c *Changes) explicit(out *recorder, merged *os.File, path string) error {
	before, err := descend(c.layers.Lower, path)
	if err != nil {
		return err
	}
	if before != nil {
		defer before.in.close()
	}
	after, err := descend(merged, path)
	if err != nil {
		return err
	}
	if after != nil {
		defer after.in.close()
	}
	return out.record(pair{path, before, after})
}
