// Tests of the name service: what it answers, what it remembers, and that foreign bytes do no harm.

package network

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

func query(t testing.TB, name string, kind dnsmessage.Type) []byte {
	t.Helper()
	builder := dnsmessage.NewBuilder(nil, dnsmessage.Header{ID: 77, RecursionDesired: true})
	_ = builder.StartQuestions()
	if err := builder.Question(dnsmessage.Question{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}); err != nil {
		t.Fatal(err)
	}
	message, err := builder.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return message
}

func answerOf(known *names, query []byte) []byte {
	answer, _ := known.answerQuery(query)
	return answer
}

func parse(t testing.TB, answer []byte) dnsmessage.Message {
	t.Helper()
	var message dnsmessage.Message
	if err := message.Unpack(answer); err != nil {
		t.Fatalf("%x: %v", answer, err)
	}
	return message
}

func addressIn(t testing.TB, answer []byte) netip.Addr {
	t.Helper()
	message := parse(t, answer)
	if len(message.Answers) != 1 {
		t.Fatalf("%d answers, %v", len(message.Answers), message.RCode)
	}
	body, ok := message.Answers[0].Body.(*dnsmessage.AResource)
	if !ok {
		t.Fatalf("%T", message.Answers[0].Body)
	}
	return netip.AddrFrom4(body.A)
}

func TestEachNameHasOneAddressWhateverItsSpelling(t *testing.T) {
	known := newNames()
	first := addressIn(t, answerOf(known, query(t, "Example.COM.", dnsmessage.TypeA)))
	second := addressIn(t, answerOf(known, query(t, "example.com.", dnsmessage.TypeA)))
	other := addressIn(t, answerOf(known, query(t, "example.org.", dnsmessage.TypeA)))
	if first != second || first == other || !syntheticRange.Contains(first) {
		t.Fatal(first, second, other)
	}
	if authority, ok := known.authorityOf(netip.AddrPortFrom(first, 443)); !ok || authority != "example.com:443" {
		t.Fatal(authority, ok)
	}
	pointer := fmt.Sprintf("%d.%d.%d.%d.in-addr.arpa.", first.As4()[3], first.As4()[2], first.As4()[1], first.As4()[0])
	answers := parse(t, answerOf(known, query(t, pointer, dnsmessage.TypePTR))).Answers
	if len(answers) != 1 || answers[0].Body.GoString() != `dnsmessage.PTRResource{PTR: dnsmessage.MustNewName("example.com.")}` {
		t.Fatal(answers)
	}
}

func TestAddressesThatStandForNothingAreRefusedAndOthersGoAsTheyAre(t *testing.T) {
	known := newNames()
	if authority, ok := known.authorityOf(netip.MustParseAddrPort("198.18.200.1:80")); ok {
		t.Fatal(authority)
	}
	if authority, _ := known.authorityOf(netip.MustParseAddrPort("[2001:db8::1]:80")); authority != "[2001:db8::1]:80" {
		t.Fatal(authority)
	}
	if authority, _ := known.authorityOf(netip.MustParseAddrPort("[::ffff:10.0.0.1]:80")); authority != "10.0.0.1:80" {
		t.Fatal(authority)
	}
}

func TestOtherQuestionsGetAnEmptyAnswerAndBadNamesNone(t *testing.T) {
	known := newNames()
	for _, kind := range []dnsmessage.Type{dnsmessage.TypeAAAA, dnsmessage.TypeMX, dnsmessage.TypeTXT, dnsmessage.TypeSRV, 65} {
		answer, refused := known.answerQuery(query(t, "example.com.", kind))
		if refused != "" {
			t.Errorf("%v is reported as refused: %s", kind, refused)
		}
		message := parse(t, answer)
		if message.RCode != dnsmessage.RCodeSuccess || len(message.Answers) != 0 {
			t.Error(kind, message.RCode, message.Answers)
		}
	}
	for _, name := range []string{".", "a b.example.", "ex\x00ample.", "ünï.example."} {
		answer, refused := known.answerQuery(query(t, name, dnsmessage.TypeA))
		if code := parse(t, answer).RCode; code != dnsmessage.RCodeNameError || refused != name {
			t.Errorf("%q: %v, reported %q", name, code, refused)
		}
	}
	if address := addressIn(t, answerOf(known, query(t, "db.localhost.", dnsmessage.TypeA))); !address.IsLoopback() {
		t.Error(address)
	}
}

func TestThePoolForgetsTheOldestNameOnly(t *testing.T) {
	known := newNames()
	first := known.address("first")
	for index := range mostNames - 1 {
		known.address(fmt.Sprint("n", index))
	}
	if name, ok := known.name(first); !ok || name != "first" {
		t.Fatal(name, ok)
	}
	if reused := known.address("one-more"); reused != first || len(known.byName) != mostNames {
		t.Fatal(reused, len(known.byName))
	}
}

func TestDatagramsAreAnsweredFromTheAddressThatWasAsked(t *testing.T) {
	config := net.ListenConfig{Control: tellDestination}
	socket, err := config.ListenPacket(context.Background(), "udp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	conn, ok := socket.(*net.UDPConn)
	if !ok {
		t.Fatalf("%T", socket)
	}
	go newNames().serveUDP(conn, newReports(nil))
	asked := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 77), Port: int(netip.MustParseAddrPort(conn.LocalAddr().String()).Port())}
	client, err := net.DialUDP("udp4", nil, asked)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_ = client.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := client.Write(query(t, "example.com.", dnsmessage.TypeA)); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 512)
	size, err := client.Read(answer)
	if err != nil {
		t.Fatal(err)
	}
	addressIn(t, answer[:size])
}

func TestSeveralQueriesGoOverOneConnection(t *testing.T) {
	listener, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		if conn, err := listener.AcceptTCP(); err == nil {
			newNames().serveTCP(conn, func(string) {})
		}
	}()
	conn, err := net.Dial("tcp4", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	for range 3 {
		message := query(t, "example.com.", dnsmessage.TypeA)
		_, _ = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...))
		var length [2]byte
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(conn, answer); err != nil {
			t.Fatal(err)
		}
		addressIn(t, answer)
	}
}

func FuzzAnswerQuery(f *testing.F) {
	f.Add(query(f, "example.com.", dnsmessage.TypeA))
	f.Add(query(f, "1.0.18.198.in-addr.arpa.", dnsmessage.TypePTR))
	f.Fuzz(func(t *testing.T, message []byte) {
		answer, refused := newNames().answerQuery(message)
		if answer != nil {
			parse(t, answer)
		} else if refused == "" {
			t.Error("no answer, and nothing to report")
		}
	})
}
