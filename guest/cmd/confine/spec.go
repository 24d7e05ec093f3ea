package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// specVariable holds what the program may do, as JSON; the program itself never sees it.
const specVariable = "PYRO_CONFINE"

// spec is what one program may do. Paths are the host's, and stay the same inside.
type spec struct {
	// Line is the program, by its absolute path, and its arguments.
	Line []string `json:"line"`
	// Namespaces: own mount, network, process, IPC, host name and cgroup namespaces.
	Namespaces bool `json:"namespaces"`
	// UserNamespace is needed for them by whoever is not root.
	UserNamespace bool `json:"user_namespace"`
	// UID is the user and group to become; 0 stays who starts.
	UID int `json:"uid"`
	// Groups that this user has besides.
	Groups []int `json:"groups"`
	// Landlock where the kernel has it.
	Landlock bool `json:"landlock"`
	// Read: files and folders that may only be read.
	Read []string `json:"read"`
	// Write: files that may be read and written.
	Write []string `json:"write"`
	// Drop: folders whose files may be written, but in which none can be made.
	Drop []string `json:"drop"`
	// Sockets: folders in which sockets can be made.
	Sockets []string `json:"sockets"`
	Devices []string `json:"devices"`
	// Ram is opened read-only for the program, which asks for more and needs less.
	Ram string `json:"ram"`
	// Connects: may connect to sockets that it sees.
	Connects bool   `json:"connects"`
	Limits   limits `json:"limits"`
	// Descriptors is how many it inherits, from 0 on.
	Descriptors uint `json:"descriptors"`
	// Environment of the program.
	Environment []string `json:"environment"`
}

// limits of the kernel; 0 leaves one as it is.
type limits struct {
	OpenFiles uint64 `json:"open_files"`
	Processes uint64 `json:"processes"`
	FileBytes uint64 `json:"file_bytes"`
}

func readSpec() (*spec, error) {
	var wanted spec
	if err := json.Unmarshal([]byte(os.Getenv(specVariable)), &wanted); err != nil {
		return nil, fmt.Errorf("%s: %w", specVariable, err)
	}
	if len(wanted.Line) == 0 {
		return nil, errors.New("which program?")
	}
	return &wanted, nil
}
