// Routes of files: lists, slices, writing, replacing.

package server

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"pyro/guest/internal/files"
)

// mostReplaceBody bounds the texts of a replacement, in bytes of JSON.
const mostReplaceBody = 16 << 20

// query are the parameters of a request; its first fault is kept.
type query struct {
	url.Values
	err error
}

// queryOf takes parameters of these names only.
func queryOf(r *http.Request, names ...string) *query {
	values, err := url.ParseQuery(r.URL.RawQuery)
	for name := range values {
		if err == nil && !slices.Contains(names, name) {
			err = fmt.Errorf("unknown parameter %.100q; the known ones are %q", name, names)
		}
	}
	return &query{values, err}
}

// number gives a parameter; preset where there is none.
func (q *query) number(name string, preset int64) int64 {
	if !q.Has(name) {
		return preset
	}
	value, err := strconv.ParseUint(q.Get(name), 10, 53)
	if err != nil && q.err == nil {
		q.err = fmt.Errorf("%s is not a whole number", name)
	}
	return int64(value)
}

func (q *query) isSet(name string) bool { return q.number(name, 0) == 1 }

// isWrong answers with the fault of the parameters.
func (q *query) isWrong(w http.ResponseWriter) bool {
	if q.err != nil {
		refuse(w, http.StatusBadRequest, "invalid_request", q.err.Error())
	}
	return q.err != nil
}

func (a *Agent) listFiles(w http.ResponseWriter, r *http.Request) {
	q := queryOf(r, "path", "depth", "glob", "limit", "cursor")
	request := files.ListRequest{
		Path: q.Get("path"), Depth: int(q.number("depth", 1)), Glob: q.Get("glob"), Limit: int(q.number("limit", 1000)), Cursor: q.Get("cursor"),
	}
	if q.isWrong(w) {
		return
	}
	listing, err := a.Files.List(r.Context(), request)
	if err != nil {
		refuseWith(w, err)
		return
	}
	answer(w, listing)
}

func (a *Agent) readFile(w http.ResponseWriter, r *http.Request) {
	q := queryOf(r, "path", "length", "offset", "start_line", "end_line")
	request := files.SliceRequest{
		Path: q.Get("path"), Length: q.number("length", 64<<10), Offset: q.number("offset", 0),
		StartLine: q.number("start_line", 0), EndLine: q.number("end_line", 0),
	}
	if q.isWrong(w) {
		return
	}
	slice, err := a.Files.Read(request)
	if err != nil {
		refuseWith(w, err)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "application/octet-stream")
	header.Set("Pyro-Size", strconv.FormatInt(slice.Size, 10))
	header.Set("Pyro-Mode", strconv.FormatUint(uint64(slice.Mode), 10))
	header.Set("Pyro-Offset", strconv.FormatInt(slice.Offset, 10))
	header.Set("Pyro-First-Line", strconv.FormatInt(slice.FirstLine, 10))
	header.Set("Pyro-Cut", strconv.FormatBool(slice.IsCut))
	// A caller who has gone needs no answer.
	_, _ = w.Write(slice.Bytes)
}

func (a *Agent) writeFile(w http.ResponseWriter, r *http.Request) {
	defer drain(r)
	q := queryOf(r, "path", "mode", "append")
	request := files.WriteRequest{Path: q.Get("path"), IsAppend: q.isSet("append")}
	if q.Has("mode") {
		mode := uint32(min(q.number("mode", 0), 0o10000))
		request.Mode = &mode
	}
	if q.isWrong(w) {
		return
	}
	written, err := a.Files.Write(request, r.Body)
	if err != nil {
		drain(r)
		refuseWith(w, err)
		return
	}
	answer(w, written)
}

func (a *Agent) replaceText(w http.ResponseWriter, r *http.Request) {
	var request files.ReplaceRequest
	if err := decodeFrom(http.MaxBytesReader(w, r.Body, mostReplaceBody), &request); err != nil {
		refuse(w, http.StatusBadRequest, "invalid_request", "the request does not parse: "+err.Error())
		return
	}
	replaced, err := a.Files.Replace(request)
	if err != nil {
		refuseWith(w, err)
		return
	}
	answer(w, replaced)
}

// drain takes what the host still sends: a stream that ends early would cost the host the reason.
func drain(r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
}
