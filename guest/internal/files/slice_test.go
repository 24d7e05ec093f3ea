// Tests of slices, writing and replacing.

package files

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSlices(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	must(t, os.WriteFile(path, []byte("one\ntwo\nthree\nend"), 0o640))
	for _, c := range []struct {
		request SliceRequest
		want    string
		offset  int64
		isCut   bool
	}{
		{SliceRequest{Length: 100}, "one\ntwo\nthree\nend", 0, false},
		{SliceRequest{Length: 5}, "one\nt", 0, true},
		{SliceRequest{Length: 17}, "one\ntwo\nthree\nend", 0, false},
		{SliceRequest{Length: 3, Offset: 14}, "end", 14, false},
		{SliceRequest{Length: 3, Offset: 13}, "\nen", 13, true},
		{SliceRequest{Length: 3, Offset: 100}, "", 100, false},
		{SliceRequest{Length: 0}, "", 0, true},
		{SliceRequest{Length: 100, StartLine: 1, EndLine: 1}, "one\n", 0, true},
		{SliceRequest{Length: 100, StartLine: 2, EndLine: 3}, "two\nthree\n", 4, true},
		{SliceRequest{Length: 100, StartLine: 3}, "three\nend", 8, false},
		{SliceRequest{Length: 100, StartLine: 4, EndLine: 9}, "end", 14, false},
		{SliceRequest{Length: 100, StartLine: 9}, "", 17, false},
		{SliceRequest{Length: 6, StartLine: 2, EndLine: 3}, "two\nth", 4, true},
	} {
		c.request.Path = path
		slice, err := (&Store{}).Read(c.request)
		if err != nil || string(slice.Bytes) != c.want || slice.Offset != c.offset || slice.IsCut != c.isCut || slice.Size != 17 || slice.Mode != 0o640 {
			t.Errorf("%+v: %+v %q %v", c.request, slice, slice.Bytes, err)
		}
	}
}

func TestLinesFarIntoALongFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	var text bytes.Buffer
	for line := range 200_000 {
		fmt.Fprintf(&text, "line %d\n", line+1)
	}
	must(t, os.WriteFile(path, text.Bytes(), 0o644))
	slice, err := (&Store{}).Read(SliceRequest{Path: path, Length: 1000, StartLine: 150_000, EndLine: 150_001})
	must(t, err)
	if string(slice.Bytes) != "line 150000\nline 150001\n" || !bytes.HasPrefix(text.Bytes()[slice.Offset:], slice.Bytes) {
		t.Fatalf("%q at %d", slice.Bytes, slice.Offset)
	}
}

func TestFilesOfTheKernelHaveNoSizeAndStillContent(t *testing.T) {
	slice, err := (&Store{}).Read(SliceRequest{Path: "/proc/self/status", Length: 10})
	if err != nil || len(slice.Bytes) != 10 || !slice.IsCut || slice.Size < 10 {
		t.Fatalf("%+v %v", slice, err)
	}
}

func TestWhatIsNoFileIsRefused(t *testing.T) {
	folder := t.TempDir()
	must(t, unix.Mkfifo(folder+"/fifo", 0o600))
	plant(t, folder, "file=x", "loop -> loop")
	for path, want := range map[string]string{
		folder: "is_a_directory", folder + "/fifo": "not_a_file", "/dev/null": "not_a_file", folder + "/none": "file_missing",
		folder + "/file/x": "not_a_directory", folder + "/loop": "too_many_links", "relative": "invalid_path", folder + "/a\x00b": "invalid_path",
	} {
		if _, err := (&Store{}).Read(SliceRequest{Path: path, Length: 1}); code(err) != want {
			t.Errorf("read %q: %v", path, err)
		}
		if want == "file_missing" {
			continue
		}
		if _, err := (&Store{}).Write(WriteRequest{Path: path}, strings.NewReader("")); code(err) != want {
			t.Errorf("write %q: %v", path, err)
		}
	}
	for _, request := range []SliceRequest{
		{Length: mostSlice + 1}, {Length: -1}, {Length: 1, EndLine: 2}, {Length: 1, StartLine: 3, EndLine: 2}, {Length: 1, StartLine: 1, Offset: 1},
	} {
		request.Path = folder + "/file"
		if _, err := (&Store{}).Read(request); code(err) != "invalid_request" {
			t.Errorf("%+v: %v", request, err)
		}
	}
}

