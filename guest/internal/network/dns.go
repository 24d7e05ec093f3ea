// DNS for the guest: every name has a synthetic address, and nothing is asked of anybody outside.

package network

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"
)

const (
	answerSeconds = 60
	dnsPort       = 53
	dnsIdle       = 30 * time.Second
)

// answerQuery answers one message; nil if it is not a query. It also returns what it refused, or an empty string.
func (n *names) answerQuery(query []byte) (answer []byte, refused string) {
	var parser dnsmessage.Parser
	header, err := parser.Start(query)
	if err != nil || header.Response {
		return nil, "a message that is not a query"
	}
	question, err := parser.Question()
	reply := dnsmessage.Header{ID: header.ID, Response: true, RecursionDesired: header.RecursionDesired, RecursionAvailable: true}
	switch {
	case err != nil:
		reply.RCode, refused = dnsmessage.RCodeFormatError, "a query without a question"
	case header.OpCode != 0:
		reply.RCode, refused = dnsmessage.RCodeNotImplemented, fmt.Sprintf("operation %d", header.OpCode)
	}
	if reply.RCode != dnsmessage.RCodeSuccess {
		builder := dnsmessage.NewBuilder(nil, reply)
		answer, _ := builder.Finish()
		return answer, refused
	}
	resource, code, isRefused := n.resolve(question)
	reply.RCode = code
	if isRefused {
		refused = question.Name.String()
	}
	builder := dnsmessage.NewBuilder(make([]byte, 0, 512), reply)
	builder.EnableCompression()
	if builder.StartQuestions() != nil || builder.Question(question) != nil || builder.StartAnswers() != nil {
		return nil, question.Name.String()
	}
	head := dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: answerSeconds}
	switch body := resource.(type) {
	case *dnsmessage.AResource:
		err = builder.AResource(head, *body)
	case *dnsmessage.PTRResource:
		err = builder.PTRResource(head, *body)
	}
	if err != nil {
		return nil, question.Name.String()
	}
	answer, err = builder.Finish()
	if err != nil {
		return nil, question.Name.String()
	}
	return answer, refused
}

// resolve returns what answers a question: one resource, or none. None is an answer, too; a name that no
// host may have and an unsupported class are refused.
func (n *names) resolve(question dnsmessage.Question) (resource dnsmessage.ResourceBody, code dnsmessage.RCode, isRefused bool) {
	name, ok := canonical(question.Name.String())
	if !ok {
		return nil, dnsmessage.RCodeNameError, true
	}
	if question.Class != dnsmessage.ClassINET {
		return nil, dnsmessage.RCodeRefused, true
	}
	isLocal := name == "localhost" || strings.HasSuffix(name, ".localhost")
	switch {
	case question.Type == dnsmessage.TypeA && isLocal:
		return &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}}, dnsmessage.RCodeSuccess, false
	case question.Type == dnsmessage.TypeA:
		return &dnsmessage.AResource{A: n.address(name).As4()}, dnsmessage.RCodeSuccess, false
	case question.Type == dnsmessage.TypePTR:
		resource, code := n.reverse(name)
		return resource, code, false
	}
	// Other kinds have no records, which is not a failure: programs continue with the address.
	return nil, dnsmessage.RCodeSuccess, false
}

func (n *names) reverse(question string) (dnsmessage.ResourceBody, dnsmessage.RCode) {
	text, ok := strings.CutSuffix(question, ".in-addr.arpa")
	labels := strings.Split(text, ".")
	if !ok || len(labels) != 4 {
		return nil, dnsmessage.RCodeNameError
	}
	address, err := netip.ParseAddr(labels[3] + "." + labels[2] + "." + labels[1] + "." + labels[0])
	if err != nil {
		return nil, dnsmessage.RCodeNameError
	}
	name, ok := n.name(address)
	if !ok {
		return nil, dnsmessage.RCodeNameError
	}
	pointer, err := dnsmessage.NewName(name + ".")
	if err != nil {
		return nil, dnsmessage.RCodeNameError
	}
	return &dnsmessage.PTRResource{PTR: pointer}, dnsmessage.RCodeSuccess
}

// serveUDP answers datagrams from the address that they were sent to, until the socket is closed.
func (n *names) serveUDP(socket *net.UDPConn, reports *reports) {
	query, control := make([]byte, 4096), make([]byte, 256)
	for {
		size, controlSize, _, client, err := socket.ReadMsgUDPAddrPort(query, control)
		if err != nil {
			if isClosed(err) {
				return
			}
			continue
		}
		answer, refused := n.answerQuery(query[:size])
		if refused != "" {
			reports.note(kindDNS, refused, "udp "+portForm(client.Port()))
		}
		asked := destinationOf(control[:controlSize])
		if answer != nil && asked != nil {
			_, _, _ = socket.WriteMsgUDPAddrPort(answer, unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: *asked}), client)
		}
	}
}

// destinationOf returns the address that a datagram was sent to.
func destinationOf(control []byte) *[4]byte {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil
	}
	for _, message := range messages {
		const size, addressAt = 12, 8
		if message.Header.Level == unix.IPPROTO_IP && message.Header.Type == unix.IP_PKTINFO && len(message.Data) >= size {
			return (*[4]byte)(message.Data[addressAt:size])
		}
	}
	return nil
}

// serveTCP answers the queries of one connection; refuse is called for what it refuses.
func (n *names) serveTCP(conn *net.TCPConn, refuse func(asked string)) {
	defer conn.Close()
	for {
		_ = conn.SetDeadline(time.Now().Add(dnsIdle))
		var length [2]byte
		if got, err := io.ReadFull(conn, length[:]); err != nil {
			if got > 0 {
				refuse("a message that is cut off")
			}
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(conn, query); err != nil {
			refuse("a message that is cut off")
			return
		}
		answer, refused := n.answerQuery(query)
		if refused != "" {
			refuse(refused)
		}
		if answer == nil {
			return
		}
		framed := binary.BigEndian.AppendUint16(nil, uint16(len(answer)))
		if _, err := conn.Write(append(framed, answer...)); err != nil {
			return
		}
	}
}

// authorityOf names what a program wanted to reach; false for an address that belongs to no name.
func (n *names) authorityOf(wanted netip.AddrPort) (string, bool) {
	address := wanted.Addr().Unmap()
	host := address.String()
	if syntheticRange.Contains(address) {
		name, ok := n.name(address)
		if !ok {
			return "", false
		}
		host = name
	}
	return net.JoinHostPort(host, strconv.Itoa(int(wanted.Port()))), true
}
