// Tests of changes that are asked for in part: a path, without some paths, without large contents; and given up.

package files

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestChangesAreNarrowedInTheGuest(t *testing.T) {
	store, merged := overlay(t, "a=one", "ab=one", "d/x=dx", "d/deep/y=dy")
	plant(t, merged, "a=two", "ab=two", "d/x=DX", "d/deep/y=DY", "d/deep/z=new", "dd/q=new", "m/n/o=new", "m/p=new")
	for name, c := range map[string]struct {
		request ChangesRequest
		want    []string
	}{
		"below a folder":                     {ChangesRequest{Below: []byte("d")}, []string{"d/deep/y f:dy f:DY", "d/deep/z none f:new", "d/x f:dx f:DX"}},
		"below a deeper one":                 {ChangesRequest{Below: []byte("d/deep")}, []string{"d/deep/y f:dy f:DY", "d/deep/z none f:new"}},
		"a file, not one whose name goes on": {ChangesRequest{Below: []byte("a")}, []string{"a f:one f:two"}},
		"a path that is not there":           {ChangesRequest{Below: []byte("none/x")}, []string{}},
		"without paths": {ChangesRequest{LeftOut: [][]byte{[]byte("d"), []byte("m/n"), []byte("ab")}}, []string{
			"a f:one f:two", "dd none d:", "dd/q none f:new", "m none d:", "m/p none f:new"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.request.Scope, c.request.Content = "workspace", true
			records, failure := changesOf(t, store, c.request)
			if got := short(records); failure != nil || !slices.Equal(got, c.want) {
				t.Fatalf("%q %v\nwant %q", got, failure, c.want)
			}
		})
	}
}

func TestLargeContentsAreWithheld(t *testing.T) {
	store, merged := overlay(t, "grows=small", "stays=four")
	plant(t, merged, "grows="+strings.Repeat("x", 11), "stays=FOUR", "new="+strings.Repeat("y", 2<<20))
	records, failure := changesOf(t, store, ChangesRequest{Scope: "workspace", Content: true, LargestContent: 10})
	want := []string{"grows f:small f:", "new none f:", "stays f:four f:FOUR"}
	if got := short(records); failure != nil || !slices.Equal(got, want) {
		t.Fatalf("%q %v", got, failure)
	}
	grows, isNew := records[0].head.After, records[1].head.After
	if !grows.Withheld || grows.Size != 11 || !isNew.Withheld || isNew.Size != 2<<20 || records[0].head.Before.Withheld {
		t.Fatalf("%+v %+v", grows, isNew)
	}
}

// stopping gives up after its first write.
type stopping struct {
	cancel  context.CancelFunc
	written int
}

func (s *stopping) Write(p []byte) (int, error) {
	s.written += len(p)
	s.cancel()
	return len(p), nil
}

func TestChangesThatAreGivenUpAreReadNoFurther(t *testing.T) {
	store, merged := overlay(t, "a=one")
	must(t, os.WriteFile(filepath.Join(merged, "big"), make([]byte, 64<<20), 0o644))
	changes, err := store.Changes(ChangesRequest{Scope: "workspace", Content: true})
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	to := &stopping{cancel: cancel}
	if err := changes.Stream(ctx, to); !errors.Is(err, context.Canceled) {
		t.Fatalf("it ended with %v", err)
	}
	if to.written > 1<<20 {
		t.Fatalf("%d bytes were written after that", to.written)
	}
}

func TestFilesAreComparedNoFurtherOnceGivenUp(t *testing.T) {
	store, merged := overlay(t, "same=one")
	must(t, os.Chmod(filepath.Join(merged, "same"), 0o644))
	plant(t, merged, "same=one")
	changes, err := store.Changes(ChangesRequest{Scope: "workspace"})
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	must(t, changes.Stream(ctx, &out))
	if !strings.Contains(out.String(), context.Canceled.Error()) {
		t.Fatalf("%q", out.String())
	}
}

func TestPackLeavesOutPaths(t *testing.T) {
	from := t.TempDir()
	plant(t, from, "keep=1", "build/out=2", "src/a.go=3", "src/a.o=4", "src/build/deep=5")
	pack, err := (&Store{}).Pack(PackRequest{Path: []byte(from), LeftOut: [][]byte{[]byte("build"), []byte("src/a.o")}})
	must(t, err)
	defer pack.Close()
	var out bytes.Buffer
	must(t, pack.Stream(t.Context(), &out))
	names := []string{}
	for in := tar.NewReader(&out); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
		names = append(names, header.Name)
	}
	want := []string{".", "keep", "src", "src/a.go", "src/build", "src/build/deep"}
	slices.Sort(names)
	if !slices.Equal(names, want) {
		t.Fatalf("%q", names)
	}
}
