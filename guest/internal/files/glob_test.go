// Globs as people write them: stars, folders, braces, and what bounds them.

package files

import (
	"strings"
	"testing"
)

func TestGlobs(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"", "a/b.ts", true},
		{"*.ts", "a/b.ts", true},
		{"src/**", "src/a/b.ts", true},
		{"**/*.ts", "b.ts", true},
		{"**/*.ts", "a/c/b.ts", true},
		{"*.{ts,tsx}", "a/b.tsx", true},
		{"*.{ts,tsx}", "a/b.js", false},
		{"{src,test}/**/*.{go,py}", "test/a/b/c.py", true},
		{"{src,test}/**/*.{go,py}", "docs/c.py", false},
		{"a{,/**}/b", "a/x/y/b", true},
		{"{a,b{c,d}}.txt", "bd.txt", true},
		{"{a,b{c,d}}.txt", "b.txt", false},
		{"{one}", "{one}", true},
		{"{open,", "{open,", true},
		{`\{a,b\}`, "{a,b}", true},
	} {
		g, err := parseGlob(c.pattern)
		if err != nil {
			t.Errorf("%q: %v", c.pattern, err)
		} else if got := g.matches(c.path); got != c.want {
			t.Errorf("%q on %q: %v", c.pattern, c.path, got)
		}
	}
}

func TestGlobsAreBounded(t *testing.T) {
	for _, pattern := range []string{strings.Repeat("{a,b}", 7), strings.Repeat("{a,", 2000), strings.Repeat("x", longestGlob+1)} {
		if g, err := parseGlob(pattern); err == nil && len(g) > mostAlternatives {
			t.Errorf("%.20q makes %d patterns", pattern, len(g))
		}
	}
	if _, err := parseGlob(strings.Repeat("{a,b}", 7)); err == nil {
		t.Error("128 patterns are taken")
	}
}
