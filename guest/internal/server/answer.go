// Answers and bodies: JSON both ways, bounded, and an error for whatever a handler did not expect.

package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"pyro/guest/internal/files"
	"pyro/guest/internal/process"
)

const (
	mostBody = 1 << 20
	// longestMessage bounds the text of an error, in bytes.
	longestMessage = 1000
)

type errorAnswer struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

type emptyAnswer struct{}

// decode reads a JSON body into a request; false when it has answered with an error.
func decode(w http.ResponseWriter, r *http.Request, into any) bool {
	if err := decodeFrom(http.MaxBytesReader(w, r.Body, mostBody), into); err != nil {
		refuse(w, http.StatusBadRequest, "invalid_request", "the request does not parse: "+err.Error())
		return false
	}
	return true
}

// decodeFrom takes exactly one JSON value with no field that into does not have.
func decodeFrom(body io.Reader, into any) error {
	decoder := json.NewDecoder(body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more after the JSON value")
	}
	return nil
}

func answer(w http.ResponseWriter, value any) { answerWith(w, http.StatusOK, value) }

func answerWith(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A caller who has gone needs no answer.
	_, _ = w.Write(body)
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	answerWith(w, status, errorAnswer{code, cut(message)})
}

func cut(message string) string {
	if len(message) > longestMessage {
		message = message[:longestMessage] + "…"
	}
	return strings.ToValidUTF8(message, "�")
}

// statusOf are the refusal codes that are not a bad request.
var statusOf = map[string]int{
	"too_many": http.StatusTooManyRequests, "stdin_closed": http.StatusConflict,
	"file_missing": http.StatusNotFound, "replacement_mismatch": http.StatusConflict, "no_layers": http.StatusConflict,
	"project_mounted": http.StatusConflict, "workspace_busy": http.StatusConflict, "already_frozen": http.StatusConflict,
	"disk_full": http.StatusInsufficientStorage,
}

// refuseWith answers with what a package below reported.
func refuseWith(w http.ResponseWriter, err error) {
	code, message := "", err.Error()
	var ofProcess *process.Refusal
	var ofFile *files.Refusal
	switch {
	case errors.As(err, &ofProcess):
		code = ofProcess.Code
	case errors.As(err, &ofFile):
		code = ofFile.Code
	default:
		refuse(w, http.StatusInternalServerError, "internal", message)
		return
	}
	status, ok := statusOf[code]
	if !ok {
		status = http.StatusBadRequest
	}
	refuse(w, status, code, message)
}

// guard turns a panic of a handler into an answer; its details go to the console alone.
func guard(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := &startedWriter{ResponseWriter: w}
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			fmt.Fprintf(os.Stderr, "pyro agent: panic in %s %s: %s\n", r.Method, cut(r.URL.Path), cut(fmt.Sprint(cause)))
			if seen.isStarted {
				// Half an answer can only be broken off.
				panic(http.ErrAbortHandler)
			}
			refuse(w, http.StatusInternalServerError, "internal", "the agent failed; see the guest's console")
		}()
		handler.ServeHTTP(seen, r)
	})
}

// startedWriter remembers whether an answer has begun.
type startedWriter struct {
	http.ResponseWriter
	isStarted bool
}

func (w *startedWriter) WriteHeader(status int) {
	w.isStarted = true
	w.ResponseWriter.WriteHeader(status)
}

func (w *startedWriter) Write(p []byte) (int, error) {
	w.isStarted = true
	return w.ResponseWriter.Write(p)
}

// Flush sends what was written so far.
func (w *startedWriter) Flush() {
	w.isStarted = true
	// It fails only when the session is over, which the next write tells.
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}
