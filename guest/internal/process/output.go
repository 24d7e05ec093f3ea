// Bounded output of one stream, addressed by the offset of its bytes since the start.

// Package process runs commands in the guest and keeps their output.
package process

import "sync"

// output keeps at most limit bytes. When it is full a write waits (block) or the oldest bytes go (drop).
type output struct {
	mu      sync.Mutex
	kept    []byte
	start   int64
	limit   int
	block   bool
	closed  bool
	room    *sync.Cond
	changed func()
}

func newOutput(limit int, block bool, changed func()) *output {
	o := &output{limit: limit, block: block, changed: changed}
	o.room = sync.NewCond(&o.mu)
	return o
}

// write appends all of p, in block mode as room comes up.
func (o *output) write(p []byte) {
	for len(p) > 0 {
		o.mu.Lock()
		for o.block && !o.closed && len(o.kept) >= o.limit {
			o.room.Wait()
		}
		if o.closed {
			o.mu.Unlock()
			return
		}
		take := len(p)
		if o.block {
			take = min(take, o.limit-len(o.kept))
		}
		o.kept = append(o.kept, p[:take]...)
		if over := len(o.kept) - o.limit; over > 0 {
			o.kept = append(o.kept[:0], o.kept[over:]...)
			o.start += int64(over)
		}
		o.mu.Unlock()
		p = p[take:]
		o.changed()
	}
}

// read copies bytes from an offset on into p and returns the offset of the first one, which is later when older ones are gone.
func (o *output) read(p []byte, offset int64) (n int, from int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	from = max(offset, o.start)
	if from >= o.start+int64(len(o.kept)) {
		return 0, from
	}
	return copy(p, o.kept[from-o.start:]), from
}

// sent tells that a reader has everything below offset; in block mode that makes room.
func (o *output) sent(offset int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if gone := offset - o.start; o.block && gone > 0 {
		o.kept = append(o.kept[:0], o.kept[min(gone, int64(len(o.kept))):]...)
		o.start = offset
		o.room.Broadcast()
	}
}

// total is the count of bytes ever written.
func (o *output) total() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.start + int64(len(o.kept))
}

// close lets writers go; what they still write is lost.
func (o *output) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.room.Broadcast()
}
