// Routes of the guest's disks: the project, freezing, growing.

package server

import (
	"net/http"
	"time"
)

type thawAnswer struct {
	WasFrozen bool `json:"was_frozen"`
}

type growAnswer struct {
	Bytes int64 `json:"bytes"`
}

// onMachine decodes an empty request and does what only the first process of a guest can.
func (a *Agent) onMachine(w http.ResponseWriter, r *http.Request, do func() (any, error)) {
	if !decode(w, r, &emptyAnswer{}) {
		return
	}
	if a.Machine == nil {
		refuse(w, http.StatusConflict, "no_machine", "the agent is a plain process")
		return
	}
	value, err := do()
	if err != nil {
		refuseWith(w, err)
		return
	}
	answer(w, value)
}

func (a *Agent) mountProject(w http.ResponseWriter, r *http.Request) {
	a.onMachine(w, r, func() (any, error) {
		a.activating.Lock()
		defer a.activating.Unlock()
		started := time.Now()
		err := a.Machine.MountProject()
		return activateAnswer{MountsMs: time.Since(started).Milliseconds()}, err
	})
}

func (a *Agent) freeze(w http.ResponseWriter, r *http.Request) {
	a.onMachine(w, r, func() (any, error) { return emptyAnswer{}, a.Machine.Freeze() })
}

func (a *Agent) thaw(w http.ResponseWriter, r *http.Request) {
	a.onMachine(w, r, func() (any, error) {
		wasFrozen, err := a.Machine.Thaw()
		return thawAnswer{wasFrozen}, err
	})
}

func (a *Agent) grow(w http.ResponseWriter, r *http.Request) {
	a.onMachine(w, r, func() (any, error) {
		bytes, err := a.Machine.Grow()
		return growAnswer{bytes}, err
	})
}
