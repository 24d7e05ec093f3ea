// The agent as the first process of a guest: boot, then serve the port to the host for good.
package main

import (
	"fmt"
	"os"
	"time"

	"pyro/guest/internal/boot"
	"pyro/guest/internal/channel"
	"pyro/guest/internal/process"
	"pyro/guest/internal/resume"
	"pyro/guest/internal/server"
)

// cgroupRoot holds one cgroup for each process.
const cgroupRoot = "/sys/fs/cgroup/pyro"

// guest is the machine that the agent is the first process of.
type guest struct {
	*resume.Resumer
	manager *process.Manager
	// ready is closed when all modules are loaded; failure says what went wrong with them.
	ready   chan struct{}
	failure error
	disk    *os.File
}

// Activate mounts the guest's file systems; see boot.Activate.
func (g *guest) Activate(hasProject bool) error {
	<-g.ready
	if g.failure != nil {
		return g.failure
	}
	mounts, err := boot.Activate(hasProject)
	if err != nil {
		return err
	}
	g.disk = mounts.Disk
	cgroups, err := process.OpenCgroups(cgroupRoot)
	if err != nil {
		return err
	}
	g.manager.UseCgroups(cgroups)
	return g.UseFiles(mounts.Names)
}

// PowerOff ends the guest.
func (g *guest) PowerOff() { boot.PowerOff(g.disk) }

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
	resumer, err := resume.New()
	if err != nil {
		return err
	}
	mux := channel.NewMux(magic)
	machine := &guest{Resumer: resumer, manager: process.NewManager(true), ready: make(chan struct{})}
	agent := &server.Agent{Machine: machine, Version: version, Mux: mux, Manager: machine.manager}
	// Opening the port tells the host that the guest is up, so everything else stands by now.
	port, err := channel.OpenVirtio(path)
	if err != nil {
		return err
	}
	go func() {
		machine.failure = boot.LoadLate()
		close(machine.ready)
	}()
	failed := make(chan error, 2)
	go func() { failed <- agent.Serve() }()
	go func() { failed <- mux.Serve(port) }()
	return <-failed
}

// endGuest gives up: the first process must not simply return.
func endGuest(err error) {
	fmt.Fprintln(os.Stderr, "pyro agent:", err)
	boot.PowerOff(nil)
	// Where there is nothing to switch off, staying is better than a kernel panic: the line above can be read.
	for {
		time.Sleep(time.Hour)
	}
}
