// Tests of comparing a tree of the host with the guest's.

package files

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestComparing(t *testing.T) {
	base := t.TempDir()
	plant(t, base, "same=s", "content=abc", "mode=m", "size=longer", "l -> x", "d/in=1", "kind/", "extra=e", "more/deep=1", ".git/x=1", "sub/.git/y=1")
	hash := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return hex.EncodeToString(sum[:])
	}
	item := func(path, kind string, mode uint32, text string) Item {
		if kind == "directory" {
			return Item{[]byte(path), kind, mode, 0, ""}
		}
		return Item{[]byte(path), kind, mode, int64(len(text)), hash(text)}
	}
	items := []Item{
		item("same", "file", 0o644, "s"), item("content", "file", 0o644, "abd"), item("mode", "file", 0o755, "m"), item("size", "file", 0o644, "l"),
		item("l", "symlink", 0, "x"), item("l2", "symlink", 0, "x"), item("d/in", "file", 0o644, "1"), item("kind", "file", 0o644, ""), item("d", "directory", 0o755, ""),
	}
	var body bytes.Buffer
	for _, each := range items {
		must(t, json.NewEncoder(&body).Encode(each))
	}
	for _, c := range []struct {
		destination string
		different   []int
		extra       []string
	}{
		{base, []int{1, 2, 3, 5, 7}, []string{"extra", "more", "more/deep", "sub", "sub/.git", "sub/.git/y"}},
		{base + "/none", []int{0, 1, 2, 3, 4, 5, 6, 7, 8}, nil},
	} {
		comparison, err := (&Store{}).Compare(c.destination, bytes.NewReader(body.Bytes()))
		must(t, err)
		var out bytes.Buffer
		must(t, comparison.Stream(t.Context(), &Store{}, &out))
		var different []int
		var extra []string
		var last Differences
		for decoder := json.NewDecoder(&out); decoder.More(); {
			last = Differences{}
			must(t, decoder.Decode(&last))
			different = append(different, last.Different...)
			for _, path := range last.Extra {
				extra = append(extra, string(path))
			}
		}
		if !last.End || !slices.Equal(different, c.different) || !slices.Equal(extra, c.extra) {
			t.Errorf("%v %q", different, extra)
		}
	}
	for _, text := range []string{"{", `{"path":"Li4="}`, `{"path":"YQ==","color":1}`} {
		if _, err := (&Store{}).Compare(base, strings.NewReader(text)); code(err) != "invalid_request" && code(err) != "invalid_path" {
			t.Errorf("%s: %v", text, err)
		}
	}
}
