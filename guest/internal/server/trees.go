// Routes of trees: changes, packing, unpacking, comparing.

package server

import (
	"bufio"
	"net/http"

	"pyro/guest/internal/files"
)

const (
	// mostChangesBody leaves room for the paths that a request may name.
	mostChangesBody = 64 << 20
	streamBuffer    = 64 << 10
)

func (a *Agent) changes(w http.ResponseWriter, r *http.Request) {
	var request files.ChangesRequest
	if err := decodeFrom(http.MaxBytesReader(w, r.Body, mostChangesBody), &request); err != nil {
		refuse(w, http.StatusBadRequest, "invalid_request", "the request does not parse: "+err.Error())
		return
	}
	changes, err := a.Files.Changes(request)
	if err != nil {
		refuseWith(w, err)
		return
	}
	begin(w, "application/octet-stream")
	if err := changes.Stream(r.Context(), w); err != nil {
		panic(http.ErrAbortHandler)
	}
}

func (a *Agent) pack(w http.ResponseWriter, r *http.Request) {
	var request files.PackRequest
	if err := decodeFrom(http.MaxBytesReader(w, r.Body, mostChangesBody), &request); err != nil {
		refuse(w, http.StatusBadRequest, "invalid_request", "the request does not parse: "+err.Error())
		return
	}
	pack, err := a.Files.Pack(request)
	if err != nil {
		refuseWith(w, err)
		return
	}
	defer pack.Close()
	begin(w, "application/x-tar")
	out := bufio.NewWriterSize(w, streamBuffer)
	if pack.Stream(r.Context(), out) != nil || out.Flush() != nil {
		// A tar that breaks off must not look complete.
		panic(http.ErrAbortHandler)
	}
}

func (a *Agent) unpack(w http.ResponseWriter, r *http.Request) {
	unpacked, err := a.Files.Unpack(r.Context(), bufio.NewReaderSize(r.Body, streamBuffer))
	drain(r)
	if err != nil {
		refuseWith(w, err)
		return
	}
	answer(w, unpacked)
}

func (a *Agent) compare(w http.ResponseWriter, r *http.Request) {
	q := queryOf(r, "destination")
	if q.isWrong(w) {
		return
	}
	comparison, err := a.Files.Compare(q.Get("destination"), bufio.NewReaderSize(r.Body, streamBuffer))
	if err != nil {
		drain(r)
		refuseWith(w, err)
		return
	}
	begin(w, "application/x-ndjson")
	out := bufio.NewWriterSize(w, streamBuffer)
	if comparison.Stream(r.Context(), a.Files, out) != nil || out.Flush() != nil {
		panic(http.ErrAbortHandler)
	}
}

// begin sends the head of a stream, whose first bytes may take their time.
func begin(w http.ResponseWriter, kind string) {
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(http.StatusOK)
	// It fails only when the session is over, which the next write tells.
	_ = http.NewResponseController(w).Flush()
}