func TestWriting(t *testing.T) {
	folder := t.TempDir()
	plant(t, folder, "old=before", "link -> old", "dangling -> deep/er", "in/up -> ../old")
	must(t, os.Chmod(folder+"/old", 0o751))
	mode := uint32(0o600)
	store := &Store{}
	for _, c := range []struct {
		request WriteRequest
		text    string
		at      string
		want    string
		written Written
	}{
		{WriteRequest{Path: "old"}, "after", "old", "after", Written{5, 0o751, false}},
		{WriteRequest{Path: "old", IsAppend: true}, "+", "old", "after+", Written{6, 0o751, false}},
		{WriteRequest{Path: "link"}, "through", "old", "through", Written{7, 0o751, false}},
		{WriteRequest{Path: "in/up"}, "up", "old", "up", Written{2, 0o751, false}},
		{WriteRequest{Path: "old", Mode: &mode}, "mine", "old", "mine", Written{4, 0o600, false}},
		{WriteRequest{Path: "dangling"}, "made", "deep/er", "made", Written{4, 0o644, true}},
		{WriteRequest{Path: "new/below/x", Mode: &mode}, "", "new/below/x", "", Written{0, 0o600, true}},
		{WriteRequest{Path: "fresh", IsAppend: true}, "first", "fresh", "first", Written{5, 0o644, true}},
		{WriteRequest{Path: "\xff\xfe"}, "raw", "\xff\xfe", "raw", Written{3, 0o644, true}},
	} {
		c.request.Path = folder + "/" + c.request.Path
		written, err := store.Write(c.request, strings.NewReader(c.text))
		if err != nil || *written != c.written {
			t.Fatalf("%+v: %+v %v", c.request, written, err)
		}
		text, err := os.ReadFile(folder + "/" + c.at)
		info, _ := os.Stat(folder + "/" + c.at)
		if err != nil || string(text) != c.want || uint32(info.Mode().Perm()) != c.written.Mode {
			t.Fatalf("%+v: %q %v %v", c.request, text, info.Mode(), err)
		}
	}
	if target, _ := os.Readlink(folder + "/link"); target != "old" {
		t.Fatal("the link was replaced")
	}
	drafts, _ := filepath.Glob(folder + "/" + stagingPrefix + "*")
	if len(drafts) != 0 {
		t.Fatalf("left: %v", drafts)
	}
}

func TestAWriteThatFailsChangesNothing(t *testing.T) {
	folder := t.TempDir()
	plant(t, folder, "f=before")
	if _, err := (&Store{}).Write(WriteRequest{Path: folder + "/f"}, failing{}); err == nil {
		t.Fatal("no error")
	}
	entries, _ := os.ReadDir(folder)
	text, _ := os.ReadFile(folder + "/f")
	if len(entries) != 1 || string(text) != "before" {
		t.Fatalf("%v %q", entries, text)
	}
}

type failing struct{}

func (failing) Read(p []byte) (int, error) { return 0, unix.ECONNRESET }

func TestReplacing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	must(t, os.WriteFile(path, []byte("a b a \xff"), 0o755))
	store := &Store{}
	replace := func(old, text string, count int) (*Replaced, error) {
		return store.Replace(ReplaceRequest{Path: []byte(path), Edits: []Edit{{OldText: old, NewText: text, ExpectedCount: count}}})
	}
	for _, count := range []int{1, 3} {
		if _, err := replace("a", "x", count); code(err) != "replacement_mismatch" {
			t.Fatal(err)
		}
	}
	if _, err := replace("", "x", 1); code(err) != "invalid_request" {
		t.Fatal(err)
	}
	if got, err := replace("a", "long", 2); err != nil || *got != (Replaced{13, 2}) {
		t.Fatal(got, err)
	}
	text, _ := os.ReadFile(path)
	info, _ := os.Stat(path)
	if string(text) != "long b long \xff" || info.Mode().Perm() != 0o755 {
		t.Fatalf("%q %v", text, info.Mode())
	}
}

