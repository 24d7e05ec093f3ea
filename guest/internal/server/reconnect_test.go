// Test of reconnecting: sessions cut in the middle of a download and an upload, many times on one port.

package server

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"

	"pyro/guest/internal/process"
)

const reconnects = 200

// trickster is an endless upload full of beginnings of the magic.
type trickster struct{ at int }

func (r *trickster) Read(p []byte) (int, error) {
	for i := range p {
		// Runs of 15 bytes of the magic, each followed by a byte that breaks it.
		if r.at++; r.at%16 == 0 {
			p[i] = 'x'
		} else {
			p[i] = testMagic[r.at%16-1]
		}
	}
	return len(p), nil
}

func TestReconnectInTheMiddleOfTransfers(t *testing.T) {
	h := startAgent(t, nil)
	s := h.resumed()
	sink, sinkStream := s.startProcess(t, process.Request{Argv: []string{"sh", "-c", "cat >/dev/null"}, Stdin: true, Overflow: "block"})
	_ = sinkStream.Close()
	prefixes := bytes.Repeat(append(bytes.Clone(testMagic[:15]), 'y'), 4)
	echo, echoStream := s.startProcess(t, process.Request{Argv: []string{"cat"}, Stdin: true, Overflow: "drop", BufferBytes: 64 << 10})
	_ = echoStream.Close()
	for round := range reconnects {
		_, download := s.startProcess(t, process.Request{Argv: []string{"cat", "/dev/zero"}, Overflow: "drop", BufferBytes: 64 << 10})
		ctx, cancel := context.WithCancel(t.Context())
		uploaded := make(chan struct{})
		go func() {
			defer close(uploaded)
			if response, err := s.request(t, ctx, "POST", "/v1/processes/"+sink+"/input", &trickster{}); err == nil {
				_ = response.Body.Close()
			}
		}()
		if status, answer := s.call(t, "POST", "/v1/processes/"+echo+"/input", string(prefixes)); status != 200 {
			t.Fatalf("round %d: %d %v", round, status, answer)
		}
		if _, err := io.CopyN(io.Discard, download, int64(100_000+round*997)); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		// Cut: the host stops in mid-frame, whatever was under way, and says hello on the same port.
		began := time.Now()
		next := h.hello()
		cancel()
		<-uploaded
		_ = download.Close()
		s = next
		if status, answer := s.call(t, "POST", "/v1/resume", validResume()); status != 200 {
			t.Fatalf("round %d: %d %v", round, status, answer)
		}
		if took := time.Since(began); took > deadline/2 {
			t.Fatalf("round %d took %v", round, took)
		}
		for _, info := range onlyManager().List() {
			if info.Argv[0] == "cat" && len(info.Argv) == 2 {
				onlyManager().Forget(info.ID)
			}
		}
	}
	_, info := s.call(t, "GET", "/v1/processes/"+echo, nil)
	if want := float64(reconnects * len(prefixes)); info["stdout_bytes"] != want {
		t.Fatalf("the echo got %v bytes, want %v", info["stdout_bytes"], want)
	}
	if status, _ := s.call(t, "POST", "/v1/processes/"+sink+"/input?eof=1", "end"); status != 200 {
		t.Fatal("the upload's process did not survive")
	}
}
