//go:build liar

// The agent of tests that lies by a script.

package main

import (
	"net"

	"pyro/guest/internal/channel"
	"pyro/guest/internal/liar"
	"pyro/guest/internal/server"
)

var mask = &liar.Liar{}

func disguise(agent *server.Agent) {
	mask.ServePort = agent.Network.ServePort
	agent.Disguise = mask
}

func liesInHello(conn net.Conn, magic [channel.PartBytes]byte) bool { return mask.Greet(conn, magic) }
