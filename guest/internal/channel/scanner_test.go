// Tests of the scanner: hellos wherever they stand and however the bytes are cut.

package channel

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

var testMagic = [PartBytes]byte{0xf5, 1, 2, 3, 0xf5, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 0xf5}

func nonceOf(b byte) [PartBytes]byte {
	return [PartBytes]byte(bytes.Repeat([]byte{b}, PartBytes))
}

type scanned struct {
	nonces   [][PartBytes]byte
	sessions [][]byte
	matches  int
}

func scanAll(chunks [][]byte) *scanned {
	got := &scanned{}
	scan := scanner{magic: testMagic}
	for _, chunk := range chunks {
		scan.push(chunk, events{
			deliver: func(b []byte) {
				if len(got.sessions) > 0 {
					last := len(got.sessions) - 1
					got.sessions[last] = append(got.sessions[last], b...)
				}
			},
			matched: func() { got.matches++ },
			hello: func(nonce [PartBytes]byte) {
				got.nonces = append(got.nonces, nonce)
				got.sessions = append(got.sessions, nil)
			},
		})
	}
	return got
}

func cutAt(stream []byte, size int) [][]byte {
	var chunks [][]byte
	for len(stream) > 0 {
		n := min(size, len(stream))
		chunks = append(chunks, stream[:n])
		stream = stream[n:]
	}
	return chunks
}

func hello(nonce [PartBytes]byte) []byte { return append(bytes.Clone(testMagic[:]), nonce[:]...) }

func TestScannerFindsHellosAtEveryCut(t *testing.T) {
	payload := append(bytes.Repeat(append(bytes.Clone(testMagic[:15]), 'x'), 3), []byte("payload")...)
	stream := bytes.Join([][]byte{[]byte("noise"), hello(nonceOf(1)), payload, hello(nonceOf(2)), []byte("end")}, nil)
	for size := 1; size <= len(stream); size++ {
		got := scanAll(cutAt(stream, size))
		if len(got.nonces) != 2 || got.nonces[0] != nonceOf(1) || got.nonces[1] != nonceOf(2) {
			t.Fatalf("cut at %d: nonces %v", size, got.nonces)
		}
		if !bytes.HasPrefix(got.sessions[0], payload) {
			t.Fatalf("cut at %d: the first session got %q", size, got.sessions[0])
		}
		if string(got.sessions[1]) != "end" {
			t.Fatalf("cut at %d: the second session got %q", size, got.sessions[1])
		}
	}
}

func TestScannerHoldsNothingBack(t *testing.T) {
	got := &scanned{sessions: [][]byte{nil}}
	scan := scanner{magic: testMagic}
	for _, b := range testMagic[:15] {
		scan.push([]byte{b}, events{deliver: func(b []byte) { got.sessions[0] = append(got.sessions[0], b...) }})
	}
	if !bytes.Equal(got.sessions[0], testMagic[:15]) {
		t.Fatalf("delivered %x of a mere prefix", got.sessions[0])
	}
}

func TestScannerBeginsAgainInsideANonce(t *testing.T) {
	for partial := range PartBytes {
		stream := append(hello(nonceOf(9))[:PartBytes+partial], hello(nonceOf(2))...)
		for _, size := range []int{1, 7, len(stream)} {
			got := scanAll(cutAt(append(bytes.Clone(stream), 'x'), size))
			if got.matches != 2 || got.nonces[len(got.nonces)-1] != nonceOf(2) {
				t.Fatalf("cut after %d bytes of a nonce, chunks of %d: %d matches, nonces %x", partial, size, got.matches, got.nonces)
			}
			if last := got.sessions[len(got.sessions)-1]; string(last) != "x" {
				t.Fatalf("the session got %q", last)
			}
		}
	}
}

// FuzzHello compares chunked scanning with scanning at once.
func FuzzHello(f *testing.F) {
	f.Add([]byte("a"), []byte("b"), uint64(1))
	f.Add(testMagic[:15], testMagic[3:], uint64(7))
	f.Add(append(hello(nonceOf(3)), testMagic[:4]...), []byte{0xf5, 1, 2, 3, 0xf5}, uint64(99))
	f.Fuzz(func(t *testing.T, before, after []byte, seed uint64) {
		stream := bytes.Join([][]byte{before, hello(nonceOf(7)), after}, nil)
		random := rand.New(rand.NewPCG(seed, 0))
		var chunks [][]byte
		for rest := stream; len(rest) > 0; {
			n := 1 + random.IntN(min(len(rest), 40))
			chunks = append(chunks, rest[:n])
			rest = rest[n:]
		}
		whole, cut := scanAll([][]byte{stream}), scanAll(chunks)
		if want := lastMagic(stream); want < 0 || whole.matches == 0 || whole.matches != cut.matches {
			t.Fatalf("matches: %d at once, %d in pieces", whole.matches, cut.matches)
		}
		rest := stream[lastMagic(stream)+PartBytes:]
		if len(rest) < PartBytes {
			return
		}
		for _, got := range []*scanned{whole, cut} {
			if got.nonces[len(got.nonces)-1] != [PartBytes]byte(rest) {
				t.Fatalf("the last nonce is %x, want %x", got.nonces, rest[:PartBytes])
			}
			if last := got.sessions[len(got.sessions)-1]; !bytes.Equal(last, rest[PartBytes:]) {
				t.Fatalf("the last session got %x, want %x", last, rest[PartBytes:])
			}
		}
	})
}

// lastMagic finds the last magic as the wire counts them: from the left, without overlap.
func lastMagic(stream []byte) int {
	last := -1
	for from := 0; ; {
		at := bytes.Index(stream[from:], testMagic[:])
		if at < 0 {
			return last
		}
		last = from + at
		from = last + PartBytes
	}
}

// FuzzScanner checks that bytes without a magic all arrive, however they are cut.
func FuzzScanner(f *testing.F) {
	f.Add([]byte("plain"), uint8(1))
	f.Add(bytes.Repeat(testMagic[:14], 4), uint8(15))
	f.Fuzz(func(t *testing.T, stream []byte, size uint8) {
		if bytes.Contains(stream, testMagic[:]) {
			return
		}
		var got []byte
		scan := scanner{magic: testMagic}
		for _, chunk := range cutAt(stream, int(size)+1) {
			scan.push(chunk, events{
				deliver: func(b []byte) { got = append(got, b...) },
				matched: func() { t.Fatal("matched what is not there") },
			})
		}
		if !bytes.Equal(got, stream) {
			t.Fatalf("delivered %d bytes of %d", len(got), len(stream))
		}
	})
}