func TestAReplacementThatDoesNotFitSaysWhy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	many := strings.Repeat("x\n", 30)
	cases := []struct {
		content, old string
		count        int
		want         string
	}{
		{"a\nb\na b\n", "a", 1, "has the text 2 times, not 1: lines 1, 3"},
		{"a\nb\na\nb\nc\n", "a\nb\n", 3, "has the text 2 times, not 3: lines 1, 3"},
		{"b\na\n", "a", 2, "has the text 1 times, not 2: line 2"},
		{many, "x\n", 1, "has the text 30 times, not 1: lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20 and 10 more"},
		{"q\r\na\r\nb\r\n", "a\nb\n", 1, `has the text 0 times, not 1: the file has CRLF line endings (\r\n); with these the text is there on line 2`},
		{"q\na\nb\n", "a\r\nb", 1, "has the text 0 times, not 1: the file has LF line endings and the text has CRLF; with LF it is there on line 2"},
		{"q\na\r\nb\n", "a\nb", 1, `has the text 0 times, not 1: the file has CRLF line endings (\r\n) on some lines and LF on others; with these the text is there on line 2`},
		{"q\r\n", "a\nb", 1, "has the text 0 times, not 1"},
		{"q\r\n", "z", 1, "has the text 0 times, not 1"},
	}
	for _, c := range cases {
		must(t, os.WriteFile(path, []byte(c.content), 0o644))
		_, err := (&Store{}).Replace(ReplaceRequest{Path: []byte(path), Edits: []Edit{{OldText: c.old, NewText: "n", ExpectedCount: c.count}}})
		if code(err) != "replacement_mismatch" || !strings.HasSuffix(err.Error(), c.want) {
			t.Fatalf("%q in %q: %v", c.old, c.content, err)
		}
		if text, _ := os.ReadFile(path); string(text) != c.content {
			t.Fatalf("%q was changed to %q", c.content, text)
		}
	}
}

func TestSeveralEditsAreAllOrNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	replace := func(edits ...Edit) error {
		_, err := (&Store{}).Replace(ReplaceRequest{Path: []byte(path), Edits: edits})
		return err
	}
	content := func() string {
		bytes, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(bytes)
	}
	if err := os.WriteFile(path, []byte("a b b c\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := replace(Edit{"a", "A", 1}, Edit{"b", "B", 1}, Edit{"x", "X", 0}, Edit{"c", "C", 1})
	for _, part := range []string{"edits[1]: has the text 2 times", "edits[2]: has the text 0 times"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %v", part, err)
		}
	}
	if content() != "a b b c\n" {
		t.Errorf("a refusal has changed the file: %q", content())
	}
	// Each works on what the one before has made; 0 is for all there are.
	if err := replace(Edit{"a", "c", 1}, Edit{"c", "d", 2}, Edit{"b", "", 0}); err != nil {
		t.Fatal(err)
	}
	if content() != "d   d\n" {
		t.Errorf("edited to %q", content())
	}
	if err := replace(Edit{"d", strings.Repeat("d", mostReplace), 2}); err == nil {
		t.Error("a text that grows beyond every bound was taken")
	}
	if err := os.WriteFile(path, make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := replace(make([]Edit, 600)...); err == nil {
		t.Error("edits without a text were taken")
	}
	many := make([]Edit, 600)
	for index := range many {
		many[index] = Edit{"\x00\x00", "x", 0}
	}
	if err := replace(many...); err == nil || !strings.Contains(err.Error(), "too large for 600 edits") {
		t.Errorf("more work than there is time for: %v", err)
	}
	if err := replace(); err == nil {
		t.Error("no edits at all were taken")
	}
	if err := replace(Edit{"", "x", 1}); err == nil {
		t.Error("an empty text was taken")
	}
}
