// The agent as the first process of a guest: boot, then serve the port to the host for good.
package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"pyro/guest/internal/boot"
	"pyro/guest/internal/channel"
	"pyro/guest/internal/files"
	"pyro/guest/internal/network"
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
	// ready is closed once all modules are loaded; failure says what went wrong with them.
	ready   chan struct{}
	failure error
	mounts  *boot.Mounts
	freezer boot.Freezer
	files   *files.Store
	network *network.Network
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
	g.mounts = mounts
	if err := g.useLayers(); err != nil {
		return err
	}
	g.files.Sweep()
	cgroups, err := process.OpenCgroups(cgroupRoot)
	if err != nil {
		return err
	}
	if err := cgroups.Share(cgroupRoot); err != nil {
		fmt.Fprintln(os.Stderr, "pyro agent:", err)
	}
	g.manager.UseCgroups(cgroups)
	g.network.ResolvConf = mounts.Names["resolv.conf"]
	return g.UseFiles(mounts.Names)
}

// useLayers tells the files' store where the overlays have their layers now.
func (g *guest) useLayers() error {
	root, err := g.mounts.Upper("root")
	if err != nil {
		return err
	}
	workspace, err := g.mounts.Upper("workspace")
	if err != nil {
		return err
	}
	covered, made := boot.Covered()
	g.files.Use(
		&files.Layers{Merged: boot.Workspace, Upper: workspace, Lower: g.mounts.Project},
		&files.Layers{Merged: "/", Upper: root, Lower: g.mounts.Image, Hidden: covered, Made: made},
	)
	return nil
}

// MountProject puts the project below the workspace's changes.
func (g *guest) MountProject() error {
	if g.mounts.HasProject {
		return &files.Refusal{Code: "project_mounted", Message: "the project is already mounted"}
	}
	err := g.mounts.MountProject()
	if errors.Is(err, boot.ErrWorkspaceBusy) {
		return &files.Refusal{Code: "workspace_busy", Message: err.Error()}
	}
	if err != nil {
		return err
	}
	return g.useLayers()
}

// Freeze flushes the disk and stops writes to it.
func (g *guest) Freeze() error {
	err := g.freezer.Freeze(g.mounts.Disk)
	if errors.Is(err, boot.ErrFrozen) {
		return &files.Refusal{Code: "already_frozen", Message: err.Error()}
	}
	return err
}

// Thaw allows writes to the disk again.
func (g *guest) Thaw() (bool, error) { return g.freezer.Thaw(g.mounts.Disk) }

// Grow makes the file system as large as its disk.
func (g *guest) Grow() (int64, error) {
	bytes, err := boot.Grow(g.mounts.Disk)
	if err != nil {
		return 0, &files.Refusal{Code: "grow_failed", Message: err.Error()}
	}
	return bytes, nil
}

// PowerOff ends the guest.
func (g *guest) PowerOff() {
	var disk *os.File
	if g.mounts != nil {
		disk = g.mounts.Disk
	}
	boot.PowerOff(disk)
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
	resumer, err := resume.New()
	if err != nil {
		return err
	}
	mux := channel.NewMux(magic)
	machine := &guest{Resumer: resumer, manager: process.NewManager(true), ready: make(chan struct{}), files: &files.Store{},
		network: &network.Network{ServePort: serveNetworkPort, Catches: true}}
	agent := &server.Agent{Machine: machine, Version: version, Mux: mux, Manager: machine.manager, Files: machine.files, Network: machine.network}
	disguise(agent)
	// Opening the port tells the host that the guest is up, so everything else is ready by now.
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

// serveNetworkPort opens the second port: nobody needs it before the network is enabled.
func serveNetworkPort(mux *channel.Mux) error {
	path, err := boot.FindPort("net")
	if err != nil {
		return err
	}
	port, err := channel.OpenVirtio(path)
	if err != nil {
		return err
	}
	go func() { _ = mux.Serve(port) }()
	return nil
}

// endGuest gives up: the first process must not simply return.
func endGuest(err error) {
	fmt.Fprintln(os.Stderr, "pyro agent:", err)
	boot.PowerOff(nil)
	// If the machine cannot be switched off, staying is better than a kernel panic: the line above can be read.
	for {
		time.Sleep(time.Hour)
	}
}
