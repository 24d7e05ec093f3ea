// Support of the tests: trees from short descriptions, and overlays that the kernel really mounts.

package files

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// code is that of a refusal; the error's text for any other.
func code(err error) string {
	if err == nil {
		return ""
	}
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return refusal.Code
	}
	return err.Error()
}

// plant makes files, "name/" folders and "name -> target" links below root.
func plant(t *testing.T, root string, entries ...string) {
	t.Helper()
	for _, entry := range entries {
		name, text, _ := strings.Cut(entry, "=")
		link, target, isLink := strings.Cut(entry, " -> ")
		switch {
		case isLink:
			must(t, os.MkdirAll(filepath.Dir(filepath.Join(root, link)), 0o755))
			must(t, os.Symlink(target, filepath.Join(root, link)))
		case strings.HasSuffix(name, "/"):
			must(t, os.MkdirAll(filepath.Join(root, name), 0o755))
		default:
			must(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755))
			must(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o644))
		}
	}
}

// overlay mounts one over the given lower tree and gives its store and the merged folder.
func overlay(t *testing.T, lower ...string) (*Store, string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting an overlay needs root")
	}
	base := t.TempDir()
	plant(t, base, "lower/", "upper/", "work/", "merged/")
	plant(t, filepath.Join(base, "lower"), lower...)
	merged := filepath.Join(base, "merged")
	options := strings.ReplaceAll("lowerdir=B/lower,upperdir=B/upper,workdir=B/work,redirect_dir=on,metacopy=off,index=off", "B", base)
	if err := unix.Mount("overlay", merged, "overlay", 0, options); err != nil {
		t.Skipf("this machine mounts no overlay here: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(merged, unix.MNT_DETACH) })
	return roomOf(t, base), merged
}

func roomOf(t *testing.T, base string) *Store {
	t.Helper()
	open := func(name string) *os.File {
		file, err := os.Open(filepath.Join(base, name))
		must(t, err)
		t.Cleanup(func() { _ = file.Close() })
		return file
	}
	store := &Store{}
	store.Use(&Layers{Merged: filepath.Join(base, "merged"), Upper: open("upper"), Lower: open("lower")}, nil)
	return store
}

// seen is a record as a test reads it.
type seen struct {
	head          ChangeHead
	before, after string
	torn          bool
}

// String is the record in short: path, both sides as type:mode:content.
func (s seen) String() string {
	side := func(of *Side, content string) string {
		if of == nil {
			return "none"
		}
		return of.Type[:1] + ":" + content
	}
	return string(s.head.Path) + " " + side(s.head.Before, s.before) + " " + side(s.head.After, s.after)
}

// changesOf asks for changes and decodes the stream.
func changesOf(t *testing.T, store *Store, request ChangesRequest) (records []seen, failure *ChangesFailure) {
	t.Helper()
	changes, err := store.Changes(request)
	must(t, err)
	var stream bytes.Buffer
	must(t, changes.Stream(t.Context(), &stream))
	for {
		header := make([]byte, frameHeaderBytes)
		if _, err := io.ReadFull(&stream, header); err != nil {
			t.Fatalf("the stream has no end: %v", err)
		}
		payload := stream.Next(int(binary.BigEndian.Uint32(header[1:])))
		last := len(records) - 1
		switch header[0] {
		case frameHead:
			var record seen
			must(t, json.Unmarshal(payload, &record.head))
			records = append(records, record)
		case frameBefore:
			records[last].before += string(payload)
		case frameAfter:
			records[last].after += string(payload)
		case frameEnd:
			var end ChangeEnd
			must(t, json.Unmarshal(payload, &end))
			records[last].torn = end.Torn
		case frameFailure:
			failure = &ChangesFailure{}
			must(t, json.Unmarshal(payload, failure))
			return records, failure
		case frameAll:
			var end ChangesEnd
			must(t, json.Unmarshal(payload, &end))
			if end.Records != len(records) || stream.Len() != 0 {
				t.Fatalf("the end says %d of %d records, %d bytes follow", end.Records, len(records), stream.Len())
			}
			return records, nil
		default:
			t.Fatalf("a frame of kind %d", header[0])
		}
	}
}

func short(records []seen) []string {
	all := []string{}
	for _, record := range records {
		all = append(all, record.String())
	}
	return all
}

// tree is a tar stream to unpack, behind its manifest.
func tree(t *testing.T, destination string, deleted []string, entries ...*tar.Header) io.Reader {
	t.Helper()
	manifest := Manifest{Destination: []byte(destination), Deleted: [][]byte{}}
	for _, path := range deleted {
		manifest.Deleted = append(manifest.Deleted, []byte(path))
	}
	return treeOf(t, manifest, entries...)
}

func treeOf(t *testing.T, manifest Manifest, entries ...*tar.Header) io.Reader {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	text, err := json.Marshal(manifest)
	must(t, err)
	must(t, w.WriteHeader(&tar.Header{Name: manifestName, Typeflag: tar.TypeReg, Size: int64(len(text)), Mode: 0o600}))
	_, err = w.Write(text)
	must(t, err)
	for _, entry := range entries {
		body := ""
		if entry.Typeflag == tar.TypeReg {
			body, entry.Linkname = entry.Linkname, ""
			entry.Size = int64(len(body))
		}
		entry.Format = tar.FormatPAX
		must(t, w.WriteHeader(entry))
		_, err := w.Write([]byte(body))
		must(t, err)
	}
	must(t, w.Close())
	return &out
}

// file is an entry whose content stands in Linkname until it is written.
func file(name, content string, mode int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Linkname: content, Mode: mode}
}
