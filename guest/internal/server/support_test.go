// Support of the tests: an agent on one end of a socket pair, a host with the hello and HTTP/2 on the other.

package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pyro/guest/internal/channel"
	"pyro/guest/internal/files"
	"pyro/guest/internal/pair"
	"pyro/guest/internal/process"
)

// deadline is far above what any step takes; it only keeps a broken test from hanging.
const deadline = 20 * time.Second

var (
	testMagic   = [channel.PartBytes]byte{0xf5, 1, 2, 3, 0xf5, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 0xf5}
	onlyManager = sync.OnceValue(func() *process.Manager { return process.NewManager(false) })
)

// host is the other end of an agent's port.
type host struct {
	t     *testing.T
	agent *Agent
	conn  *net.UnixConn
	// current is the session under way, which the next hello cuts.
	current *hostConn
	magic   [channel.PartBytes]byte
}

func startAgent(t *testing.T, machine Machine) *host {
	t.Helper()
	end, own := pair.Connected(t)
	mux := channel.NewMux(testMagic)
	agent := &Agent{Machine: machine, Version: "test", Mux: mux, Manager: onlyManager(), Files: &files.Store{}}
	port, err := channel.FromConn(own)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = mux.Serve(port) }()
	go func() { _ = agent.Serve() }()
	t.Cleanup(func() {
		_ = end.Close()
		_ = mux.Close()
	})
	return &host{t: t, agent: agent, conn: end, magic: testMagic}
}

// guestSession is a client on one session.
type guestSession struct{ *http.Client }

// hostConn is one session on the port. Its end leaves the port open, as a host that is cut leaves QEMU's.
type hostConn struct {
	net.Conn
	rest io.Reader
	// using is held by reads and writes under way.
	using sync.RWMutex
	isCut atomic.Bool
}

func (c *hostConn) Read(p []byte) (int, error) {
	return c.use(func() (int, error) { return c.rest.Read(p) })
}
func (c *hostConn) Write(p []byte) (int, error) {
	return c.use(func() (int, error) { return c.Conn.Write(p) })
}
func (c *hostConn) SetDeadline(time.Time) error { return nil }

func (c *hostConn) SetReadDeadline(time.Time) error  { return nil }
func (c *hostConn) SetWriteDeadline(time.Time) error { return nil }

func (c *hostConn) use(transfer func() (int, error)) (int, error) {
	c.using.RLock()
	defer c.using.RUnlock()
	if c.isCut.Load() {
		return 0, net.ErrClosed
	}
	return transfer()
}

// Close breaks off what is under way, be it in the middle of a frame.
func (c *hostConn) Close() error {
	if !c.isCut.Swap(true) {
		_ = c.Conn.SetDeadline(time.Unix(1, 0))
		c.using.Lock()
		defer c.using.Unlock()
		_ = c.Conn.SetDeadline(time.Time{})
	}
	return nil
}

// hello begins a session and skips whatever the one before still had under way.
func (h *host) hello() *guestSession {
	h.t.Helper()
	if h.current != nil {
		_ = h.current.Close()
	}
	_ = h.conn.SetDeadline(time.Now().Add(deadline))
	nonce := make([]byte, channel.PartBytes)
	_, _ = rand.Read(nonce)
	var want []byte
	for _, b := range h.magic {
		want = append(want, ^b)
	}
	want = append(want, nonce...)
	sent := make(chan error, 1)
	go func() {
		_, err := h.conn.Write(append(bytes.Clone(h.magic[:]), nonce...))
		sent <- err
	}()
	var seen []byte
	buffer := make([]byte, 64<<10)
	for {
		n, err := h.conn.Read(buffer)
		if err != nil {
			h.t.Fatalf("no answer to the hello: %v", err)
		}
		seen = append(seen, buffer[:n]...)
		if at := bytes.Index(seen, want); at >= 0 {
			seen = seen[at+len(want):]
			break
		}
		seen = seen[max(0, len(seen)-len(want)):]
	}
	if err := <-sent; err != nil {
		h.t.Fatal(err)
	}
	_ = h.conn.SetDeadline(time.Time{})
	conn := &hostConn{Conn: h.conn, rest: io.MultiReader(bytes.NewReader(seen), h.conn)}
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	given := false
	transport := &http.Transport{
		Protocols: &protocols, DisableCompression: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			if given {
				return nil, errors.New("the session is over")
			}
			given = true
			return conn, nil
		},
	}
	h.current = conn
	return &guestSession{&http.Client{Transport: transport}}
}

// resumed begins a session and passes its gate.
func (h *host) resumed() *guestSession {
	h.t.Helper()
	s := h.hello()
	if status, body := s.call(h.t, "POST", "/v1/resume", validResume()); status != http.StatusOK {
		h.t.Fatalf("resume: %d %v", status, body)
	}
	return s
}

func validResume() map[string]any {
	return map[string]any{
		"unix_ms": 1793500000000, "entropy": bytes.Repeat([]byte{7}, 32), "hostname": "box", "machine_id": strings.Repeat("0a", 16),
	}
}

func (s *guestSession) request(t *testing.T, ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, method, "http://guest"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	return s.Do(request)
}

// call makes a call with JSON both ways; body may be text, to be sent as it is.
func (s *guestSession) call(t *testing.T, method, path string, body any) (int, map[string]any) {
	t.Helper()
	text, isText := body.(string)
	if !isText && body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		text = string(encoded)
	}
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	response, err := s.request(t, ctx, method, path, strings.NewReader(text))
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer response.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatalf("%s %s: %d with no JSON: %v", method, path, response.StatusCode, err)
	}
	return response.StatusCode, answer
}

// nextFrame reads one frame of a stream.
func nextFrame(r io.Reader) (kind byte, payload []byte, err error) {
	header := make([]byte, 5)
	if _, err := io.ReadFull(r, header); err != nil {
		return 0, nil, err
	}
	payload = make([]byte, binary.BigEndian.Uint32(header[1:]))
	_, err = io.ReadFull(r, payload)
	return header[0], payload, err
}

// startProcess starts one and gives its stream behind the started event.
func (s *guestSession) startProcess(t *testing.T, request process.Request) (id string, stream io.ReadCloser) {
	t.Helper()
	body, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	response, err := s.request(t, t.Context(), "POST", "/v1/processes", bytes.NewReader(body))
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("start: %v %v", response, err)
	}
	kind, payload, err := nextFrame(response.Body)
	var event process.Event
	if err != nil || kind != 3 || json.Unmarshal(payload, &event) != nil || event.Event != "started" {
		t.Fatalf("the first frame is %d %q: %v", kind, payload, err)
	}
	t.Cleanup(func() { onlyManager().Forget(event.ID) })
	return event.ID, response.Body
}

// untilExit reads a stream to its end.
func untilExit(t *testing.T, r io.Reader) (stdout string, exit process.Event) {
	t.Helper()
	var out strings.Builder
	for {
		kind, payload, err := nextFrame(r)
		if err != nil {
			t.Fatalf("the stream broke off after %q: %v", out.String(), err)
		}
		if kind == 1 {
			out.Write(payload)
			continue
		}
		if kind != 3 {
			continue
		}
		if err := json.Unmarshal(payload, &exit); err != nil {
			t.Fatal(err)
		}
		if exit.Event == "exit" {
			if _, _, err := nextFrame(r); !errors.Is(err, io.EOF) {
				t.Fatalf("something follows the exit: %v", err)
			}
			return out.String(), exit
		}
	}
}
