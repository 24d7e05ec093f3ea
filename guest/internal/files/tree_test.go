// Tests of unpacking trees, with what must not happen.

package files

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// standing describes a tree in short.
func standing(t *testing.T, root string) []string {
	t.Helper()
	all := []string{}
	must(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		must(t, err)
		info, err := entry.Info()
		must(t, err)
		name := strings.TrimPrefix(strings.TrimPrefix(path, root), "/")
		switch kindOf(info.Mode()) {
		case "file":
			text, err := os.ReadFile(path)
			must(t, err)
			all = append(all, fmt.Sprintf("%s=%s %o", name, text, info.Mode().Perm()))
		case "symlink":
			target, _ := os.Readlink(path)
			all = append(all, name+" -> "+target)
		case "directory":
			if name != "" {
				all = append(all, fmt.Sprintf("%s/ %o", name, info.Mode().Perm()))
			}
		}
		return nil
	}))
	return all
}

func TestUnpacking(t *testing.T) {
	folder := func(name string, mode int64) *tar.Header {
		return &tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: mode}
	}
	link := func(name, target string) *tar.Header {
		return &tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target}
	}
	before := []string{"keep=k", "d/x=1", "d/y=2", "f=file", "l -> d"}
	kept := func(entries ...string) []string {
		all := slices.Concat(entries, []string{"keep=k 644"})
		slices.Sort(all)
		return all
	}
	for name, c := range map[string]struct {
		deleted []string
		entries []*tar.Header
		want    []string
		counts  Unpacked
	}{
		"into what is there": {nil, []*tar.Header{file("d/x", "X", 0o600), file("n/m", "new", 0o755), folder("d", 0o700)},
			kept("d/ 700", "d/x=X 600", "d/y=2 644", "f=file 644", "l -> d", "n/ 755", "n/m=new 755"), Unpacked{3, 0}},
		"deleted and renamed": {[]string{"d/x", "l", "none"}, []*tar.Header{file("moved", "1", 0o644)},
			kept("d/ 755", "d/y=2 644", "f=file 644", "moved=1 644"), Unpacked{1, 2}},
		"folder over file": {nil, []*tar.Header{folder("f", 0o755), file("f/in", "i", 0o644)},
			kept("d/ 755", "d/x=1 644", "d/y=2 644", "f/ 755", "f/in=i 644", "l -> d"), Unpacked{2, 0}},
		"file over folder": {nil, []*tar.Header{file("d", "flat", 0o644)}, kept("d=flat 644", "f=file 644", "l -> d"), Unpacked{1, 0}},
		"never through a link": {nil, []*tar.Header{file("l/x", "own", 0o644)},
			kept("d/ 755", "d/x=1 644", "d/y=2 644", "f=file 644", "l/ 755", "l/x=own 644"), Unpacked{1, 0}},
		"nothing is deleted behind a link": {[]string{"l/x"}, nil, kept("d/ 755", "d/x=1 644", "d/y=2 644", "f=file 644", "l -> d"), Unpacked{0, 0}},
		"link and hard link": {[]string{"d"}, []*tar.Header{file("one", "1", 0o640), {Typeflag: tar.TypeLink, Name: "two", Linkname: "one"}, link("l", "one")},
			kept("f=file 644", "l -> one", "one=1 640", "two=1 640"), Unpacked{3, 1}},
		"names that are no text": {[]string{"d", "f", "l"}, []*tar.Header{file("\xff/\xfe", "raw", 0o644)}, kept("\xff/ 755", "\xff/\xfe=raw 644"), Unpacked{1, 3}},
		"folder without rights":  {[]string{"d", "f", "l"}, []*tar.Header{folder("z", 0o555), file("z/in", "i", 0o444)}, kept("z/ 555", "z/in=i 444"), Unpacked{2, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			base := t.TempDir()
			plant(t, base, before...)
			got, err := (&Store{}).Unpack(t.Context(), tree(t, base, c.deleted, c.entries...))
			if err != nil || *got != c.counts {
				t.Fatalf("%+v %v", got, err)
			}
			stands := standing(t, base)
			slices.Sort(stands)
			if !slices.Equal(stands, c.want) {
				t.Fatalf("%q\nwant %q", stands, c.want)
			}
		})
	}
}

