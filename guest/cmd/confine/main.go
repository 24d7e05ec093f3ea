// Confine starts a program that sees only the files it needs, and no network and no process of the host.
//
//	PYRO_CONFINE='{…}' confine NAME
//
// It stays as the parent of the program, ends with it and with its exit code, and the program ends with it. The
// program's process id goes to file descriptor 4, as a line, before the program starts. The name is for people who look at
// processes; the program's own line stands in what it may do, so that one process alone has it.
package main

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
)

// failed is the exit code for a program that could not be confined as wanted: it was not started.
const failed = 125

// insideName is the first word of the command line of the half that becomes the program.
const insideName = "pyro-confine-inside"

func init() {
	// What is set for one thread, and the parent that the kernel knows, have to stay the same to the end.
	runtime.LockOSThread()
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--abi" {
		fmt.Println(landlockABI())
		return
	}
	wanted, err := readSpec()
	if err != nil {
		fail(err)
	}
	if os.Args[0] == insideName {
		fail(becomeProgram(wanted))
	}
	status, err := runInside(wanted)
	if err != nil {
		fail(err)
	}
	if status.Signaled() {
		// Who waits for us is told of the same end.
		_ = syscall.Kill(os.Getpid(), status.Signal())
		os.Exit(128 + int(status.Signal()))
	}
	os.Exit(status.ExitStatus())
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "confine: %v\n", err)
	os.Exit(failed)
}
