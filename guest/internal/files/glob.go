// Globs: patterns of paths, where ** stands for any number of folders.

package files

import (
	"path"
	"strings"
)

const (
	longestGlob = 4096
	// mostGlobParts bounds the work of a pattern with many **.
	mostGlobParts = 64
)

// glob is a parsed pattern. One without a slash is about names; an empty one takes everything.
type glob struct {
	parts      []string
	isOnName   bool
	isAnything bool
}

func parseGlob(pattern string) (glob, error) {
	if pattern == "" {
		return glob{isAnything: true}, nil
	}
	parts := strings.Split(strings.Trim(pattern, "/"), "/")
	if len(pattern) > longestGlob || len(parts) > mostGlobParts {
		return glob{}, refuse("invalid_request", "the glob is too long")
	}
	// Repeated ** mean what one does, and cost more.
	kept := parts[:1]
	for _, part := range parts[1:] {
		if part != "**" || kept[len(kept)-1] != "**" {
			kept = append(kept, part)
		}
	}
	for _, part := range kept {
		if _, err := path.Match(part, ""); err != nil {
			return glob{}, refuse("invalid_request", "the glob %.200q does not parse", pattern)
		}
	}
	return glob{parts: kept, isOnName: !strings.Contains(pattern, "/") && pattern != "**"}, nil
}

// matches takes a path relative to the listed folder.
func (g glob) matches(relative string) bool {
	if g.isAnything {
		return true
	}
	names := strings.Split(relative, "/")
	if g.isOnName {
		return matchesParts(g.parts, names[len(names)-1:])
	}
	return matchesParts(g.parts, names)
}

// matchesParts goes back to the last ** only, so that its work is the product of the lengths at most.
func matchesParts(parts, names []string) bool {
	part, name, star, mark := 0, 0, -1, 0
	for name < len(names) {
		switch {
		case part < len(parts) && parts[part] == "**":
			star, mark = part, name
			part++
			continue
		case part < len(parts):
			if ok, _ := path.Match(parts[part], names[name]); ok {
				part++
				name++
				continue
			}
		}
		if star < 0 {
			return false
		}
		mark++
		part, name = star+1, mark
	}
	for part < len(parts) && parts[part] == "**" {
		part++
	}
	return part == len(parts)
}
