// Routes of processes: start, attach, input, signals.

package server

import (
	"io"
	"net/http"
	"strconv"

	"pyro/guest/internal/process"
)

func (a *Agent) start(w http.ResponseWriter, r *http.Request) {
	var request process.Request
	if !decode(w, r, &request) {
		return
	}
	if !a.activated.Load() {
		refuse(w, http.StatusConflict, "not_activated", "the guest's root is not mounted yet")
		return
	}
	p, err := a.Manager.Start(request)
	if err != nil {
		refuseWith(w, err)
		return
	}
	stream(w, r, p, 0, 0, true)
}

func (a *Agent) attach(w http.ResponseWriter, r *http.Request, p *process.Process) {
	stdout, stdoutErr := offset(r, "stdout")
	stderr, stderrErr := offset(r, "stderr")
	if stdoutErr != nil || stderrErr != nil {
		refuse(w, http.StatusBadRequest, "invalid_request", "stdout and stderr are byte offsets")
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

func stream(w http.ResponseWriter, r *http.Request, p *process.Process, stdout, stderr int64, isNew bool) {
	flusher, ok := w.(http.Flusher)
	if !ok {
		refuse(w, http.StatusInternalServerError, "internal", "the connection cannot stream")
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	if isNew {
		if err := p.WriteStarted(w); err != nil {
			return
		}
		flusher.Flush()
	}
	// A dropped connection is no failure: the process lives on and can be attached to again.
	_ = p.Attach(r.Context(), w, flusher, stdout, stderr)
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
			refuse(w, http.StatusNotFound, "process_missing", "no such process: "+r.PathValue("id"))
			return
		}
		handler(w, r, p)
	}
}

type inputAnswer struct {
	Bytes int64 `json:"bytes"`
}

func (a *Agent) input(w http.ResponseWriter, r *http.Request, p *process.Process) {
	sink := p.Input()
	if sink == nil {
		refuse(w, http.StatusConflict, "stdin_closed", "the process has no standard input")
		return
	}
	n, err := io.Copy(sink, r.Body)
	if err != nil {
		refuse(w, http.StatusConflict, "stdin_closed", "the process has closed its standard input")
		return
	}
	if r.URL.Query().Get("eof") == "1" && !p.HasTerminal() {
		_ = sink.Close()
	}
	answer(w, inputAnswer{n})
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
	answer(w, struct{}{})
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
	answer(w, struct{}{})
}

func (a *Agent) forget(w http.ResponseWriter, _ *http.Request, p *process.Process) {
	a.Manager.Forget(p.ID())
	answer(w, struct{}{})
}
