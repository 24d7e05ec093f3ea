// Tests of the agent as a plain process: its arguments, and a hello on its socket.
package main

import (
	"bytes"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMagicMustBe16Bytes(t *testing.T) {
	for _, text := range []string{"", "00", strings.Repeat("0", 31), strings.Repeat("0", 33), strings.Repeat("g", 32)} {
		if _, err := parseMagic(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	if magic, err := parseMagic(strings.Repeat("0f", 16)); err != nil || magic[15] != 0x0f {
		t.Fatalf("%x, %v", magic, err)
	}
}

func TestEachConnectionGetsItsHelloAnswered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	go func() { _ = runOnSocket(path, strings.Repeat("a5", 16), "", layerPaths{}) }()
	for nonce := range byte(3) {
		conn := dial(t, path)
		sent := append(bytes.Repeat([]byte{0xa5}, 16), bytes.Repeat([]byte{nonce}, 16)...)
		if _, err := conn.Write(sent); err != nil {
			t.Fatal(err)
		}
		want := append(bytes.Repeat([]byte{0x5a}, 16), bytes.Repeat([]byte{nonce}, 16)...)
		got := make([]byte, 32)
		if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("answered %x, %v", got, err)
		}
	}
}

func dial(t *testing.T, path string) net.Conn {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("unix", path)
		if err == nil {
			// Left open: a later connection takes over all the same.
			t.Cleanup(func() { _ = conn.Close() })
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			return conn
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}
