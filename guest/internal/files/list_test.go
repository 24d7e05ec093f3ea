// Tests of listings.

package files

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestListing(t *testing.T) {
	folder := t.TempDir()
	plant(t, folder, "a/c=1", "a/d/e=22", "a-b=3", "a.txt=4", "z -> a", "\xff=5", "src/x.go=6", "src/deep/y.go=7")
	list := func(request ListRequest) []string {
		t.Helper()
		request.Path = folder
		if request.Limit == 0 {
			request.Limit = 100
		}
		var all []string
		for {
			page, err := (&Store{}).List(t.Context(), request)
			must(t, err)
			if len(page.Entries) > request.Limit {
				t.Fatalf("%d entries", len(page.Entries))
			}
			for _, entry := range page.Entries {
				all = append(all, strings.TrimPrefix(string(entry.Path), folder+"/"))
			}
			if page.NextCursor == nil {
				return all
			}
			request.Cursor = string(page.NextCursor)
		}
	}
	deep := list(ListRequest{Depth: 10})
	want := []string{"a", "a-b", "a.txt", "a/c", "a/d", "a/d/e", "src", "src/deep", "src/deep/y.go", "src/x.go", "z", "\xff"}
	if !slices.Equal(deep, want) || !slices.IsSorted(deep) {
		t.Fatalf("%q", deep)
	}
	for limit := 1; limit < 13; limit++ {
		if got := list(ListRequest{Depth: 10, Limit: limit}); !slices.Equal(got, want) {
			t.Fatalf("pages of %d: %q", limit, got)
		}
	}
	for _, c := range []struct {
		depth int
		glob  string
		want  []string
	}{
		{1, "", []string{"a", "a-b", "a.txt", "src", "z", "\xff"}},
		{2, "", []string{"a", "a-b", "a.txt", "a/c", "a/d", "src", "src/deep", "src/x.go", "z", "\xff"}},
		{10, "*.go", []string{"src/deep/y.go", "src/x.go"}},
		{10, "src/*.go", []string{"src/x.go"}},
		{10, "src/**/*.go", []string{"src/deep/y.go", "src/x.go"}},
		{10, "**/[ce]", []string{"a/c", "a/d/e"}},
		{10, "**", want},
		{10, "nothing", nil},
	} {
		if got := list(ListRequest{Depth: c.depth, Glob: c.glob}); !slices.Equal(got, c.want) {
			t.Errorf("%d %q: %q", c.depth, c.glob, got)
		}
	}
	if _, err := (&Store{}).List(t.Context(), ListRequest{Path: folder, Depth: 1, Limit: 1, Glob: "["}); code(err) != "invalid_request" {
		t.Error(err)
	}
}

func TestListingTellsEachEntry(t *testing.T) {
	folder := t.TempDir()
	plant(t, folder, "f=1234", "l -> f", "d/")
	must(t, unix.Chmod(folder+"/f", 0o4755))
	page, err := (&Store{}).List(t.Context(), ListRequest{Path: folder, Depth: 1, Limit: 9})
	must(t, err)
	got := ""
	for _, e := range page.Entries {
		got += fmt.Sprintf("%s %d %o %s;", e.Type, e.Size, e.Mode, e.Target)
		if e.MtimeMs < 1.6e12 {
			t.Errorf("mtime %d", e.MtimeMs)
		}
	}
	if got != "directory 0 755 ;file 4 4755 ;symlink 0 777 f;" {
		t.Fatal(got)
	}
	for path, want := range map[string]string{folder + "/l": folder + "/l", folder + "/f": folder + "/f"} {
		page, err := (&Store{}).List(t.Context(), ListRequest{Path: path, Depth: 1, Limit: 9})
		if err != nil || len(page.Entries) != 1 || string(page.Entries[0].Path) != want {
			t.Errorf("%s: %+v %v", path, page, err)
		}
	}
}

func TestALongListingComesInPages(t *testing.T) {
	folder := t.TempDir()
	for at := range 5000 {
		plant(t, folder, fmt.Sprintf("%s%05d=", strings.Repeat("n", 200), at))
	}
	page, err := (&Store{}).List(t.Context(), ListRequest{Path: folder, Depth: 1, Limit: mostEntries})
	if err != nil || page.NextCursor == nil || len(page.Entries) < 1000 {
		t.Fatalf("%d entries, %v", len(page.Entries), err)
	}
}
