// Tests of the probes, against servers of the test's own.

package probe

import (
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func portOf(t *testing.T, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestFile(t *testing.T) {
	folder := t.TempDir()
	if answer := Look(t.Context(), Request{File: folder}); !answer.Ready {
		t.Fatalf("%+v", answer)
	}
	if answer := Look(t.Context(), Request{File: filepath.Join(folder, "none")}); answer.Ready || answer.Detail == "" {
		t.Fatalf("%+v", answer)
	}
}

func TestPort(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			t.Skip("no address " + address)
		}
		port := portOf(t, listener.Addr().String())
		// Without a host, and by name, either family counts.
		for _, request := range []string{":" + port, "localhost:" + port, listener.Addr().String()} {
			if answer := Look(t.Context(), Request{TCP: request}); !answer.Ready {
				t.Errorf("%s: %+v", request, answer)
			}
		}
		_ = listener.Close()
		if answer := Look(t.Context(), Request{TCP: ":" + port}); answer.Ready || !strings.Contains(answer.Detail, "refused") {
			t.Errorf("closed: %+v", answer)
		}
	}
}

func TestURL(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/broken", http.StatusFound)
		case "/broken":
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	})
	for _, server := range []*httptest.Server{httptest.NewServer(handler), httptest.NewTLSServer(handler)} {
		for path, want := range map[string]bool{"/": true, "/moved": true, "/broken": false} {
			if answer := Look(t.Context(), Request{HTTP: server.URL + path}); answer.Ready != want {
				t.Errorf("%s%s: %+v", server.URL, path, answer)
			}
		}
		server.Close()
	}
}

func TestSilentServerIsGivenUp(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	began := time.Now()
	answer := Look(t.Context(), Request{HTTP: "http://" + listener.Addr().String()})
	if took := time.Since(began); answer.Ready || took > 4*within {
		t.Fatalf("%+v after %v", answer, took)
	}
}

func TestWrongRequestsAreNamed(t *testing.T) {
	for _, request := range []Request{
		{}, {TCP: ":1", File: "/a"}, {File: "relative"}, {TCP: "8080"}, {HTTP: "localhost:80"}, {HTTP: "ftp://a"}, {HTTP: "http://"},
	} {
		if request.Check() == "" {
			t.Errorf("%+v is taken", request)
		}
	}
	for _, request := range []Request{{TCP: ":1"}, {HTTP: "http://a/b"}, {File: "/a"}} {
		if wrong := request.Check(); wrong != "" {
			t.Errorf("%+v: %s", request, wrong)
		}
	}
}