func TestUnpackingOverWhatWasChangedMeanwhile(t *testing.T) {
	sum := func(content string) string {
		return fmt.Sprintf("%x", sha256.Sum256([]byte(content)))
	}
	seen := func(name, content string) Item {
		return Item{Path: []byte(name), Type: "file", Mode: 0o644, Size: int64(len(content)), Sha256: sum(content)}
	}
	for name, c := range map[string]struct {
		expected Item
		isSame   bool
	}{
		"as it was":              {seen("d/x", "1"), true},
		"other content":          {seen("d/x", "2"), false},
		"gone":                   {seen("gone/x", "1"), false},
		"not there":              {Item{Path: []byte("d/new"), Type: "none"}, true},
		"there now":              {Item{Path: []byte("d/x"), Type: "none"}, false},
		"a link as it was":       {Item{Path: []byte("l"), Type: "symlink", Size: 1, Sha256: sum("d")}, true},
		"a link in a file's way": {seen("l", "d"), false},
	} {
		t.Run(name, func(t *testing.T) {
			base := t.TempDir()
			plant(t, base, "d/x=1", "l -> d")
			before := standing(t, base)
			manifest := Manifest{Destination: []byte(base), Deleted: [][]byte{[]byte("l")}, Expected: []Item{c.expected}}
			_, err := (&Store{}).Unpack(t.Context(), treeOf(t, manifest, file("d/x", "new", 0o644)))
			var refusal *Refusal
			if c.isSame != (err == nil) || !c.isSame && (!errors.As(err, &refusal) || refusal.Code != "changed_meanwhile") {
				t.Fatal(err)
			}
			if slices.Equal(before, standing(t, base)) == c.isSame {
				t.Fatalf("%q", standing(t, base))
			}
		})
	}
}

func TestUnpackingIntoAFolderThatHandsItsGroupOn(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("giving a folder to another group needs root")
	}
	base := t.TempDir()
	must(t, os.Chown(base, 0, 1234))
	must(t, unix.Chmod(base, 0o2755))
	_, err := (&Store{}).Unpack(t.Context(), tree(t, base, nil, file("d/f", "f", 0o644), file("g", "g", 0o644), &tar.Header{Typeflag: tar.TypeSymlink, Name: "l", Linkname: "g"}))
	must(t, err)
	for name, mode := range map[string]uint32{"d": unix.S_IFDIR | 0o755, "d/f": unix.S_IFREG | 0o644, "g": unix.S_IFREG | 0o644, "l": unix.S_IFLNK | 0o777} {
		var status unix.Stat_t
		must(t, unix.Lstat(filepath.Join(base, name), &status))
		if status.Uid != 0 || status.Gid != 0 || status.Mode != mode {
			t.Errorf("%s: %d:%d %o", name, status.Uid, status.Gid, status.Mode)
		}
	}
}

func TestReadingAFileThatHasAnotherLength(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	must(t, os.WriteFile(path, []byte("text"), 0o644))
	for _, expected := range []int64{0, 2, 3, 4, 5, 100} {
		held, err := os.Open(path)
		must(t, err)
		whole, err := readWhole(descriptor(held.Fd()), expected)
		must(t, held.Close())
		if err != nil || string(whole) != "text" {
			t.Errorf("%d: %q %v", expected, whole, err)
		}
	}
}

