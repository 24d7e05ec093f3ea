// Tests of changes on overlays that the kernel mounts: what a user does, and what the walk must tell.

package files

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestChangesOfAnOverlay(t *testing.T) {
	lower := []string{
		"a=one", "b=two", "link -> a", "d/x=dx", "d/y=dy", "d/sub/z=dz", "e/only=e", "empty/", "\xff\xfe=raw",
	}
	cases := map[string]struct {
		do   func(t *testing.T, at func(string) string)
		want []string
	}{
		"nothing":       {func(*testing.T, func(string) string) {}, []string{}},
		"new file":      {func(t *testing.T, at func(string) string) { plant(t, at("."), "n=new") }, []string{"n none f:new"}},
		"changed file":  {func(t *testing.T, at func(string) string) { plant(t, at("."), "a=ONE") }, []string{"a f:one f:ONE"}},
		"written alike": {func(t *testing.T, at func(string) string) { plant(t, at("."), "a=one") }, []string{}},
		"touched": {func(t *testing.T, at func(string) string) {
			must(t, os.Chtimes(at("a"), time.Unix(1, 0), time.Unix(1, 0)))
		}, []string{}},
		"deleted file":           {func(t *testing.T, at func(string) string) { must(t, os.Remove(at("a"))) }, []string{"a f:one none"}},
		"mode":                   {func(t *testing.T, at func(string) string) { must(t, os.Chmod(at("a"), 0o755)) }, []string{"a f:one f:one"}},
		"mode of a folder":       {func(t *testing.T, at func(string) string) { must(t, os.Chmod(at("d"), 0o700)) }, []string{"d d: d:"}},
		"file in a folder":       {func(t *testing.T, at func(string) string) { plant(t, at("."), "d/sub/new=n") }, []string{"d/sub/new none f:n"}},
		"new folder":             {func(t *testing.T, at func(string) string) { plant(t, at("."), "q/r=s") }, []string{"q none d:", "q/r none f:s"}},
		"bytes that are no text": {func(t *testing.T, at func(string) string) { plant(t, at("."), "\xff\xfe=RAW", "\xfd=x") }, []string{"\xfd none f:x", "\xff\xfe f:raw f:RAW"}},
		"link elsewhere": {func(t *testing.T, at func(string) string) {
			must(t, os.Remove(at("link")))
			must(t, os.Symlink("b", at("link")))
		}, []string{"link s:a s:b"}},
		"file becomes a link": {func(t *testing.T, at func(string) string) {
			must(t, os.Remove(at("a")))
			must(t, os.Symlink("b", at("a")))
		}, []string{"a f:one s:b"}},
		"deleted folder": {func(t *testing.T, at func(string) string) { must(t, os.RemoveAll(at("d"))) },
			[]string{"d d: none", "d/sub d: none", "d/sub/z f:dz none", "d/x f:dx none", "d/y f:dy none"}},
		"folder made anew": {func(t *testing.T, at func(string) string) {
			must(t, os.RemoveAll(at("d")))
			plant(t, at("."), "d/x=DX", "d/w=dw")
		}, []string{"d/sub d: none", "d/sub/z f:dz none", "d/w none f:dw", "d/x f:dx f:DX", "d/y f:dy none"}},
		"folder becomes a file": {func(t *testing.T, at func(string) string) {
			must(t, os.RemoveAll(at("e")))
			plant(t, at("."), "e=file")
		}, []string{"e d: f:file", "e/only f:e none"}},
		"file becomes a folder": {func(t *testing.T, at func(string) string) {
			must(t, os.Remove(at("a")))
			plant(t, at("."), "a/in=side")
		}, []string{"a f:one d:", "a/in none f:side"}},
		"renamed folder": {func(t *testing.T, at func(string) string) { must(t, os.Rename(at("d/sub"), at("d/moved"))) },
			[]string{"d/moved none d:", "d/moved/z none f:dz", "d/sub d: none", "d/sub/z f:dz none"}},
		"folder renamed elsewhere and changed": {func(t *testing.T, at func(string) string) {
			must(t, os.Rename(at("d"), at("e/moved")))
			plant(t, at("."), "e/moved/x=DX", "e/moved/sub/new=n")
			must(t, os.Remove(at("e/moved/y")))
		}, []string{
			"d d: none", "d/sub d: none", "d/sub/z f:dz none", "d/x f:dx none", "d/y f:dy none",
			"e/moved none d:", "e/moved/sub none d:", "e/moved/sub/new none f:n", "e/moved/sub/z none f:dz", "e/moved/x none f:DX",
		}},
		"folder renamed over another": {func(t *testing.T, at func(string) string) {
			must(t, unix.Rename(at("d"), at("empty")))
		}, []string{
			"d d: none", "d/sub d: none", "d/sub/z f:dz none", "d/x f:dx none", "d/y f:dy none",
			"empty/sub none d:", "empty/sub/z none f:dz", "empty/x none f:dx", "empty/y none f:dy",
		}},
		"folder renamed twice, its part renamed too": {func(t *testing.T, at func(string) string) {
			must(t, os.Rename(at("d"), at("d1")))
			must(t, os.Rename(at("d1/sub"), at("d1/part")))
			must(t, os.Rename(at("d1"), at("d2")))
		}, []string{
			"d d: none", "d/sub d: none", "d/sub/z f:dz none", "d/x f:dx none", "d/y f:dy none",
			"d2 none d:", "d2/part none d:", "d2/part/z none f:dz", "d2/x none f:dx", "d2/y none f:dy",
		}},
		"folder renamed away and back": {func(t *testing.T, at func(string) string) {
			must(t, os.Rename(at("d"), at("d1")))
			must(t, os.Rename(at("d1"), at("d")))
		}, []string{}},
		"two folders change places": {func(t *testing.T, at func(string) string) {
			must(t, os.Rename(at("d"), at("t")))
			must(t, os.Rename(at("e"), at("d")))
			must(t, os.Rename(at("t"), at("e")))
		}, []string{
			"d/only none f:e", "d/sub d: none", "d/sub/z f:dz none", "d/x f:dx none", "d/y f:dy none",
			"e/only f:e none", "e/sub none d:", "e/sub/z none f:dz", "e/x none f:dx", "e/y none f:dy",
		}},
		"socket": {func(t *testing.T, at func(string) string) { must(t, unix.Mkfifo(at("fifo"), 0o600)) }, []string{"fifo none o:"}},
		"folder that comes and goes": {func(t *testing.T, at func(string) string) {
			plant(t, at("."), "tmp/x=1")
			must(t, os.RemoveAll(at("tmp")))
		}, []string{}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			store, merged := overlay(t, lower...)
			c.do(t, func(path string) string { return filepath.Join(merged, path) })
			records, failure := changesOf(t, store, ChangesRequest{Scope: "workspace", Content: true})
			if got := short(records); failure != nil || !slices.Equal(got, c.want) {
				t.Fatalf("%q %v\nwant %q", got, failure, c.want)
			}
			agrees(t, merged, records)
		})
	}
}

