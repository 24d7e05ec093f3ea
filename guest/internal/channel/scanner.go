// The scanner finds a hello anywhere in the bytes that come from the host.

// Package channel carries HTTP/2 sessions over one byte stream that the host may cut and open again unnoticed.
package channel

import "bytes"

// PartBytes is the length of the magic and of the nonce.
const PartBytes = 16

// events is what a scanner reports, in the order of the stream.
type events struct {
	// deliver takes bytes of the session; they are valid during the call only.
	deliver func([]byte)
	// matched means that a magic went by: the session before it is over.
	matched func()
	// hello takes the nonce of a complete hello: a new session begins with the next byte.
	hello func(nonce [PartBytes]byte)
}

// scanner splits incoming bytes into those of sessions and the nonces of hellos. It never holds a byte back
// because it might begin a magic: a session that is about to end may see part of one. It keeps matching
// inside a nonce, because the host may have been cut off there and started again.
type scanner struct {
	magic   [PartBytes]byte
	tail    []byte
	nonce   []byte
	inHello bool
}

func (s *scanner) push(chunk []byte, report events) {
	for len(chunk) > 0 {
		end := s.find(chunk)
		if end < 0 {
			s.consume(chunk, report)
			return
		}
		// Of the magic only what came in earlier chunks has been handed on.
		s.consume(chunk[:max(0, end-PartBytes)], report)
		report.matched()
		s.inHello, s.nonce = true, s.nonce[:0]
		chunk = chunk[end:]
	}
}

func (s *scanner) consume(part []byte, report events) {
	if s.inHello {
		take := min(PartBytes-len(s.nonce), len(part))
		s.nonce = append(s.nonce, part[:take]...)
		part = part[take:]
		if len(s.nonce) < PartBytes {
			return
		}
		s.inHello = false
		report.hello([PartBytes]byte(s.nonce))
	}
	if len(part) > 0 {
		report.deliver(part)
	}
}

// find returns the index in chunk after the first magic, or -1 when none ends in it.
func (s *scanner) find(chunk []byte) int {
	if len(s.tail) > 0 {
		var room [2*PartBytes - 2]byte
		joint := append(append(room[:0], s.tail...), chunk[:min(len(chunk), PartBytes-1)]...)
		if at := bytes.Index(joint, s.magic[:]); at >= 0 {
			end := at + PartBytes - len(s.tail)
			s.tail = s.tail[:0]
			return end
		}
	}
	if at := bytes.Index(chunk, s.magic[:]); at >= 0 {
		s.tail = s.tail[:0]
		return at + PartBytes
	}
	s.tail = append(s.tail, chunk[max(0, len(chunk)-PartBytes+1):]...)
	s.tail = append(s.tail[:0], s.tail[max(0, len(s.tail)-PartBytes+1):]...)
	return -1
}
