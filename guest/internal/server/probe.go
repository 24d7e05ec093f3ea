// Route of probes: whether a service answers yet.

package server

import (
	"net/http"

	"pyro/guest/internal/probe"
)

func (a *Agent) probe(w http.ResponseWriter, r *http.Request) {
	var request probe.Request
	if !decode(w, r, &request) {
		return
	}
	if wrong := request.Check(); wrong != "" {
		refuse(w, http.StatusBadRequest, "invalid_request", wrong)
		return
	}
	answer(w, probe.Look(r.Context(), request))
}