// agrees holds what the records say of now against the mounted overlay itself.
func agrees(t *testing.T, merged string, records []seen) {
	t.Helper()
	for _, record := range records {
		info, err := os.Lstat(filepath.Join(merged, string(record.head.Path)))
		after := record.head.After
		if after == nil {
			if !os.IsNotExist(err) && !isUnder(err) {
				t.Errorf("%s is there: %v", record, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", record, err)
			continue
		}
		if kindOf(info.Mode()) != after.Type || uint32(info.Mode().Perm()) != after.Mode {
			t.Errorf("%s is %v, told as %+v", record, info.Mode(), *after)
		}
	}
}

// isUnder is true for a path below what is a file now.
func isUnder(err error) bool { return strings.Contains(err.Error(), syscall.ENOTDIR.Error()) }

func TestChangesLeaveOutNamesAndDrafts(t *testing.T) {
	store, merged := overlay(t, ".git/config=c", "a=1")
	plant(t, merged, ".git/HEAD=h", "sub/.git/x=1", "sub/y=2")
	name, release := store.hide()
	plant(t, merged, name+"/z=3")
	request := ChangesRequest{Scope: "workspace", ExcludedNames: []string{".git"}}
	records, _ := changesOf(t, store, request)
	if got := short(records); !slices.Equal(got, []string{"sub none d:", "sub/y none f:"}) {
		t.Fatalf("%q", got)
	}
	// The guest cannot hide anything by the name alone.
	release()
	if records, _ = changesOf(t, store, request); len(records) != 4 {
		t.Fatalf("%q", short(records))
	}
}

func TestExplicitPathsAreToldUnchangedToo(t *testing.T) {
	store, merged := overlay(t, "a=1", "b=2", "d/c=3", "l -> d")
	plant(t, merged, "a=ONE", "n=new")
	paths := [][]byte{[]byte("b"), []byte("d/c"), []byte("none/at/all"), []byte("l/c"), []byte("a")}
	records, _ := changesOf(t, store, ChangesRequest{Scope: "workspace", Content: true, Paths: paths, Exact: true})
	want := []string{"b f:2 f:2", "d/c f:3 f:3", "none/at/all none none", "l/c none none", "a f:1 f:ONE"}
	if got := short(records); !slices.Equal(got, want) {
		t.Fatalf("%q", got)
	}
	records, _ = changesOf(t, store, ChangesRequest{Scope: "workspace", Content: true, Paths: paths})
	if got := short(records); !slices.Equal(got, append(want, "n none f:new")) {
		t.Fatalf("%q", got)
	}
}

func TestChangesWithoutContentTellSizes(t *testing.T) {
	store, merged := overlay(t, "a=one")
	plant(t, merged, "a=three")
	records, _ := changesOf(t, store, ChangesRequest{Scope: "workspace"})
	if len(records) != 1 || records[0].head.Before.Size != 3 || records[0].head.After.Size != 5 || records[0].after != "" {
		t.Fatalf("%+v", records)
	}
}

func TestSystemLeavesOutWhatTheAgentMade(t *testing.T) {
	store, merged := overlay(t, "bin/sh=1", "etc/passwd=p")
	plant(t, merged, "workspace/x=1", "proc/", "tmp/junk=j", "etc/hosts=h", "etc/new=n", "opt/tool=t")
	store.mu.Lock()
	system := *store.workspace
	store.mu.Unlock()
	system.Hidden = map[string]bool{"workspace": true, "proc": true, "etc/hosts": true}
	system.Made = map[string]bool{"tmp": true, "etc": true}
	store.Use(nil, &system)
	records, _ := changesOf(t, store, ChangesRequest{Scope: "system"})
	want := []string{"etc/new none f:", "opt none d:", "opt/tool none f:", "tmp/junk none f:"}
	if got := short(records); !slices.Equal(got, want) {
		t.Fatalf("%q", got)
	}
	if _, err := store.Changes(ChangesRequest{Scope: "workspace"}); code(err) != "no_layers" {
		t.Fatal(err)
	}
}

func TestCostGrowsWithTheChangesNotTheTree(t *testing.T) {
	store, merged := overlay(t, "far/deep/x=1", "near/y=1", "read/z=1")
	plant(t, merged, "near/y=2")
	lower := filepath.Join(filepath.Dir(merged), "lower")
	for _, name := range []string{"far", "far/deep", "read"} {
		must(t, os.Chtimes(filepath.Join(lower, name), time.Unix(1, 0), time.Unix(2, 0)))
	}
	_, err := os.ReadDir(filepath.Join(lower, "read"))
	must(t, err)
	if !wasRead(t, filepath.Join(lower, "read")) {
		t.Skip("this file system does not note that a folder was read")
	}
	if records, failure := changesOf(t, store, ChangesRequest{Scope: "workspace"}); failure != nil || len(records) != 1 {
		t.Fatalf("%q %v", short(records), failure)
	}
	for _, name := range []string{"far", "far/deep"} {
		if wasRead(t, filepath.Join(lower, name)) {
			t.Errorf("%s was read", name)
		}
	}
}

func wasRead(t *testing.T, path string) bool {
	t.Helper()
	var status unix.Stat_t
	must(t, unix.Stat(path, &status))
	return status.Atim.Sec != 1
}

func TestWrongChangesAreRefused(t *testing.T) {
	base := t.TempDir()
	plant(t, base, "upper/", "lower/", "merged/")
	store := roomOf(t, base)
	for want, request := range map[string]ChangesRequest{
		"invalid_request": {Scope: "all"},
		"invalid_path":    {Scope: "workspace", Paths: [][]byte{[]byte("../x")}},
		"no_layers":       {Scope: "system"},
	} {
		if _, err := store.Changes(request); code(err) != want {
			t.Errorf("%+v: %v", request, err)
		}
	}
}
