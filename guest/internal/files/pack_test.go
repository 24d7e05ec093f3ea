// Tests of packing trees.

package files

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestPackingGivesWhatUnpackingTakes(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	plant(t, from, "a=A", "d/b=B", "d/empty/", "l -> nowhere", ".git/x=1", "d/.git/y=1", "\xff\xfe=raw", strings.Repeat("n", 150)+"=long")
	must(t, unix.Chmod(from+"/a", 0o4711))
	must(t, os.Link(from+"/a", from+"/d/same"))
	when := time.Unix(1_600_000_000, 0)
	must(t, os.Chtimes(from+"/d/b", when, when))
	pack, err := (&Store{}).Pack(PackRequest{Path: []byte(from), ExcludedNames: []string{".git"}})
	must(t, err)
	defer pack.Close()
	var out bytes.Buffer
	must(t, pack.Stream(t.Context(), &out))
	reader := tar.NewReader(bytes.NewReader(out.Bytes()))
	var names []string
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
		names = append(names, header.Name)
		if header.Uname != "" || header.Gname != "" || header.Name == "d/same" && (header.Typeflag != tar.TypeLink || header.Linkname != "a") {
			t.Errorf("%+v", header)
		}
	}
	want := []string{".", "a", "d", "d/b", "d/empty", "d/same", "l", strings.Repeat("n", 150), "\xff\xfe"}
	if !slices.Equal(names, want) {
		t.Fatalf("%q", names)
	}
	manifest, err := io.ReadAll(tree(t, to, nil))
	must(t, err)
	// Without the end marks another tar may follow.
	body := io.MultiReader(bytes.NewReader(manifest[:len(manifest)-1024]), &out)
	_, err = (&Store{}).Unpack(t.Context(), body)
	must(t, err)
	must(t, os.RemoveAll(from+"/.git"))
	must(t, os.RemoveAll(from+"/d/.git"))
	if got, want := standing(t, to), standing(t, from); !slices.Equal(got, want) {
		t.Fatalf("%q\nwant %q", got, want)
	}
	info, _ := os.Stat(to + "/d/b")
	special, _ := os.Stat(to + "/a")
	if !info.ModTime().Equal(when) || special.Mode()&fs.ModeSetuid == 0 {
		t.Fatal(info.ModTime(), special.Mode())
	}
}

func TestPackingKeepsPipesAsWhatTheyAre(t *testing.T) {
	from := t.TempDir()
	must(t, unix.Mkfifo(from+"/fifo", 0o640))
	socket, err := net.Listen("unix", from+"/socket")
	must(t, err)
	defer socket.Close()
	for _, named := range []bool{false, true} {
		pack, err := (&Store{}).Pack(PackRequest{Path: []byte(from), NamesKept: named})
		must(t, err)
		defer pack.Close()
		var out bytes.Buffer
		must(t, pack.Stream(t.Context(), &out))
		reader := tar.NewReader(&out)
		var got []string
		for header, err := reader.Next(); err == nil; header, err = reader.Next() {
			got = append(got, fmt.Sprintf("%s %c %o", header.Name, header.Typeflag, header.Mode))
		}
		want := []string{". 5 755", "fifo 6 640"}
		if named {
			want = append(want, "socket 6 755")
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q", got)
		}
	}
}

func TestPackingOneFileAndRefusals(t *testing.T) {
	base := t.TempDir()
	plant(t, base, "f=text", "l -> f")
	for _, name := range []string{"f", "l"} {
		pack, err := (&Store{}).Pack(PackRequest{Path: []byte(base + "/" + name)})
		must(t, err)
		var out bytes.Buffer
		must(t, pack.Stream(t.Context(), &out))
		pack.Close()
		reader := tar.NewReader(&out)
		header, err := reader.Next()
		text, _ := io.ReadAll(reader)
		if err != nil || header.Name != "." || string(text) != "text" {
			t.Fatalf("%+v %q %v", header, text, err)
		}
	}
	for path, want := range map[string]string{base + "/none": "file_missing", "/dev/null": "not_a_file", "x": "invalid_path"} {
		if _, err := (&Store{}).Pack(PackRequest{Path: []byte(path)}); code(err) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestAFileThatShrinksIsPaddedAndTold(t *testing.T) {
	base := t.TempDir()
	plant(t, base, "upper/", "lower/", "merged/")
	must(t, os.WriteFile(base+"/upper/f", bytes.Repeat([]byte("x"), wholeBytes+10), 0o644))
	parent, err := os.Open(base + "/upper")
	must(t, err)
	n, err := (&folder{File: parent}).find("f")
	must(t, err)
	held, err := n.open()
	must(t, err)
	defer held.Close()
	must(t, os.Truncate(base+"/upper/f", 5))
	var out bytes.Buffer
	written, err := held.WriteTo(&out)
	if err != nil || written != wholeBytes+10 || out.Len() != wholeBytes+10 || !held.isTorn || !strings.HasPrefix(out.String(), "xxxxx\x00") {
		t.Fatalf("%d %d %v %v", written, out.Len(), held.isTorn, err)
	}
}
