// Routes of processes: start, attach, input, signals.

package server

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"pyro/guest/internal/process"
)

// mostGraceMs bounds how long what a process has left may take to end, in milliseconds.
const mostGraceMs = 60_000

func (a *Agent) start(w http.ResponseWriter, r *http.Request) {
	var request process.Request
	if !decode(w, r, &request) {
		return
	}
	p, err := a.Manager.Start(request)
	if err != nil {
		refuseWith(w, err)
		return
	}
	// Whoever has left learns no id: nobody could signal the process, read it or forget it.
	if r.Context().Err() != nil {
		a.Manager.Forget(p.ID())
		return
	}
	stream(w, r, p, 0, 0, true)
}

func (a *Agent) attach(w http.ResponseWriter, r *http.Request, p *process.Process) {
	stdout, stdoutErr := offset(r, "stdout")
	stderr, stderrErr := offset(r, "stderr")
	if stdoutErr != nil || stderrErr != nil {
		refuse(w, http.StatusBadRequest, "invalid_request", "stdout and stderr must be byte offsets")
		return
	}
	stream(w, r, p, stdout, stderr, false)
}

func offset(r *http.Request, name string) (int64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return 0, nil
	}
	value, err := strconv.ParseUint(text, 10, 62)
	return int64(value), err
}

// frameSink sends frames as the body of an answer.
type frameSink struct {
	http.ResponseWriter
	*http.ResponseController
}

func (s frameSink) Flush() {
	// It fails only when the session is over, which the next write tells.
	_ = s.ResponseController.Flush()
}

func stream(w http.ResponseWriter, r *http.Request, p *process.Process, stdout, stderr int64, isNew bool) {
	attachment, err := p.Attach(stdout, stderr)
	if err != nil {
		refuseWith(w, err)
		return
	}
	defer attachment.Detach()
	w.Header().Set("Content-Type", "application/octet-stream")
	// A dropped connection is no failure: the process lives on and can be attached to again.
	_ = attachment.Follow(r.Context(), frameSink{w, http.NewResponseController(w)}, isNew)
}

type processList struct {
	Processes []process.Info `json:"processes"`
}

func (a *Agent) list(w http.ResponseWriter, _ *http.Request) {
	answer(w, processList{a.Manager.List()})
}

func (a *Agent) show(w http.ResponseWriter, _ *http.Request, p *process.Process) {
	answer(w, p.Info())
}

func (a *Agent) withProcess(handler func(http.ResponseWriter, *http.Request, *process.Process)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p, ok := a.Manager.Get(r.PathValue("id"))
		if !ok {
			refuse(w, http.StatusNotFound, "process_missing", fmt.Sprintf("no such process: %.100q", r.PathValue("id")))
			return
		}
		handler(w, r, p)
	}
}

type inputAnswer struct {
	Bytes int64 `json:"bytes"`
}

func (a *Agent) input(w http.ResponseWriter, r *http.Request, p *process.Process) {
	eof := r.URL.Query().Get("eof")
	if eof != "" && eof != "0" && eof != "1" {
		refuse(w, http.StatusBadRequest, "invalid_request", "eof must be 0 or 1")
		return
	}
	body := io.Reader(r.Body)
	if r.ContentLength > 0 {
		body = &sizedReader{r.Body, r.ContentLength}
	}
	taken, err := p.Feed(r.Context(), body, eof == "1")
	if err != nil {
		refuseWith(w, err)
		return
	}
	answer(w, inputAnswer{taken})
}

// sizedReader tells of the end together with the last byte: a process that ends on it has taken all of its input.
type sizedReader struct {
	io.Reader
	left int64
}

func (r *sizedReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.left -= int64(n)
	if r.left <= 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

func (a *Agent) resize(w http.ResponseWriter, r *http.Request, p *process.Process) {
	var size process.Size
	if !decode(w, r, &size) {
		return
	}
	if err := p.Resize(size); err != nil {
		refuseWith(w, err)
		return
	}
	answer(w, emptyAnswer{})
}

type signalRequest struct {
	Signal string `json:"signal"`
	Scope  string `json:"scope"`
}

func (a *Agent) signal(w http.ResponseWriter, r *http.Request, p *process.Process) {
	var request signalRequest
	if !decode(w, r, &request) {
		return
	}
	if err := p.Signal(request.Signal, request.Scope); err != nil {
		refuseWith(w, err)
		return
	}
	answer(w, emptyAnswer{})
}

// forget drops a process; what of it still runs may end by itself for grace_ms and is killed then. With leave=1 it
// runs on, known to nobody: what a command has put in the background.
func (a *Agent) forget(w http.ResponseWriter, r *http.Request, p *process.Process) {
	q := queryOf(r, "grace_ms", "leave")
	grace := min(q.number("grace_ms", 0), mostGraceMs)
	leaves := q.number("leave", 0) == 1
	if q.isWrong(w) {
		return
	}
	if leaves {
		a.Manager.Leave(p.ID())
		answer(w, emptyAnswer{})
		return
	}
	p.WaitEmpty(r.Context(), time.Duration(grace)*time.Millisecond)
	a.Manager.Forget(p.ID())
	answer(w, emptyAnswer{})
}
