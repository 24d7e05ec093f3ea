// The store of files: where the guest's overlays have their layers, and what the agent hides of its own.

// Package files lets the host list, read, write, compare, pack and unpack the files of a guest.
package files

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// stagingPrefix begins the name of each draft: a file or a tree that is not yet in its place.
const stagingPrefix = ".pyro-staging-"

// Layers are the folders of one overlay. Upper and Lower stay open, so that no path of the guest leads to them.
type Layers struct {
	// Merged is the path where the overlay is mounted.
	Merged string
	Upper  *os.File
	Lower  *os.File
	// Hidden are paths below the root that changes leave out with all below them: what the agent mounts over.
	Hidden map[string]bool
	// Made are folders that the agent makes where the image has none.
	Made map[string]bool
	// IsUnprivileged says that the overlay was mounted without privileges, and so keeps its marks among those of users.
	IsUnprivileged bool
}

// marks gives the whole name of an attribute that the overlay writes.
func (l *Layers) marks(name string) string {
	if l.IsUnprivileged {
		return "user." + name
	}
	return "trusted." + name
}

// Store answers for the files of one guest. Its zero value has no overlays: all but changes works.
type Store struct {
	mu        sync.Mutex
	workspace *Layers
	system    *Layers
	// hidden are the names of current drafts. Only these are left out, so that a guest cannot hide anything.
	hidden map[string]bool
	// writing is held by whoever changes a file, so that no change is lost between a read and a rename.
	writing sync.Mutex
}

// Use tells the overlays.
func (r *Store) Use(workspace, system *Layers) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.workspace, r.system = workspace, system
}

// Sweep removes what an unfinished unpacking left behind.
func (r *Store) Sweep() {
	for _, root := range r.roots() {
		paths, _ := filepath.Glob(filepath.Join(root, stagingPrefix+"*"))
		for _, path := range paths {
			// What cannot be removed stays hidden.
			_ = os.RemoveAll(path)
		}
	}
}

// layers returns the overlay of a scope; nil when there is none.
func (r *Store) layers(scope string) *Layers {
	r.mu.Lock()
	defer r.mu.Unlock()
	if scope == "system" {
		return r.system
	}
	return r.workspace
}

// roots are the places where overlays are mounted, the innermost first.
func (r *Store) roots() []string {
	var roots []string
	for _, scope := range []string{"workspace", "system"} {
		if layers := r.layers(scope); layers != nil {
			roots = append(roots, layers.Merged)
		}
	}
	return roots
}

// hide returns a name for a draft that no listing shows until it is released.
func (r *Store) hide() (name string, release func()) {
	name = stagingPrefix + rand.Text()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hidden == nil {
		r.hidden = map[string]bool{}
	}
	r.hidden[name] = true
	return name, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.hidden, name)
	}
}

func (r *Store) isHidden(name string) bool {
	if !strings.HasPrefix(name, stagingPrefix) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.hidden[name]
}
