// Tests of the port of a guest: what its driver says of the host is late, and must not end what the host has just begun.

package channel

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// slowDriver is a port as the guest's driver shows it: bytes come at once, that a host left or came is told later. A pipe
// with a name reads like it: zero bytes while the driver knows of no host, EAGAIN with one that is still.
type slowDriver struct {
	t    *testing.T
	path string
	port *Port
	fd   int
	// host is the end that the driver knows of; -1 when it knows of none.
	host     int
	deadline time.Time
	// tells has what comes next, each time that the port waits.
	tells []func()
}

type read struct {
	text string
	err  error
}

func openSlowDriver(t *testing.T) *slowDriver {
	t.Helper()
	path := filepath.Join(t.TempDir(), "port")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	d := &slowDriver{t: t, path: path, fd: fd, host: -1}
	t.Cleanup(func() {
		d.goes()
		_ = unix.Close(fd)
	})
	d.port = &Port{
		raw: d, readDeadline: func(at time.Time) error { d.deadline = at; return nil },
		reopens: true, patience: patience,
	}
	return d
}

// comes is the driver's news that a host is connected.
func (d *slowDriver) comes() {
	d.t.Helper()
	fd, err := unix.Open(d.path, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	d.host = fd
}

// goes is the driver's news that the host has gone.
func (d *slowDriver) goes() {
	if d.host >= 0 {
		_ = unix.Close(d.host)
	}
	d.host = -1
}

// sends are bytes of a host, whether the driver knows of it yet or not.
func (d *slowDriver) sends(text string) {
	d.t.Helper()
	isUnknown := d.host < 0
	if isUnknown {
		d.comes()
	}
	if _, err := unix.Write(d.host, []byte(text)); err != nil {
		d.t.Fatal(err)
	}
	if isUnknown {
		d.goes()
	}
}

// waits is time that passes until the deadline of the port; then it reads the result in place of more.
func (d *slowDriver) waits() {
	d.t.Helper()
	if left := time.Until(d.deadline); d.deadline.IsZero() || left <= 0 {
		d.t.Fatalf("the port waits with the deadline %v", d.deadline)
	}
	d.deadline = time.Unix(1, 0)
}

func (d *slowDriver) expects(want read) {
	d.t.Helper()
	buffer := make([]byte, 100)
	n, err := d.port.read(buffer)
	if got := (read{string(buffer[:n]), err}); got != want {
		d.t.Fatalf("%+v in place of %+v", got, want)
	}
}

func (d *slowDriver) expectsNoDeadline() {
	d.t.Helper()
	if !d.deadline.IsZero() {
		d.t.Fatalf("the deadline %v is left", d.deadline)
	}
}

func (d *slowDriver) Control(f func(fd uintptr)) error { f(uintptr(d.fd)); return nil }

func (d *slowDriver) Read(f func(fd uintptr) bool) error {
	for {
		if !d.deadline.IsZero() && !time.Now().Before(d.deadline) {
			return os.ErrDeadlineExceeded
		}
		if f(uintptr(d.fd)) {
			return nil
		}
		if len(d.tells) == 0 {
			return io.ErrUnexpectedEOF
		}
		tell := d.tells[0]
		d.tells = d.tells[1:]
		tell()
	}
}

func (d *slowDriver) Write(func(fd uintptr) bool) error { return io.EOF }

// gone has the port of a host that has gone, and was told so.
func gone(t *testing.T) *slowDriver {
	t.Helper()
	d := openSlowDriver(t)
	d.sends("x")
	d.expects(read{"x", nil})
	d.tells = []func(){d.waits}
	d.expects(read{"", errDetached})
	d.expectsNoDeadline()
	return d
}

func TestAHelloThatComesBeforeTheNewsOfItsHostBegins(t *testing.T) {
	d := gone(t)
	d.tells = []func(){func() { d.sends("hello") }}
	d.expects(read{"hello", nil})
	d.tells = []func(){d.comes, func() { d.sends(" and more") }}
	d.expects(read{" and more", nil})
	d.expectsNoDeadline()
}

func TestAHelloThatComesBeforeTheNewsOfTheEndOfTheHostBeforeBegins(t *testing.T) {
	d := openSlowDriver(t)
	d.comes()
	d.sends("hello")
	d.expects(read{"hello", nil})
	d.tells = []func(){d.goes, d.comes, func() { d.sends(" and more") }}
	d.expects(read{" and more", nil})
	d.expectsNoDeadline()
}

func TestAHostThatSaysNothingForLongHasNotGone(t *testing.T) {
	d := gone(t)
	d.tells = []func(){func() { d.sends("hello") }}
	d.expects(read{"hello", nil})
	// That a host came wakes nobody who waits for bytes: it is seen at the deadline.
	d.tells = []func(){func() { d.waits(); d.comes() }, func() { d.sends(" and more") }}
	d.expects(read{" and more", nil})
	d.expectsNoDeadline()
}

func TestAHostThatHasGoneIsToldOnce(t *testing.T) {
	d := gone(t)
	d.expects(read{"", io.ErrUnexpectedEOF})
	d.expectsNoDeadline()
	d.sends("y")
	d.expects(read{"y", nil})
	d.tells = []func(){d.waits}
	d.expects(read{"", errDetached})
}

func TestAPortThatIsOverSaysSo(t *testing.T) {
	d := openSlowDriver(t)
	d.port.reopens = false
	buffer := make([]byte, 1)
	if _, err := d.port.read(buffer); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
}
