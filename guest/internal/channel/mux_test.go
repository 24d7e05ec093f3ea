// Tests of sessions: what a hello ends, what it begins, and that nothing waits for a host that does not read.

package channel

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pyro/guest/internal/pair"
)

// deadline is far above what any step takes; it only keeps a broken test from hanging.
const deadline = 20 * time.Second

func startMux(t *testing.T) (*Mux, *net.UnixConn) {
	t.Helper()
	host, guest := pair.Connected(t)
	_ = host.SetDeadline(time.Now().Add(deadline))
	mux := NewMux(testMagic)
	t.Cleanup(func() { _ = mux.Close() })
	port, err := FromConn(guest)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = mux.Serve(port) }()
	return mux, host
}

func accept(t *testing.T, mux *Mux) *Session {
	t.Helper()
	conn, err := mux.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return conn.(*Session)
}

func ackOf(magic, nonce [PartBytes]byte) []byte {
	var ack []byte
	for _, b := range magic {
		ack = append(ack, ^b)
	}
	return append(ack, nonce[:]...)
}

func write(t *testing.T, w io.Writer, parts ...[]byte) {
	t.Helper()
	if _, err := w.Write(bytes.Join(parts, nil)); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, r io.Reader, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("read %x (%v), want %x", got, err, want)
	}
}

func TestHelloIsAnsweredBeforeAnythingElse(t *testing.T) {
	mux, host := startMux(t)
	write(t, host, []byte("stray"), hello(nonceOf(1)), []byte("ping"))
	session := accept(t, mux)
	write(t, session, []byte("pong"))
	expect(t, host, append(ackOf(testMagic, nonceOf(1)), "pong"...))
	expect(t, session, []byte("ping"))
}

func TestHelloEndsTheSessionBefore(t *testing.T) {
	mux, host := startMux(t)
	write(t, host, hello(nonceOf(1)))
	first := accept(t, mux)
	expect(t, host, ackOf(testMagic, nonceOf(1)))
	write(t, host, hello(nonceOf(2)))
	second := accept(t, mux)
	if _, err := first.Read(make([]byte, 100)); err == nil {
		// It may still have seen the start of the magic.
		_, err = first.Read(make([]byte, 100))
		if !errors.Is(err, io.EOF) {
			t.Fatalf("a read of the old session: %v", err)
		}
	}
	if _, err := first.Write([]byte("late")); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("a write of the old session: %v", err)
	}
	write(t, second, []byte("new"))
	expect(t, host, append(ackOf(testMagic, nonceOf(2)), "new"...))
}

func TestHelloEndsAWriteThatNobodyReads(t *testing.T) {
	mux, host := startMux(t)
	write(t, host, hello(nonceOf(1)))
	first := accept(t, mux)
	failed := make(chan error, 1)
	go func() {
		_, err := first.Write(bytes.Repeat([]byte{'x'}, 8<<20))
		failed <- err
	}()
	// The host reads nothing, so that write is stuck; three hellos in a row must still come through.
	for nonce := byte(2); nonce <= 4; nonce++ {
		write(t, host, hello(nonceOf(nonce)))
		session := accept(t, mux)
		select {
		case <-first.Ended():
		case <-time.After(deadline):
			t.Fatal("the old session lives on")
		}
		if nonce == 4 {
			go func() { _, _ = session.Write([]byte("done")) }()
		}
	}
	if err := <-failed; !errors.Is(err, net.ErrClosed) {
		t.Fatalf("the stuck write: %v", err)
	}
	want := append(ackOf(testMagic, nonceOf(4)), "done"...)
	var seen []byte
	buffer := make([]byte, 64<<10)
	for !bytes.HasSuffix(seen, want) {
		n, err := host.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, buffer[:n]...)
	}
	if rest := seen[bytes.Index(seen, ackOf(testMagic, nonceOf(4))):]; !bytes.Equal(rest, want) {
		t.Fatal("bytes of an old session follow the answer to the hello")
	}
}

func TestSetMagicHoldsForLaterHellosOnly(t *testing.T) {
	mux, host := startMux(t)
	write(t, host, hello(nonceOf(1)))
	first := accept(t, mux)
	expect(t, host, ackOf(testMagic, nonceOf(1)))
	other := nonceOf(0xaa)
	mux.SetMagic(other)
	write(t, host, hello(nonceOf(2)))
	expect(t, first, hello(nonceOf(2)))
	write(t, host, append(other[:], bytes.Repeat([]byte{3}, PartBytes)...))
	accept(t, mux)
	expect(t, host, ackOf(other, nonceOf(3)))
}

func TestEndOfPortEndsTheSession(t *testing.T) {
	mux, host := startMux(t)
	write(t, host, hello(nonceOf(1)))
	session := accept(t, mux)
	_ = host.Close()
	select {
	case <-session.Ended():
	case <-time.After(deadline):
		t.Fatal("the session outlives its port")
	}
}

func TestHelloOnAnotherPortTakesOver(t *testing.T) {
	mux, host := startMux(t)
	write(t, host, hello(nonceOf(1)))
	first := accept(t, mux)
	go func() { _, _ = first.Write(bytes.Repeat([]byte{'x'}, 8<<20)) }()
	otherHost, otherGuest := pair.Connected(t)
	_ = otherHost.SetDeadline(time.Now().Add(deadline))
	port, err := FromConn(otherGuest)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = mux.Serve(port) }()
	write(t, otherHost, hello(nonceOf(2)))
	accept(t, mux)
	expect(t, otherHost, ackOf(testMagic, nonceOf(2)))
	<-first.Ended()
}

func TestWhatWaitsForTheReaderKeepsItsOrderAndItsMemory(t *testing.T) {
	session := newSession(nil, nil)
	var sent, got []byte
	piece := make([]byte, 4096)
	take := make([]byte, 16<<10)
	read := func(size int) {
		n, err := session.Read(take[:size])
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, take[:n]...)
	}
	perRound := testing.AllocsPerRun(200, func() {
		for index := range piece {
			piece[index] = byte(len(sent) + index*7)
		}
		sent, got = sent[:0], got[:0]
		for range 8 {
			session.feed(piece)
			sent = append(sent, piece...)
			read(1000)
		}
		for len(got) < len(sent) {
			read(len(take))
		}
		if !bytes.Equal(got, sent) {
			t.Fatal("the bytes came otherwise than they were sent")
		}
	})
	if perRound > 1 {
		t.Errorf("%v allocations for pieces that fit into the memory of the ones before", perRound)
	}
}

// A FIFO behaves like a virtio port in what matters here: an end of file does not mean that nobody comes again.
func TestPortThatReopensReportsEachDetachOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "port")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), path)
	defer file.Close()
	raw, err := file.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	port := &Port{
		raw: raw, readDeadline: file.SetReadDeadline, writeDeadline: file.SetWriteDeadline,
		reopens: true, patience: time.Millisecond,
	}
	buffer := make([]byte, 10)
	if _, err := port.read(buffer); !errors.Is(err, errDetached) {
		t.Fatalf("before anybody came: %v", err)
	}
	for range 3 {
		read := make(chan string, 2)
		go func() {
			n, err := port.read(buffer)
			read <- string(buffer[:n])
			if err == nil {
				_, err = port.read(buffer)
			}
			read <- errText(err)
		}()
		host, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		write(t, host, []byte("hi"))
		if got := <-read; got != "hi" {
			t.Fatalf("read %q", got)
		}
		_ = host.Close()
		if got := <-read; got != errText(errDetached) {
			t.Fatalf("after the host left: %v", got)
		}
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
