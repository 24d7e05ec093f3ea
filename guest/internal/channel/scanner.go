// The scanner finds a hello anywhere in the bytes that come from the host.

// Package channel carries HTTP/2 sessions over one byte stream that the host may cut and open again unnoticed.
package channel

import "bytes"

// PartBytes is the length of the magic and of the nonce.
const PartBytes = 16

// scanner splits incoming bytes into those of the session and the nonces of hellos. It never holds a byte
// back because it might begin a magic: an old session that is about to end may see a part of one.
type scanner struct {
	magic   [PartBytes]byte
	tail    []byte
	nonce   []byte
	inHello bool
}

// push hands bytes before and after hellos to deliver, and the nonce of each hello to hello, in order.
func (s *scanner) push(chunk []byte, deliver func([]byte), hello func(nonce [PartBytes]byte)) {
	for len(chunk) > 0 {
		if s.inHello {
			take := min(PartBytes-len(s.nonce), len(chunk))
			s.nonce = append(s.nonce, chunk[:take]...)
			chunk = chunk[take:]
			if len(s.nonce) < PartBytes {
				return
			}
			nonce := [PartBytes]byte(s.nonce)
			s.inHello, s.nonce, s.tail = false, nil, nil
			hello(nonce)
			continue
		}
		seen := append(bytes.Clone(s.tail), chunk...)
		at := bytes.Index(seen, s.magic[:])
		if at < 0 {
			deliver(chunk)
			s.tail = seen[max(0, len(seen)-PartBytes+1):]
			return
		}
		// The part of the magic that lies in earlier chunks has been delivered; what stands before it is new.
		fresh := at - len(s.tail)
		if fresh > 0 {
			deliver(chunk[:fresh])
		}
		chunk = chunk[at+PartBytes-len(s.tail):]
		s.inHello, s.tail = true, nil
	}
}
