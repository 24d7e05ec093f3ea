// The walk over an overlay's upper layer: what differs from the lower one, at a cost proportional to the differences.

package files

import (
	"context"
	"errors"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// longestPath bounds a path of the walk, in bytes: the host accepts no longer ones.
const longestPath = 4096

// pair is a path before and after; either may be nil.
type pair struct {
	path          string
	before, after *node
}

// walker compares an overlay with its lower layer.
type walker struct {
	ctx      context.Context
	store    *Store
	layers   *Layers
	excluded map[string]bool
	// below is the path to look at, with all below it; everything when it is empty.
	below string
	// leftOut are paths to ignore, with everything below them.
	leftOut map[string]bool
	// skipped are paths that are reported elsewhere.
	skipped map[string]bool
	emit    func(pair) error
	// folded are folders that are counted, not walked, where the lower layer has none.
	folded     map[string]bool
	emitFolded func(string, *node, Fold) error
	// leafNames are those of files and links that are wanted; all of them when there are none.
	leafNames map[string]bool
	// counting is set below such a folder.
	counting *Fold
}

// place is a path where there was a folder, is one, or both.
type place struct {
	// path ends with a slash, unless it is the root's.
	path string
	// base is the folder of the lower layer at this path.
	base *folder
	// upper and below are what the folder that stands there now is made of.
	upper, below *folder
}

func (p *place) close() {
	p.base.close()
	p.upper.close()
	if p.below != p.base {
		p.below.close()
	}
}

// isSame is true when what shows through is what was there: then only entries of the upper layer can differ.
func (p *place) isSame() bool {
	return p.base != nil && p.below != nil && p.base.at == p.below.at
}

// walk reports everything that differs.
func (w *walker) walk() error {
	upper, err := reopen(w.layers.Upper)
	if err != nil {
		return err
	}
	base, err := reopen(w.layers.Lower)
	if err != nil {
		upper.close()
		return err
	}
	return w.visit(&place{"", base, upper, base})
}

// visit walks a place and closes it.
func (w *walker) visit(p *place) error {
	defer p.close()
	names, err := p.names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		path := p.path + name
		if w.excluded[name] || w.store.isHidden(name) || w.layers.Hidden[path] || w.leftOut[path] || !w.leadsTo(path) {
			continue
		}
		if err := w.look(p, name); err != nil {
			return err
		}
	}
	return nil
}

// names are those where something may differ, sorted.
func (p *place) names() ([]string, error) {
	all, err := p.upper.names()
	if err != nil || p.isSame() {
		return all, err
	}
	for _, lower := range []*folder{p.base, p.below} {
		names, err := lower.names()
		if err != nil {
			return nil, err
		}
		all = append(all, names...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// look compares one entry, and continues below it.
func (w *walker) look(p *place, name string) error {
	path := p.path + name
	if len(path) > longestPath {
		return refuse("invalid_path", "a path is longer than %d bytes: %.200q", longestPath, path)
	}
	upper, err := p.upper.find(name)
	if err != nil {
		return err
	}
	base, err := p.base.find(name)
	if err != nil {
		return err
	}
	below := base
	if !p.isSame() {
		if below, err = p.below.find(name); err != nil {
			return err
		}
	}
	after := upper
	if upper == nil {
		after = below
	} else if upper.isWhiteout() {
		after = nil
	}
	if w.counting == nil && base == nil && after.kind() == "directory" && w.folded[path] && w.isWanted(path) {
		count := Fold{}
		w.counting = &count
		err := w.into(p, path, base, after, upper, below)
		w.counting = nil
		if err != nil {
			return err
		}
		return w.emitFolded(path, after, count)
	}
	if err := w.report(pair{path, base, after}); err != nil {
		return err
	}
	return w.into(p, path, base, after, upper, below)
}

// into continues below an entry.
func (w *walker) into(p *place, path string, base, after, upper, below *node) error {
	next, err := w.open(p, base, after, upper, below)
	if err != nil || next == nil {
		return err
	}
	next.path = path + "/"
	return w.visit(next)
}

// leadsTo is true for what is at or below the wanted path, and for the folders on the way to it.
func (w *walker) leadsTo(path string) bool {
	return w.isWanted(path) || strings.HasPrefix(w.below, path+"/")
}

func (w *walker) isWanted(path string) bool {
	return w.below == "" || path == w.below || strings.HasPrefix(path, w.below+"/")
}

// report hands on what differs.
func (w *walker) report(found pair) error {
	if !w.isWanted(found.path) {
		return nil
	}
	if w.counting != nil {
		w.counting.add(found.after)
		return nil
	}
	if len(w.leafNames) > 0 && found.before.kind() != "directory" && found.after.kind() != "directory" {
		if _, name := split(found.path); !w.leafNames[name] {
			return nil
		}
	}
	isMade := found.before == nil && found.after.kind() == "directory" && w.layers.Made[found.path]
	if isMade || w.skipped[found.path] {
		return nil
	}
	isEqual, err := equal(w.ctx, found.before, found.after)
	if errors.Is(err, unix.ENOENT) {
		// Gone since it was found: the record says so.
		isEqual, err = false, nil
	}
	if err != nil || isEqual {
		return err
	}
	return w.emit(found)
}

// add counts what is no folder, and the bytes of files and links.
func (f *Fold) add(n *node) {
	kind := n.kind()
	if n == nil || kind == "directory" {
		return
	}
	f.Files++
	if kind == "file" || kind == "symlink" {
		f.Bytes += n.status.Size
	}
}

// open returns the place of an entry that was or is a folder; nil when nothing can differ below.
func (w *walker) open(p *place, base, after, upper, below *node) (next *place, err error) {
	next = &place{}
	defer func() {
		if err != nil {
			next.close()
			next = nil
		}
	}()
	if next.base, err = base.openFolder(); err != nil {
		return next, err
	}
	if after.kind() == "directory" {
		if after == upper {
			if next.upper, err = upper.openFolder(); err != nil {
				return next, err
			}
		}
		if next.below, err = w.shining(p, next.upper, below); err != nil {
			return next, err
		}
	}
	if next.base == nil && next.upper == nil && next.below == nil || next.upper == nil && next.isSame() {
		next.close()
		return nil, nil
	}
	return next, nil
}

// shining returns the folder of the lower layer that shows through; nil when none does.
func (w *walker) shining(p *place, upper *folder, below *node) (*folder, error) {
	if upper == nil {
		return below.openFolder()
	}
	if upper.mark(w.layers.marks(opaqueName)) == "y" {
		return nil, nil
	}
	redirect := upper.mark(w.layers.marks(redirectName))
	if redirect == "" {
		return below.openFolder()
	}
	// The overlay looks a path up from the root, and a name where the folder around it shines through.
	from := redirect
	if !strings.HasPrefix(redirect, "/") {
		if p.below == nil {
			return nil, nil
		}
		from = p.below.at + "/" + redirect
	}
	return openBelow(w.layers.Lower, from)
}
