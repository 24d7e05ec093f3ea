// The guest agent: the first process of a guest, or a plain process on a socket for tests.
package main

import (
	"encoding/hex"
	"flag"
	"fmt"
	"net"
	"os"
	"time"

	"pyro/guest/internal/boot"
	"pyro/guest/internal/channel"
	"pyro/guest/internal/process"
	"pyro/guest/internal/server"
)

var version = "dev"

func main() {
	if os.Getpid() == 1 {
		if err := runAsInit(); err != nil {
			fmt.Println("pyro agent:", err)
			// The line above reaches the console before the machine goes.
			time.Sleep(200 * time.Millisecond)
			boot.PowerOff()
		}
		return
	}
	socket := flag.String("socket", "", "unix socket to listen on")
	magic := flag.String("magic", "", "secret of the hello, 32 hexadecimal digits")
	flag.Parse()
	if err := runOnSocket(*socket, *magic); err != nil {
		fmt.Fprintln(os.Stderr, "pyro agent:", err)
		os.Exit(1)
	}
}

func runAsInit() error {
	if err := boot.Prepare(); err != nil {
		return err
	}
	magic, err := parseMagic(boot.Parameter("pyro.magic"))
	if err != nil {
		return err
	}
	path, err := boot.FindPort("agent")
	if err != nil {
		return err
	}
	mux := channel.NewMux(magic)
	agent := &server.Agent{IsInit: true, Version: version, Mux: mux, Manager: process.NewManager("")}
	go func() {
		if err := agent.Serve(); err != nil {
			fmt.Println("pyro agent:", err)
		}
	}()
	// Opening the port tells the host that the guest is up, so everything else stands by now.
	port, err := channel.OpenVirtio(path)
	if err != nil {
		return err
	}
	return mux.Serve(port)
}

func runOnSocket(path, magicText string) error {
	magic, err := parseMagic(magicText)
	if err != nil {
		return err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	mux := channel.NewMux(magic)
	agent := &server.Agent{Version: version, Mux: mux, Manager: process.NewManager("")}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				_ = mux.Close()
				return
			}
			go func() { _ = mux.Serve(channel.FromConn(conn)) }()
		}
	}()
	return agent.Serve()
}

func parseMagic(text string) ([channel.PartBytes]byte, error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != channel.PartBytes {
		return [channel.PartBytes]byte{}, fmt.Errorf("the magic must be %d hexadecimal digits", 2*channel.PartBytes)
	}
	return [channel.PartBytes]byte(raw), nil
}
