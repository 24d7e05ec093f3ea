// The golden messages that the TypeScript side reads too: each decodes strictly and encodes to the same value.

package server

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"pyro/guest/internal/process"
)

var shapes = map[string]func() any{
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
	"empty_answer":     func() any { return &struct{}{} },
	"error_answer":     func() any { return &wireError{} },
	"started_event":    func() any { return &process.Event{} },
	"gap_event":        func() any { return &process.Event{} },
	"exit_event":       func() any { return &process.Event{} },
}

func TestVectorsDecodeStrictlyAndEncodeTheSame(t *testing.T) {
	text, err := os.ReadFile("../../../test/vectors/wire.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Name    string          `json:"name"`
		Message string          `json:"message"`
		JSON    json.RawMessage `json:"json"`
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	for _, vector := range vectors {
		t.Run(vector.Name, func(t *testing.T) {
			shape, ok := shapes[vector.Message]
			if !ok {
				t.Fatalf("no shape for %s", vector.Message)
			}
			value := shape()
			decoder := json.NewDecoder(bytes.NewReader(vector.JSON))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(value); err != nil {
				t.Fatal(err)
			}
			encoded, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(generic(t, encoded), generic(t, vector.JSON)) {
				t.Fatalf("encodes to %s, not %s", encoded, vector.JSON)
			}
		})
	}
}

func generic(t *testing.T, text []byte) any {
	t.Helper()
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	return value
}
