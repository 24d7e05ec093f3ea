// Tests of the bounded output: what is kept, what goes, who waits.

package process

import (
	"bytes"
	"testing"
	"time"
)

func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i*7 + i>>8)
	}
	return p
}

func readAll(r *reader) (got []byte, gaps int64) {
	buffer := make([]byte, 1000)
	for {
		n, from, to := r.read(buffer)
		gaps += to - from
		if n == 0 {
			return got, gaps
		}
		got = append(got, buffer[:n]...)
	}
}

func TestOutputKeepsBytesByOffset(t *testing.T) {
	o := newOutput(1<<20, true, func() {})
	want := pattern(100_000)
	for at := 0; at < len(want); at += 333 {
		o.write(want[at:min(at+333, len(want))])
	}
	for _, offset := range []int64{0, 1, 4096, 99_999, 100_000} {
		r, ok := o.attach(offset)
		if !ok {
			t.Fatalf("attach at %d failed", offset)
		}
		if got, gaps := readAll(r); gaps != 0 || !bytes.Equal(got, want[offset:]) {
			t.Fatalf("at %d: %d bytes, gap of %d", offset, len(got), gaps)
		}
	}
	if _, ok := o.attach(100_001); ok {
		t.Fatal("attached ahead of the stream")
	}
}

func TestDropKeepsTheNewestBytes(t *testing.T) {
	o := newOutput(leastBuffer, false, func() {})
	want := pattern(1_000_000)
	o.write(want[:700_001])
	o.write(want[700_001:])
	r, _ := o.attach(10)
	got, gaps := readAll(r)
	if int(gaps) != len(want)-leastBuffer-10 || !bytes.Equal(got, want[len(want)-leastBuffer:]) {
		t.Fatalf("%d bytes after a gap of %d", len(got), gaps)
	}
	if len(o.ring) > leastBuffer {
		t.Fatalf("the ring has %d bytes", len(o.ring))
	}
}

func TestBlockWaitsForTheSlowestReader(t *testing.T) {
	o := newOutput(leastBuffer, true, func() {})
	slow, _ := o.attach(0)
	fast, _ := o.attach(0)
	want := pattern(leastBuffer + 1000)
	written := make(chan struct{})
	go func() {
		o.write(want)
		close(written)
	}()
	waitUntil(t, "the buffer is full", func() bool { return o.total() == leastBuffer })
	readAll(fast)
	fast.flushed()
	select {
	case <-written:
		t.Fatal("a write overtook a reader")
	case <-time.After(50 * time.Millisecond):
	}
	got, _ := readAll(slow)
	slow.flushed()
	<-written
	rest, gaps := readAll(slow)
	if gaps != 0 || !bytes.Equal(append(got, rest...), want) {
		t.Fatal("the slow reader lost bytes")
	}
}

func TestBlockKeepsSentBytesUntilTheirRoomIsNeeded(t *testing.T) {
	o := newOutput(leastBuffer, true, func() {})
	first, _ := o.attach(0)
	o.write(pattern(1000))
	readAll(first)
	first.flushed()
	first.detach()
	again, _ := o.attach(0)
	if got, gaps := readAll(again); gaps != 0 || !bytes.Equal(got, pattern(1000)) {
		t.Fatalf("%d bytes after a gap of %d", len(got), gaps)
	}
}

func TestBlockHoldsEverythingWhileNobodyReads(t *testing.T) {
	o := newOutput(leastBuffer, true, func() {})
	go o.write(pattern(leastBuffer + 1))
	waitUntil(t, "the buffer is full", func() bool { return o.total() == leastBuffer })
	r, _ := o.attach(0)
	if got, gaps := readAll(r); gaps != 0 || !bytes.Equal(got, pattern(leastBuffer)) {
		t.Fatalf("%d bytes after a gap of %d", len(got), gaps)
	}
	o.close()
}

func TestLiftLetsAWaitingWriteEnd(t *testing.T) {
	o := newOutput(leastBuffer, true, func() {})
	written := make(chan struct{})
	go func() {
		o.write(pattern(leastBuffer + 5000))
		close(written)
	}()
	waitUntil(t, "the buffer is full", func() bool { return o.total() == leastBuffer })
	o.lift()
	<-written
	r, _ := o.attach(0)
	if got, gaps := readAll(r); gaps != 0 || !bytes.Equal(got, pattern(leastBuffer+5000)) {
		t.Fatalf("%d bytes after a gap of %d", len(got), gaps)
	}
}
