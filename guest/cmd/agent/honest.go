//go:build !liar

// The agent as it is shipped has no disguise.

package main

import (
	"net"

	"pyro/guest/internal/channel"
	"pyro/guest/internal/server"
)

func disguise(*server.Agent) {}

func liesInHello(net.Conn, [channel.PartBytes]byte) bool { return false }
