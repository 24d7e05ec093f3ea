//go:build liar

// The agent of tests that lies by a script.

package main

import (
	"pyro/guest/internal/channel"
	"pyro/guest/internal/liar"
	"pyro/guest/internal/server"
)

// disguise puts a liar before the routes and before the hellos of both ports.
func disguise(agent *server.Agent) {
	mask := &liar.Liar{}
	agent.Mux.Greet = mask.Greet
	serve := agent.Network.ServePort
	if serve != nil {
		agent.Network.ServePort = func(mux *channel.Mux) error {
			mux.Greet = mask.GreetOnNetwork
			return serve(mux)
		}
	}
	mask.ServePort = agent.Network.ServePort
	agent.Disguise = mask
}
