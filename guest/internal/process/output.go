// Bounded output of one stream, addressed by the offset of its bytes since the start.

// Package process runs commands in the guest and keeps their output.
package process

import "sync"

const firstRing = 4 << 10

// output keeps about limit bytes in a ring. When it is full a write waits (block) or the oldest bytes go (drop).
type output struct {
	changed func()

	mu   sync.Mutex
	room *sync.Cond
	ring []byte
	// start and end are the offsets of the first kept byte and of the byte after the last one.
	start, end int64
	limit      int
	block      bool
	// released is the offset below which all readers have everything. Those bytes stay until their room is
	// needed, so that a reader whose connection broke finds them again.
	released int64
	readers  map[*reader]struct{}
	isLifted bool
	closed   bool
}

// reader is somebody attached at an offset.
type reader struct {
	out  *output
	next int64
	sent int64
}

func newOutput(limit int, block bool, changed func()) *output {
	o := &output{limit: limit, block: block, changed: changed, readers: map[*reader]struct{}{}}
	o.room = sync.NewCond(&o.mu)
	return o
}

// write appends all of p, in block mode as room comes up.
func (o *output) write(p []byte) {
	for len(p) > 0 {
		o.mu.Lock()
		for o.roomFor(len(p)) == 0 && !o.closed {
			o.room.Wait()
		}
		if o.closed {
			o.mu.Unlock()
			return
		}
		take := min(len(p), o.roomFor(len(p)))
		o.append(p[:take])
		o.mu.Unlock()
		p = p[take:]
		o.changed()
	}
}

// roomFor drops old bytes as far as allowed and needed, and returns how many bytes fit.
func (o *output) roomFor(wanted int) int {
	if o.isLifted {
		return wanted
	}
	wanted = min(wanted, o.limit)
	if lacking := int64(wanted) - (int64(o.limit) - (o.end - o.start)); lacking > 0 {
		newest := o.end
		if o.block {
			newest = o.released
		}
		o.start = max(o.start, min(o.start+lacking, newest))
	}
	return int(int64(o.limit) - (o.end - o.start))
}

func (o *output) append(p []byte) {
	if needed := int(o.end-o.start) + len(p); needed > len(o.ring) {
		ring := make([]byte, max(needed, min(o.limit, max(2*len(o.ring), firstRing))))
		for at := o.start; at < o.end; {
			n := copy(ring[at%int64(len(ring)):], o.span(at, o.end))
			at += int64(n)
		}
		o.ring = ring
	}
	for len(p) > 0 {
		n := copy(o.ring[o.end%int64(len(o.ring)):], p)
		o.end += int64(n)
		p = p[n:]
	}
}

// span is the longest run of kept bytes from an offset that does not wrap.
func (o *output) span(from, to int64) []byte {
	at := int(from % int64(len(o.ring)))
	return o.ring[at:min(len(o.ring), at+int(to-from))]
}

// lift ends all waiting for room: the process is over and only what is in its pipe follows.
func (o *output) lift() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.isLifted = o.block
	o.room.Broadcast()
}

// close releases writers; what they still write is lost.
func (o *output) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.room.Broadcast()
}

// total is the count of bytes ever written.
func (o *output) total() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.end
}

// attach adds a reader at an offset; false when the stream has not come that far.
func (o *output) attach(offset int64) (*reader, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if offset > o.end {
		return nil, false
	}
	r := &reader{out: o, next: offset, sent: offset}
	o.readers[r] = struct{}{}
	return r, true
}

// read copies the next bytes into p. When older ones are gone it skips them: from < to is what is missing.
func (r *reader) read(p []byte) (n int, from, to int64) {
	o := r.out
	o.mu.Lock()
	defer o.mu.Unlock()
	from, to = r.next, max(r.next, o.start)
	r.next = to
	for n < len(p) && r.next < o.end {
		k := copy(p[n:], o.span(r.next, o.end))
		n += k
		r.next += int64(k)
	}
	return n, from, to
}

// flushed says that everything read so far has been sent; in block mode that makes room.
func (r *reader) flushed() {
	r.out.mu.Lock()
	defer r.out.mu.Unlock()
	r.sent = r.next
	r.out.release()
}

func (r *reader) detach() {
	r.out.mu.Lock()
	defer r.out.mu.Unlock()
	delete(r.out.readers, r)
	r.out.release()
}

// release lets the slowest reader decide; without readers everything stays.
func (o *output) release() {
	if len(o.readers) == 0 {
		return
	}
	slowest := o.end
	for r := range o.readers {
		slowest = min(slowest, r.sent)
	}
	if slowest > o.released {
		o.released = slowest
		o.room.Broadcast()
	}
}
