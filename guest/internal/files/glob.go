// Globs: path patterns, where ** stands for any number of folders and {a,b} for either.

package files

import (
	"path"
	"strings"
)

const (
	longestGlob = 4096
	// mostGlobParts bounds the work of a pattern with many **.
	mostGlobParts = 64
	// mostAlternatives bounds how many patterns braces expand to.
	mostAlternatives = 64
)

// glob is a parsed pattern: it matches what any of its alternatives matches. Without alternatives it matches everything.
type glob []alternative

// alternative is a pattern without braces. Without a slash it matches names only.
type alternative struct {
	parts    []string
	isOnName bool
}

func parseGlob(pattern string) (glob, error) {
	if pattern == "" {
		return nil, nil
	}
	if len(pattern) > longestGlob {
		return nil, refuse("invalid_request", "the glob is too long")
	}
	plain, isWhole := withoutBraces(pattern, mostAlternatives)
	if !isWhole {
		return nil, refuse("invalid_request", "the braces of the glob make more than %d patterns", mostAlternatives)
	}
	var g glob
	for _, each := range plain {
		parsed, err := parseAlternative(each)
		if err != nil {
			return nil, err
		}
		g = append(g, parsed)
	}
	return g, nil
}

// withoutBraces expands the braces of a pattern; false when there are more than limit results.
// Braces that are not closed, or have no comma, stand for themselves.
func withoutBraces(pattern string, limit int) ([]string, bool) {
	start, end, commas := findBraces(pattern)
	if start < 0 {
		return []string{pattern}, true
	}
	var all []string
	from := start + 1
	for _, to := range append(commas, end) {
		some, isWhole := withoutBraces(pattern[:start]+pattern[from:to]+pattern[end+1:], limit-len(all))
		all = append(all, some...)
		if !isWhole || len(all) > limit {
			return nil, false
		}
		from = to + 1
	}
	return all, true
}

// findBraces returns the positions of the first pair of braces with a comma of its own, and of these commas.
func findBraces(pattern string) (start, end int, commas []int) {
	for start = 0; start < len(pattern); start++ {
		if pattern[start] == '\\' {
			start++
			continue
		}
		if pattern[start] != '{' {
			continue
		}
		if end, commas = closeBraces(pattern, start); end > 0 && len(commas) > 0 {
			return start, end, commas
		}
	}
	return -1, -1, nil
}

func closeBraces(pattern string, start int) (end int, commas []int) {
	depth := 0
	for i := start; i < len(pattern); i++ {
		switch pattern[i] {
		case '\\':
			i++
		case '{':
			depth++
		case ',':
			if depth == 1 {
				commas = append(commas, i)
			}
		case '}':
			if depth--; depth == 0 {
				return i, commas
			}
		}
	}
	return -1, nil
}

func parseAlternative(pattern string) (alternative, error) {
	parts := strings.Split(strings.Trim(pattern, "/"), "/")
	if len(parts) > mostGlobParts {
		return alternative{}, refuse("invalid_request", "the glob is too long")
	}
	// Repeated ** mean the same as one, but cost more.
	kept := parts[:1]
	for _, part := range parts[1:] {
		if part != "**" || kept[len(kept)-1] != "**" {
			kept = append(kept, part)
		}
	}
	for _, part := range kept {
		if _, err := path.Match(part, ""); err != nil {
			return alternative{}, refuse("invalid_request", "the glob %.200q does not parse", pattern)
		}
	}
	return alternative{parts: kept, isOnName: !strings.Contains(pattern, "/") && pattern != "**"}, nil
}

// matches takes a path relative to the listed folder.
func (g glob) matches(relative string) bool {
	if len(g) == 0 {
		return true
	}
	names := strings.Split(relative, "/")
	for _, each := range g {
		some := names
		if each.isOnName {
			some = names[len(names)-1:]
		}
		if matchesParts(each.parts, some) {
			return true
		}
	}
	return false
}

// matchesParts backtracks to the last ** only, so that its work is at most the product of the lengths.
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
