// Tests of folders that are counted in place of what is below them, and of lists without the names of files.

package files

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestNewFoldersAreCountedWithoutNames(t *testing.T) {
	store, merged := overlay(t, "seeded/x=one", "moved/y=four")
	plant(t, merged, "new/a=12345", "new/deep/b=67", "new/deep/.git/c=8", "seeded/z=new", "other=o")
	must(t, os.Symlink("abc", filepath.Join(merged, "new/link")))
	must(t, os.Mkdir(filepath.Join(merged, "empty"), 0o755))
	request := ChangesRequest{Scope: "workspace", ExcludedNames: []string{".git"}, Folded: [][]byte{
		[]byte("new"), []byte("seeded"), []byte("empty"), []byte("other"), []byte("gone")}}
	records, failure := changesOf(t, store, request)
	got := []string{}
	for _, each := range records {
		line := string(each.head.Path)
		if each.head.Folded != nil {
			line += fmt.Sprintf(" %d files, %d bytes", each.head.Folded.Files, each.head.Folded.Bytes)
		}
		got = append(got, line)
	}
	want := []string{"empty 0 files, 0 bytes", "new 3 files, 10 bytes", "other", "seeded/z"}
	if failure != nil || !slices.Equal(got, want) {
		t.Fatalf("%q %v", got, failure)
	}
}

func TestFoldersThatLeadToTheWantedPathAreNotFolded(t *testing.T) {
	store, merged := overlay(t, "a=one")
	plant(t, merged, "new/in/b=67", "new/c=1")
	request := ChangesRequest{Scope: "workspace", Below: []byte("new/in"), Folded: [][]byte{[]byte("new")}}
	records, failure := changesOf(t, store, request)
	if got := short(records); failure != nil || !slices.Equal(got, []string{"new/in none d:", "new/in/b none f:"}) {
		t.Fatalf("%q %v", got, failure)
	}
}

func TestOnlyLeavesOfGivenNamesAreListed(t *testing.T) {
	store, merged := overlay(t, "d/rules=one", "d/x=two", "gone/x=three")
	plant(t, merged, "d/rules=two", "d/x=new", "n/rules=r", "n/m/x=y")
	must(t, os.RemoveAll(filepath.Join(merged, "gone")))
	records, failure := changesOf(t, store, ChangesRequest{Scope: "workspace", LeafNames: []string{"rules"}})
	want := []string{"d/rules", "gone", "n", "n/m", "n/rules"}
	got := []string{}
	for _, each := range records {
		got = append(got, string(each.head.Path))
	}
	if failure != nil || !slices.Equal(got, want) {
		t.Fatalf("%q %v", got, failure)
	}
}
