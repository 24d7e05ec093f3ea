// Tests of kinds: what a tree must not replace, and the link that stands where its one file goes.

package files

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// treeWith is a tree whose manifest is given whole.
func treeWith(t *testing.T, manifest Manifest, entries ...*tar.Header) io.Reader {
	t.Helper()
	text, err := json.Marshal(manifest)
	must(t, err)
	var out bytes.Buffer
	writer := tar.NewWriter(&out)
	for _, header := range slices.Concat([]*tar.Header{file(manifestName, string(text), 0o644)}, entries) {
		content := ""
		if header.Typeflag == tar.TypeReg {
			content, header.Linkname, header.Size = header.Linkname, "", int64(len(header.Linkname))
		}
		must(t, writer.WriteHeader(header))
		_, err := writer.Write([]byte(content))
		must(t, err)
	}
	must(t, writer.Close())
	return &out
}

func TestWhatKeepsItsKind(t *testing.T) {
	folder := func(name string) *tar.Header { return &tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755} }
	for name, c := range map[string]struct {
		entry *tar.Header
		want  string
	}{
		"a file over a folder":      {file("d/in", "x", 0o644), "is_a_directory"},
		"a link over a folder":      {&tar.Header{Typeflag: tar.TypeSymlink, Name: "d/in", Linkname: "x"}, "is_a_directory"},
		"a folder over a file":      {folder("d/f"), "not_a_directory"},
		"what is in one":            {file("d/f/x", "x", 0o644), "not_a_directory"},
		"a folder over a link":      {folder("l"), "not_a_directory"},
		"a file over a pipe":        {file("d/p", "x", 0o644), "not_a_file"},
		"a file over a file":        {file("d/f", "x", 0o644), ""},
		"a link over a link":        {&tar.Header{Typeflag: tar.TypeSymlink, Name: "l", Linkname: "x"}, ""},
		"a folder over a folder":    {folder("d/in"), ""},
		"what was not there before": {file("n/x", "x", 0o644), ""},
	} {
		t.Run(name, func(t *testing.T) {
			base := t.TempDir()
			plant(t, base, "a=A", "d/f=F", "d/in/deep=1", "l -> d")
			must(t, unix.Mkfifo(base+"/d/p", 0o600))
			before := standing(t, base)
			_, err := (&Store{}).Unpack(t.Context(), treeWith(t, Manifest{Destination: []byte(base), KeepsKinds: true}, file("a", "new", 0o644), c.entry))
			if code(err) != c.want {
				t.Fatal(err)
			}
			if after := standing(t, base); c.want != "" && !slices.Equal(after, before) {
				t.Fatalf("%q", after)
			}
		})
	}
}

func TestTheOneFileGoesWhereALinkLeads(t *testing.T) {
	base := t.TempDir()
	plant(t, base, "d/f=F", "l -> d/f", "far -> "+base+"/new/x", "chain -> l")
	for name, want := range map[string]string{"l": "d/f", "chain": "d/f", "far": "new/x", "plain": "plain"} {
		manifest := Manifest{Destination: []byte(base), File: []byte(name), KeepsKinds: true}
		_, err := (&Store{}).Unpack(t.Context(), treeWith(t, manifest, file(name, "of "+name, 0o644)))
		must(t, err)
		if text, err := os.ReadFile(base + "/" + want); err != nil || string(text) != "of "+name {
			t.Errorf("%s: %q %v", name, text, err)
		}
	}
	if target, err := os.Readlink(base + "/chain"); err != nil || target != "l" {
		t.Fatal(target, err)
	}
	for _, name := range []string{"a/b", "..", "/x"} {
		_, err := (&Store{}).Unpack(t.Context(), treeWith(t, Manifest{Destination: []byte(base), File: []byte(name)}))
		if code(err) != "invalid_path" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPackingNamesWhatStaysBehind(t *testing.T) {
	base := t.TempDir()
	plant(t, base, "a=A", ".git/x=1", "d/.git=gitdir: x")
	must(t, unix.Mkfifo(base+"/d/p", 0o600))
	pack, err := (&Store{}).Pack(PackRequest{Path: []byte(base), ExcludedNames: []string{".git"}, NamesKept: true})
	must(t, err)
	defer pack.Close()
	var out bytes.Buffer
	must(t, pack.Stream(t.Context(), &out))
	var names []string
	for reader := tar.NewReader(&out); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
		names = append(names, header.Name+string(header.Typeflag))
	}
	if want := []string{".5", ".git5", "a0", "d5", "d/.git5", "d/p6"}; !slices.Equal(names, want) {
		t.Fatalf("%q", names)
	}
}
