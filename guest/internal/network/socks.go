// SOCKS5: CONNECT alone; a listening or datagram association would be a way that nobody has judged.

package network

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"
)

const (
	socksVersion      = 5
	socksConnect      = 1
	socksDone         = 0
	socksNotAllowed   = 2
	socksUnreachable  = 4
	socksNoSuch       = 7
	socksNoSuchFamily = 8
)

var errSocks = errors.New("this is not a SOCKS5 request")

// socksCommandError is a request for something else than a connection.
type socksCommandError struct {
	command   byte
	authority string
}

func (e *socksCommandError) Error() string {
	return fmt.Sprintf("SOCKS5 command %d to %s", e.command, e.authority)
}

func socksKind(err error) string {
	var command *socksCommandError
	if errors.As(err, &command) {
		return kindUnsupported
	}
	return kindMalformed
}

func socksAsked(err error) string {
	var command *socksCommandError
	if errors.As(err, &command) {
		return command.Error()
	}
	return "SOCKS5"
}

func (p *proxy) socks(conn *net.TCPConn, in *bufio.Reader) {
	authority, code, err := readSocks(conn, in)
	if err != nil {
		p.link.reports.noteFirst(socksKind(err), socksAsked(err), p.owner(conn))
		if code != socksDone {
			answerSocks(conn, code)
		}
		_ = conn.Close()
		return
	}
	_ = conn.SetReadDeadline(time.Time{})
	stream, err := p.link.Dial(context.Background(), authority, p.owner(conn))
	if err != nil {
		answerSocks(conn, socksCode(err))
		_ = conn.Close()
		return
	}
	answerSocks(conn, socksDone)
	relay(conn, in, stream)
}

func socksCode(err error) byte {
	var refused *Refused
	if errors.As(err, &refused) && refused.Status != http.StatusBadGateway {
		return socksNotAllowed
	}
	return socksUnreachable
}

func answerSocks(conn net.Conn, code byte) {
	_, _ = conn.Write([]byte{socksVersion, code, 0, 1, 0, 0, 0, 0, 0, 0})
}

// readSocks performs the greeting and reads the request; code is to be answered when there is an error.
func readSocks(out io.Writer, in *bufio.Reader) (authority string, code byte, err error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(in, head); err != nil {
		return "", 0, err
	}
	methods := make([]byte, head[1])
	if _, err := io.ReadFull(in, methods); err != nil {
		return "", 0, err
	}
	// No authentication, be it offered or not: who is in the guest is known.
	if _, err := out.Write([]byte{socksVersion, 0}); err != nil {
		return "", 0, err
	}
	request := make([]byte, 4)
	if _, err := io.ReadFull(in, request); err != nil {
		return "", 0, err
	}
	if request[0] != socksVersion || request[2] != 0 {
		return "", 0, errSocks
	}
	host, code, err := readSocksHost(in, request[3])
	if err != nil {
		return "", code, err
	}
	port := make([]byte, 2)
	if _, err := io.ReadFull(in, port); err != nil {
		return "", 0, err
	}
	authority = net.JoinHostPort(host, strconv.Itoa(int(binary.BigEndian.Uint16(port))))
	if request[1] != socksConnect {
		return "", socksNoSuch, &socksCommandError{request[1], authority}
	}
	return authority, socksDone, nil
}

func readSocksHost(in *bufio.Reader, kind byte) (host string, code byte, err error) {
	length := 0
	switch kind {
	case 1:
		length = 4
	case 4:
		length = 16
	case 3:
		size, err := in.ReadByte()
		if err != nil {
			return "", 0, err
		}
		length = int(size)
	default:
		return "", socksNoSuchFamily, errSocks
	}
	raw := make([]byte, length)
	if _, err := io.ReadFull(in, raw); err != nil {
		return "", 0, err
	}
	if kind != 3 {
		address, _ := netip.AddrFromSlice(raw)
		return address.String(), 0, nil
	}
	return string(raw), 0, nil
}
