// The guest agent: the first process of a guest, or a plain process on a unix socket for tests.
package main

import (
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"

	"pyro/guest/internal/channel"
	"pyro/guest/internal/files"
	"pyro/guest/internal/network"
	"pyro/guest/internal/process"
	"pyro/guest/internal/server"
)

var version = "dev"

func main() {
	if os.Getpid() == 1 {
		endGuest(runAsInit())
	}
	socket := flag.String("socket", "", "unix socket to listen on")
	magic := flag.String("magic", "", "secret of the hello, 32 hexadecimal digits")
	networkSocket := flag.String("network", "", "unix socket that stands for the network port")
	var layers layerPaths
	flag.StringVar(&layers.workspace, "workspace", "", "folder that stands for /workspace")
	flag.StringVar(&layers.upper, "upper", "", "folder that stands for the workspace's changes")
	flag.StringVar(&layers.lower, "lower", "", "folder that stands for the project")
	flag.BoolVar(&layers.isOverlay, "overlay", false, "the folders are those of an overlay that was mounted without privileges")
	flag.Parse()
	if err := runOnSocket(*socket, *magic, *networkSocket, layers); err != nil {
		fmt.Fprintln(os.Stderr, "pyro agent:", err)
		os.Exit(1)
	}
}

// runOnSocket serves until it is told to power off. A hello on a later connection ends the session of an earlier one.
func runOnSocket(path, magicText, networkPath string, layers layerPaths) error {
	magic, err := parseMagic(magicText)
	if err != nil {
		return err
	}
	store, err := layers.store()
	if err != nil {
		return err
	}
	mux := channel.NewMux(magic)
	guestNetwork := &network.Network{}
	if networkPath != "" {
		guestNetwork.ServePort = func(mux *channel.Mux) error { return serveSocket(networkPath, mux) }
	}
	agent := &server.Agent{Version: version, Mux: mux, Manager: process.NewManager(false), Files: store, Network: guestNetwork}
	disguise(agent)
	if err := serveSocket(path, mux); err != nil {
		return err
	}
	if err := agent.Serve(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// serveSocket makes each connection to a unix socket a port of the mux. The socket has its name once it takes connections.
func serveSocket(path string, mux *channel.Mux) error {
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path + "~", Net: "unix"})
	if err != nil {
		return err
	}
	if err := os.Rename(path+"~", path); err != nil {
		return err
	}
	go func() {
		for {
			conn, err := listener.AcceptUnix()
			if err != nil {
				return
			}
			go serveConn(mux, conn)
		}
	}()
	return nil
}

// layerPaths are the folders of an overlay that tests make.
type layerPaths struct {
	workspace, upper, lower string
	// isOverlay is set where they are not only made to look like one.
	isOverlay bool
}

// store has an overlay only when all three are given.
func (p layerPaths) store() (*files.Store, error) {
	store := &files.Store{}
	if p.workspace == "" || p.upper == "" || p.lower == "" {
		return store, nil
	}
	upper, err := os.Open(p.upper)
	if err != nil {
		return nil, err
	}
	lower, err := os.Open(p.lower)
	if err != nil {
		return nil, err
	}
	store.Use(&files.Layers{Merged: p.workspace, Upper: upper, Lower: lower, IsUnprivileged: p.isOverlay}, nil)
	store.Sweep()
	return store, nil
}

func serveConn(mux *channel.Mux, conn *net.UnixConn) {
	defer conn.Close()
	port, err := channel.FromConn(conn)
	if err == nil {
		// How a connection ended does not matter: the next hello starts over.
		_ = mux.Serve(port)
	}
}

func parseMagic(text string) ([channel.PartBytes]byte, error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != channel.PartBytes {
		return [channel.PartBytes]byte{}, fmt.Errorf("the magic must be %d hexadecimal digits", 2*channel.PartBytes)
	}
	return [channel.PartBytes]byte(raw), nil
}
