// Tests of the wire: the structs and the vectors that both ends of the channel read say the same.

package server

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"pyro/guest/internal/files"
	"pyro/guest/internal/network"
	"pyro/guest/internal/probe"
	"pyro/guest/internal/process"
)

const vectorsPath = "../../../test/vectors/wire.json"

// messages makes an empty value of each type of message. What a request must fulfil beside its shape is checked too.
var messages = map[string]func() any{
	"resume_request":   func() any { return &resumeRequest{} },
	"resume_answer":    func() any { return &resumeAnswer{} },
	"activate_request": func() any { return &activateRequest{} },
	"activate_answer":  func() any { return &activateAnswer{} },
	"start_request":    func() any { return &process.Request{} },
	"process":          func() any { return &process.Info{} },
	"process_list":     func() any { return &processList{} },
	"input_answer":     func() any { return &inputAnswer{} },
	"resize_request":   func() any { return &process.Size{} },
	"signal_request":   func() any { return &signalRequest{} },
	"status_answer":    func() any { return &statusAnswer{} },
	"empty_answer":     func() any { return &emptyAnswer{} },
	"error_answer":     func() any { return &errorAnswer{} },
	"started_event":    func() any { return &process.Event{} },
	"gap_event":        func() any { return &process.Event{} },
	"exit_event":       func() any { return &process.Event{} },
	"file_list":        func() any { return &files.Listing{} },
	"write_answer":     func() any { return &files.Written{} },
	"replace_request":  func() any { return &files.ReplaceRequest{} },
	"replace_answer":   func() any { return &files.Replaced{} },
	"changes_request":  func() any { return &files.ChangesRequest{} },
	"pack_request":     func() any { return &files.PackRequest{} },
	"change_head":      func() any { return &files.ChangeHead{} },
	"change_end":       func() any { return &files.ChangeEnd{} },
	"changes_end":      func() any { return &files.ChangesEnd{} },
	"changes_failure":  func() any { return &files.ChangesFailure{} },
	"tree_manifest":    func() any { return &files.Manifest{} },
	"unpack_answer":    func() any { return &files.Unpacked{} },
	"tree_item":        func() any { return &files.Item{} },
	"differences":      func() any { return &files.Differences{} },
	"probe_request":    func() any { return &probe.Request{} },
	"probe_answer":     func() any { return &probe.Answer{} },
	"thaw_answer":      func() any { return &thawAnswer{} },
	"grow_answer":      func() any { return &growAnswer{} },
	"refusal_report":   func() any { return &network.Report{} },
}

func TestVectorsRoundTrip(t *testing.T) {
	text, err := os.ReadFile(vectorsPath)
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Name    string          `json:"name"`
		Message string          `json:"message"`
		JSON    json.RawMessage `json:"json"`
	}
	if err := decodeFrom(bytes.NewReader(text), &vectors); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, vector := range vectors {
		seen[vector.Message] = true
		t.Run(vector.Name, func(t *testing.T) {
			make, known := messages[vector.Message]
			if !known {
				t.Fatalf("no message %q", vector.Message)
			}
			message := make()
			if err := decodeFrom(bytes.NewReader(vector.JSON), message); err != nil {
				t.Fatal(err)
			}
			again, err := json.Marshal(message)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := plain(t, again), plain(t, vector.JSON); !reflect.DeepEqual(got, want) {
				t.Fatalf("became %s", again)
			}
			if request, ok := message.(*resumeRequest); ok && request.check() != "" {
				t.Fatal(request.check())
			}
		})
	}
	for name := range messages {
		if !seen[name] {
			t.Errorf("no vector of %s", name)
		}
	}
}

func plain(t *testing.T, text []byte) any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	// Numbers as text: large ones must not lose digits.
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatal(err)
	}
	return value
}
