//go:build liar

// The script of the lies: a file that is read anew for each request, so that the guest is honest until a test wants it otherwise.

// Package liar is the lying agent: tests alone build it in (`go build -tags liar ./cmd/agent`). It answers as the agent
// does, on the agent's own channel, until a script names a request and what comes in place of its answer.
package liar

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// places are where a script may lie: beside the sockets of a stand-in, which the host writes, and in the guest itself.
var places = []string{"/pyro/sockets/lies", "/tmp/pyro-lies"}

// What a lie may stand before, beside a method and a path.
const (
	onHello        = "hello"
	onNetwork      = "network"
	onNetworkHello = "way out"
)

// Lie is what comes in place of an answer.
type Lie struct {
	// On is a method and the beginning of a path, `hello` for the hellos of the host, `network` for the network port, or
	// `way out` for the hellos on that.
	On string `json:"on"`
	// If is a text that the request's query or body must hold.
	If string `json:"if,omitempty"`
	// After is how many such requests are answered honestly before.
	After int `json:"after,omitempty"`
	// Times is how many lies are told; all from then on where it is 0.
	Times   int               `json:"times,omitempty"`
	Status  int               `json:"status,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    []Part            `json:"body,omitempty"`
	// Raw goes to the host below HTTP/2, before the head of an answer.
	Raw []Part `json:"raw,omitempty"`
	// End is `close` (the preset), `hang` for a stream that stays open, `cut` for one that breaks off, `gone` for a
	// session that ends, or `silent` for no head at all. After a hello
	// the session stays open and is not served, but for `honest`, where the right answer and all else follows.
	End string `json:"end,omitempty"`
	// Record is a name beside the script: what the host says after the hello, with it, is kept as NAME.heard, what an
	// honest session answers as NAME.said.
	Record string `json:"record,omitempty"`
	// IsDeaf means that nothing more is read of the request, or of the network port.
	IsDeaf bool `json:"deaf,omitempty"`
}

// Part is a piece of what is sent; exactly one of its fields but Count and PauseMs is set.
type Part struct {
	// Text may hold one %08d, which is the number of the innermost repetition.
	Text   string `json:"text,omitempty"`
	Base64 []byte `json:"base64,omitempty"`
	// File is the name of a file beside the script.
	File string `json:"file,omitempty"`
	// Fill is so many bytes of zero, which cost the script nothing.
	Fill int64 `json:"fill,omitempty"`
	// Ack answers a hello rightly.
	Ack   bool   `json:"ack,omitempty"`
	Frame *Frame `json:"frame,omitempty"`
	// Repeat is sent Count times, for good where that is 0.
	Repeat  []Part `json:"repeat,omitempty"`
	Count   int    `json:"count,omitempty"`
	PauseMs int    `json:"pause_ms,omitempty"`
}

// Frame is one of HTTP/2, below its streams.
type Frame struct {
	Type  byte `json:"type"`
	Flags byte `json:"flags"`
	// Stream is a number, `own` for that of the request, `next` for one that was not used yet, or `last` for that one again.
	Stream  string `json:"stream,omitempty"`
	Payload []Part `json:"payload,omitempty"`
	// Length is what the head says; that of the payload where it is absent.
	Length *int `json:"length,omitempty"`
}

// script is the file with what was told of it.
type script struct {
	mu     sync.Mutex
	text   string
	folder string
	lies   []Lie
	seen   []int
}

// find gives the lie that is due; nil for the truth. holds tells whether the request has a text.
func (s *script) find(on string, holds func(string) bool) *Lie {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read()
	for at := range s.lies {
		lie := &s.lies[at]
		if !strings.HasPrefix(on, lie.On) || lie.If != "" && !holds(lie.If) {
			continue
		}
		s.seen[at]++
		told := s.seen[at] - lie.After
		if told >= 1 && (lie.Times == 0 || told <= lie.Times) {
			return lie
		}
	}
	return nil
}

// place is the folder of the script that was read last.
func (s *script) place() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.folder
}

// wants tells whether any lie bears on it at all, without counting.
func (s *script) wants(on string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read()
	for _, lie := range s.lies {
		if strings.HasPrefix(on, lie.On) {
			return true
		}
	}
	return false
}

// read takes a script that has changed; one that does not parse, half written say, is the truth.
func (s *script) read() {
	for _, place := range places {
		text, err := os.ReadFile(place)
		if err != nil {
			continue
		}
		if string(text) == s.text {
			return
		}
		s.text, s.lies, s.folder = string(text), nil, filepath.Dir(place)
		if json.Unmarshal(text, &s.lies) != nil {
			s.lies = nil
		}
		s.seen = make([]int, len(s.lies))
		return
	}
	s.text, s.lies, s.seen = "", nil, nil
}