func TestUnpackingWhatItMustNot(t *testing.T) {
	plain := file("a", "A", 0o644)
	for name, c := range map[string]struct {
		entries []*tar.Header
		deleted []string
		want    string
	}{
		"above":             {[]*tar.Header{plain, file("../out", "x", 0o644)}, nil, "invalid_path"},
		"dots inside":       {[]*tar.Header{plain, file("a/../../out", "x", 0o644)}, nil, "invalid_path"},
		"absolute":          {[]*tar.Header{plain, file("/out", "x", 0o644)}, nil, "invalid_path"},
		"through own link":  {[]*tar.Header{plain, {Typeflag: tar.TypeSymlink, Name: "l", Linkname: "/tmp"}, file("l/out", "x", 0o644)}, nil, "invalid_path"},
		"own link upwards":  {[]*tar.Header{plain, {Typeflag: tar.TypeSymlink, Name: "l", Linkname: ".."}, file("l/out", "x", 0o644)}, nil, "invalid_path"},
		"hard link outside": {[]*tar.Header{plain, {Typeflag: tar.TypeLink, Name: "h", Linkname: "../keep"}}, nil, "invalid_path"},
		"hard link missing": {[]*tar.Header{plain, {Typeflag: tar.TypeLink, Name: "h", Linkname: "none"}}, nil, "file_missing"},
		"below a file":      {[]*tar.Header{plain, file("a/b", "x", 0o644)}, nil, "invalid_path"},
		"twice":             {[]*tar.Header{plain, file("a", "x", 0o644)}, nil, "invalid_request"},
		"device":            {[]*tar.Header{plain, {Typeflag: tar.TypeChar, Name: "dev", Devmajor: 1, Devminor: 3}}, nil, "invalid_request"},
		"deletes above":     {[]*tar.Header{plain}, []string{"../keep"}, "invalid_path"},
		"deletes itself":    {[]*tar.Header{plain}, []string{""}, "invalid_path"},
	} {
		t.Run(name, func(t *testing.T) {
			base := t.TempDir()
			plant(t, base, "keep=k", "in/old=o")
			_, err := (&Store{}).Unpack(t.Context(), tree(t, base+"/in", c.deleted, c.entries...))
			if code(err) != c.want {
				t.Fatal(err)
			}
			if got := standing(t, base); !slices.Equal(got, []string{"in/ 755", "in/old=o 644", "keep=k 644"}) {
				t.Fatalf("%q", got)
			}
		})
	}
}

func TestATreeThatBreaksOffChangesNothing(t *testing.T) {
	base := t.TempDir()
	plant(t, base, "a=old", "b=old")
	whole, err := io.ReadAll(tree(t, base, []string{"b"}, file("a", strings.Repeat("new", 1000), 0o644), file("c", "c", 0o644)))
	must(t, err)
	for _, length := range []int{0, 100, 512, 2000, 3000, 5500} {
		if _, err := (&Store{}).Unpack(t.Context(), bytes.NewReader(whole[:length])); code(err) != "invalid_request" && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes: %v", length, err)
		}
		if got := standing(t, base); !slices.Equal(got, []string{"a=old 644", "b=old 644"}) {
			t.Fatalf("%d bytes: %.200q", length, got)
		}
	}
}

func TestUnpackingOnAnOverlayLeavesNoTrace(t *testing.T) {
	store, merged := overlay(t, "d/x=1", "d/y=2", "f=file", "gone/z=3")
	_, err := store.Unpack(t.Context(), tree(t, merged, []string{"gone"}, file("d/x", "X", 0o644), file("f/in", "i", 0o644), file("n/deep/m", "m", 0o644)))
	must(t, err)
	records, failure := changesOf(t, store, ChangesRequest{Scope: "workspace", Content: true})
	want := []string{"d/x f:1 f:X", "f f:file d:", "f/in none f:i", "gone d: none", "gone/z f:3 none", "n none d:", "n/deep none d:", "n/deep/m none f:m"}
	if got := short(records); failure != nil || !slices.Equal(got, want) {
		t.Fatalf("%q %v", got, failure)
	}
	plant(t, merged, stagingPrefix+"left/over=1")
	store.Sweep()
	if got, _ := filepath.Glob(merged + "/" + stagingPrefix + "*"); len(got) != 0 {
		t.Fatalf("%v", got)
	}
}
