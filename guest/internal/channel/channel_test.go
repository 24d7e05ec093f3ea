// Tests of the hello: found however the bytes are cut, and never confused by an old session's rest.

package channel

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"
)

var testMagic = [PartBytes]byte{0xf5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}

func scanAll(chunks [][]byte) (delivered []byte, hellos int) {
	s := scanner{magic: testMagic}
	for _, chunk := range chunks {
		s.push(chunk, func(b []byte) { delivered = append(delivered, b...) }, func([PartBytes]byte) { hellos++ })
	}
	return delivered, hellos
}

func TestScannerFindsTheHelloHoweverTheBytesAreCut(t *testing.T) {
	hello := append(append([]byte{}, testMagic[:]...), bytes.Repeat([]byte{0x42}, PartBytes)...)
	stream := append(append([]byte("before"), hello...), "after"...)
	for size := 1; size <= len(stream); size++ {
		var chunks [][]byte
		for at := 0; at < len(stream); at += size {
			chunks = append(chunks, stream[at:min(at+size, len(stream))])
		}
		delivered, hellos := scanAll(chunks)
		if hellos != 1 || !bytes.HasPrefix(delivered, []byte("before")) || !bytes.HasSuffix(delivered, []byte("after")) {
			t.Fatalf("cut at %d: %d hellos, delivered %q", size, hellos, delivered)
		}
	}
}

func TestScannerHoldsNothingBack(t *testing.T) {
	delivered, _ := scanAll([][]byte{{1, 2, testMagic[0]}})
	if !bytes.Equal(delivered, []byte{1, 2, testMagic[0]}) {
		t.Fatalf("delivered %v: a byte that may begin a magic must not wait", delivered)
	}
}

func FuzzScanner(f *testing.F) {
	f.Add([]byte("abc"), 2)
	f.Add(testMagic[:], 5)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		if size < 1 || bytes.Contains(data, testMagic[:]) {
			t.Skip()
		}
		var chunks [][]byte
		for at := 0; at < len(data); at += size {
			chunks = append(chunks, data[at:min(at+size, len(data))])
		}
		if delivered, hellos := scanAll(chunks); hellos != 0 || !bytes.Equal(delivered, data) {
			t.Fatalf("bytes without a magic changed: %d hellos, %v", hellos, delivered)
		}
	})
}

func TestReconnectsCutInMidTransferComeUpClean(t *testing.T) {
	host, guest := net.Pipe()
	defer host.Close()
	mux := NewMux(testMagic)
	go func() { _ = mux.Serve(FromConn(guest)) }()
	go func() {
		for {
			conn, err := mux.Accept()
			if err != nil {
				return
			}
			// Each session floods the host until it is cut.
			go func() {
				for {
					if _, err := conn.Write(bytes.Repeat([]byte{0xaa}, 1000)); err != nil {
						return
					}
				}
			}()
		}
	}()
	for turn := range 200 {
		nonce := bytes.Repeat([]byte{byte(turn)}, PartBytes)
		_ = host.SetDeadline(time.Now().Add(10 * time.Second))
		go func() { _, _ = host.Write(append(append([]byte("rest of an old session"), testMagic[:]...), nonce...)) }()
		want := append(complement(testMagic), nonce...)
		var seen []byte
		buffer := make([]byte, 4096)
		for !bytes.Contains(seen, want) {
			n, err := host.Read(buffer)
			if err != nil {
				t.Fatalf("turn %d: %v", turn, err)
			}
			seen = append(seen[max(0, len(seen)-64):], buffer[:n]...)
		}
	}
}

func complement(magic [PartBytes]byte) []byte {
	out := make([]byte, 0, PartBytes)
	for _, b := range magic {
		out = append(out, ^b)
	}
	return out
}

func TestEndedSessionReadsEOFAndRefusesWrites(t *testing.T) {
	host, guest := net.Pipe()
	defer host.Close()
	s := newSession(FromConn(guest))
	s.feed([]byte("late"))
	s.end()
	if _, err := s.Read(make([]byte, 8)); err != io.EOF {
		t.Fatalf("read after the end: %v", err)
	}
	if _, err := s.Write([]byte("x")); err == nil {
		t.Fatal("a write after the end must fail")
	}
}
