// Fuzzing of trees that the host sends: whatever is in one, nothing is written beside its destination.

package files

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// damaged is a tree with a manifest for a folder, and one entry.
func damaged(destination, deleted, name, target string, kind byte, content []byte) []byte {
	manifest, _ := json.Marshal(Manifest{Destination: []byte(destination), Deleted: [][]byte{[]byte(deleted)}})
	var out bytes.Buffer
	writer := tar.NewWriter(&out)
	_ = writer.WriteHeader(&tar.Header{Name: manifestName, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(manifest))})
	_, _ = writer.Write(manifest)
	header := &tar.Header{Name: name, Linkname: target, Typeflag: kind, Mode: 0o644}
	if kind == tar.TypeReg {
		header.Size = int64(len(content))
	}
	if writer.WriteHeader(header) == nil && kind == tar.TypeReg {
		_, _ = writer.Write(content)
	}
	_ = writer.Close()
	return out.Bytes()
}

// FuzzUnpack puts trees, damaged at one place, into a folder beside which something stands.
func FuzzUnpack(f *testing.F) {
	f.Add("old", "a/b", "", byte(tar.TypeReg), []byte("x"), -1, byte(0))
	f.Add("../beside", "../beside", "", byte(tar.TypeReg), []byte("x"), -1, byte(0))
	f.Add("old/x", "l", "/", byte(tar.TypeSymlink), []byte{}, 700, byte('5'))
	f.Add("old", "d/", "", byte(tar.TypeDir), []byte{}, 512, byte(0xff))
	f.Add("l/beside", "l/beside", "old", byte(tar.TypeLink), []byte{}, 1024, byte(1))
	f.Fuzz(func(t *testing.T, deleted, name, target string, kind byte, content []byte, at int, with byte) {
		if len(content) > 4096 || len(name) > 4096 {
			return
		}
		top := t.TempDir()
		destination := filepath.Join(top, "into")
		for path, text := range map[string]string{"beside": "stays", "into/old": "old"} {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(top, path)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(top, path), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink("..", filepath.Join(destination, "l")); err != nil {
			t.Fatal(err)
		}
		tree := damaged(destination, deleted, name, target, kind, content)
		// The manifest stays whole: another destination would be the host's own wish.
		if start := 1024; at >= 0 && start+at < len(tree) {
			tree[start+at] ^= with
		}
		store := &Store{}
		_, _ = store.Unpack(context.Background(), bytes.NewReader(tree))
		if seen := besides(t, top); seen != "beside=stays\n" {
			t.Fatalf("beside the destination stands %q", seen)
		}
	})
}

func besides(t *testing.T, top string) string {
	t.Helper()
	seen := ""
	entries, err := os.ReadDir(top)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.Name() == "into" {
			continue
		}
		text, err := fs.ReadFile(os.DirFS(top), entry.Name())
		seen += fmt.Sprintf("%s=%s\n", entry.Name(), text)
		if err != nil {
			t.Fatalf("%s: %v", entry.Name(), err)
		}
	}
	return seen
}

// FuzzCompare checks that any list of items is refused or has an answer with an end.
func FuzzCompare(f *testing.F) {
	f.Add([]byte(`{"path":"YQ==","type":"file","mode":420,"size":1,"sha256":""}`))
	f.Add([]byte(`{"path":"Li4vYQ==","type":"file","mode":420,"size":1,"sha256":""}`))
	f.Add([]byte(`[[[[`))
	f.Fuzz(func(t *testing.T, items []byte) {
		comparison, err := (&Store{}).Compare(t.TempDir(), bytes.NewReader(items))
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := comparison.Stream(context.Background(), &Store{}, &out); err != nil {
			return
		}
		if !bytes.HasSuffix(out.Bytes(), []byte("{\"end\":true}\n")) && !bytes.Contains(out.Bytes(), []byte(`"end":true`)) {
			t.Fatalf("an answer without an end: %q", out.Bytes())
		}
	})
}
