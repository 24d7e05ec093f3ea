// Tests of the file routes: what they need, what they refuse, and answers of the machine.

package server

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFileRoutesNeedTheRoot(t *testing.T) {
	s := startAgent(t, &fakeMachine{}).resumed()
	for _, route := range [][2]string{
		{"POST", "/v1/project"}, {"POST", "/v1/freeze"}, {"POST", "/v1/thaw"}, {"POST", "/v1/grow"}, {"GET", "/v1/files"},
		{"GET", "/v1/files/content"}, {"PUT", "/v1/files/content"}, {"POST", "/v1/files/replace"}, {"POST", "/v1/changes"},
		{"POST", "/v1/tree/pack"}, {"POST", "/v1/tree/unpack"}, {"POST", "/v1/tree/compare"},
	} {
		if status, answer := s.call(t, route[0], route[1], "{}"); status != 409 || code(answer) != "not_activated" {
			t.Errorf("%v: %d %v", route, status, answer)
		}
	}
}

func TestFileRoutesRefuse(t *testing.T) {
	s := startAgent(t, nil).resumed()
	for _, c := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"GET", "/v1/files?path=/&depth=0", "", 400, "invalid_request"},
		{"GET", "/v1/files?path=/&limit=10001", "", 400, "invalid_request"},
		{"GET", "/v1/files?path=/&limit=x", "", 400, "invalid_request"},
		{"GET", "/v1/files?path=/&color=1", "", 400, "invalid_request"},
		{"GET", "/v1/files?path=%zz", "", 400, "invalid_request"},
		{"GET", "/v1/files?path=none", "", 400, "invalid_path"},
		{"GET", "/v1/files?path=/no/such", "", 404, "file_missing"},
		{"GET", "/v1/files/content?path=/no/such", "", 404, "file_missing"},
		{"GET", "/v1/files/content?path=/&length=-1", "", 400, "invalid_request"},
		{"PUT", "/v1/files/content?path=/x&mode=4096", strings.Repeat("x", 1<<20), 400, "invalid_request"},
		{"PUT", "/v1/files/content?path=/", strings.Repeat("x", 1<<20), 400, "is_a_directory"},
		{"POST", "/v1/files/replace", `{"path":"L25vL3N1Y2g=","edits":[{"old_text":"a","new_text":"b","expected_count":1}]}`, 404, "file_missing"},
		{"POST", "/v1/files/replace", `{"path":"L25vL3N1Y2g=","color":1}`, 400, "invalid_request"},
		{"POST", "/v1/changes", `{"scope":"workspace","content":false}`, 409, "no_layers"},
		{"POST", "/v1/changes", `{"scope":"system","content":true}`, 400, "invalid_request"},
		{"POST", "/v1/tree/pack", `{"path":"L25vL3N1Y2g="}`, 404, "file_missing"},
		{"POST", "/v1/tree/unpack", strings.Repeat("no tar", 1<<18), 400, "invalid_request"},
		{"POST", "/v1/tree/compare?destination=x", "", 400, "invalid_path"},
		{"POST", "/v1/project", "{}", 409, "no_machine"},
		{"POST", "/v1/grow", `{"bytes":1}`, 400, "invalid_request"},
	} {
		if status, answer := s.call(t, c.method, c.path, c.body); status != c.status || code(answer) != c.code {
			t.Errorf("%s %s: %d %v", c.method, c.path, status, answer)
		}
	}
}

func TestContentComesWithItsPlace(t *testing.T) {
	s := startAgent(t, nil).resumed()
	path := filepath.Join(t.TempDir(), "a b%\xff")
	if err := os.WriteFile(path, []byte("one\ntwo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	response, err := s.request(t, t.Context(), "GET", "/v1/files/content?start_line=2&end_line=2&path="+url.QueryEscape(path), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	got := ""
	for _, name := range []string{"Size", "Mode", "Offset", "First-Line", "Cut"} {
		got += response.Header.Get("Pyro-"+name) + " "
	}
	if response.StatusCode != 200 || string(text) != "two\n" || got != "8 384 4 2 false " {
		t.Fatalf("%d %q %q", response.StatusCode, text, got)
	}
}

func TestMachineAnswersAboutItsDisk(t *testing.T) {
	s := startAgent(t, &fakeMachine{}).resumed()
	if status, answer := s.call(t, "POST", "/v1/activate", `{"project":false}`); status != 200 {
		t.Fatal(answer)
	}
	if status, answer := s.call(t, "POST", "/v1/project", `{}`); status != 200 || answer["mounts_ms"] == nil {
		t.Fatalf("%d %v", status, answer)
	}
	if status, answer := s.call(t, "POST", "/v1/freeze", `{}`); status != 409 || code(answer) != "already_frozen" {
		t.Fatalf("%d %v", status, answer)
	}
	if status, answer := s.call(t, "POST", "/v1/thaw", `{}`); status != 200 || answer["was_frozen"] != true {
		t.Fatalf("%d %v", status, answer)
	}
	if status, answer := s.call(t, "POST", "/v1/grow", `{}`); status != 200 || answer["bytes"] != float64(16<<30) {
		t.Fatalf("%d %v", status, answer)
	}
}
