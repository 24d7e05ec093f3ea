// Fuzzing of what programs of the guest send to the agent's network: questions for names, SOCKS requests, packets.

package network

import (
	"bufio"
	"bytes"
	"io"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// FuzzQuery checks that whatever is asked has an answer that parses, or none.
func FuzzQuery(f *testing.F) {
	name := dnsmessage.MustNewName("a.example.")
	for _, kind := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA, dnsmessage.TypePTR} {
		builder := dnsmessage.NewBuilder(nil, dnsmessage.Header{ID: 7, RecursionDesired: true})
		_ = builder.StartQuestions()
		_ = builder.Question(dnsmessage.Question{Name: name, Type: kind, Class: dnsmessage.ClassINET})
		query, err := builder.Finish()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(query)
		f.Add(query[:len(query)-3])
	}
	known := newNames()
	f.Fuzz(func(t *testing.T, query []byte) {
		answer, _ := known.answerQuery(query)
		if answer == nil {
			return
		}
		var message dnsmessage.Message
		if err := message.Unpack(answer); err != nil {
			t.Fatalf("the answer %x does not parse: %v", answer, err)
		}
		if !message.Response || len(query) >= 2 && message.ID != uint16(query[0])<<8|uint16(query[1]) {
			t.Fatalf("the answer %x is not one to %x", answer, query)
		}
		if len(message.Answers) > 1 || len(answer) > 1024 {
			t.Fatalf("an answer of %d bytes with %d records", len(answer), len(message.Answers))
		}
	})
}

// FuzzSocks checks that a request names a target or is refused, and that nothing is read beyond it.
func FuzzSocks(f *testing.F) {
	f.Add([]byte("\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50"))
	f.Add([]byte("\x02\x00\x01\x05\x01\x00\x03\x09a.example\x01\xbb"))
	f.Add([]byte("\x00\x05\x03\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x35"))
	f.Fuzz(func(t *testing.T, rest []byte) {
		const behind = "behind it"
		in := bufio.NewReader(bytes.NewReader(append(append([]byte{socksVersion}, rest...), behind...)))
		authority, _, err := readSocks(io.Discard, in)
		if err != nil {
			return
		}
		if authority == "" {
			t.Fatal("a request without a target")
		}
		left, _ := io.ReadAll(in)
		if len(left) > len(rest)+len(behind) {
			t.Fatalf("%d bytes are left of %d", len(left), len(rest))
		}
	})
}

// FuzzPacket checks that any bytes of a packet are reported in words that a report may carry.
func FuzzPacket(f *testing.F) {
	f.Add(append([]byte{0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2}, 0, 53, 0, 53, 0, 8, 0, 0))
	f.Add(append([]byte{0x4f}, make([]byte, 30)...))
	f.Add(append([]byte{0x60}, make([]byte, 60)...))
	f.Fuzz(func(t *testing.T, packet []byte) {
		reports := newReports(nil)
		if !notePacket(reports, packet) {
			t.Fatal("there was room for one report")
		}
		one := <-reports.queue
		if one.Asked != cleaned(one.Asked) {
			t.Fatalf("%q cannot be reported", one.Asked)
		}
		_ = isOwnConnection(packet, packet)
	})
}
