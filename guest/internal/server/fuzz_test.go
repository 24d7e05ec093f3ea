// Fuzzing of requests: a process is described by JSON that parses or is refused, never half.

package server

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"pyro/guest/internal/process"
)

// FuzzStart checks that a request which is taken says the same when it is written again.
func FuzzStart(f *testing.F) {
	f.Add([]byte(`{"argv":["true"],"env":{"A":"b"},"stdin":false,"overflow":"drop"}`))
	f.Add([]byte(`{"argv":["sh","-c","a"],"env":{},"stdin":true,"terminal":{"cols":80,"rows":24},"timeout_ms":1,"overflow":"block"}`))
	f.Add([]byte(`{"argv":[],"extra":1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var first, second process.Request
		if decodeFrom(bytes.NewReader(body), &first) != nil {
			return
		}
		again, err := json.Marshal(first)
		if err != nil {
			t.Fatal(err)
		}
		if err := decodeFrom(bytes.NewReader(again), &second); err != nil {
			t.Fatalf("%s does not parse: %v", again, err)
		}
		rewritten, err := json.Marshal(second)
		if err != nil || !reflect.DeepEqual(again, rewritten) {
			t.Fatalf("%s became %s, %v", again, rewritten, err)
		}
	})
}
