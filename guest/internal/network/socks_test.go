// Tests of the SOCKS5 reader and of the socket look-up's jumps.

package network

import (
	"bufio"
	"bytes"
	"io"
	"testing"
)

func TestSocksTakesConnectAlone(t *testing.T) {
	greeting := []byte{5, 1, 0}
	for name, c := range map[string]struct {
		request   []byte
		authority string
		code      byte
	}{
		"a name":             {[]byte{5, 1, 0, 3, 3, 'a', '.', 'b', 1, 187}, "a.b:443", socksDone},
		"an IPv4 address":    {[]byte{5, 1, 0, 1, 10, 0, 0, 1, 0, 80}, "10.0.0.1:80", socksDone},
		"an IPv6 address":    {append(append([]byte{5, 1, 0, 4}, make([]byte, 15)...), 1, 0, 80), "[::1]:80", socksDone},
		"listening":          {[]byte{5, 2, 0, 1, 10, 0, 0, 1, 0, 80}, "", socksNoSuch},
		"datagrams":          {[]byte{5, 3, 0, 1, 10, 0, 0, 1, 0, 80}, "", socksNoSuch},
		"an unknown kind":    {[]byte{5, 1, 0, 9, 1, 2, 3}, "", socksNoSuchFamily},
		"another version":    {[]byte{4, 1, 0, 1, 10, 0, 0, 1, 0, 80}, "", 0},
		"a reserved byte":    {[]byte{5, 1, 7, 1, 10, 0, 0, 1, 0, 80}, "", 0},
		"a request cut off":  {[]byte{5, 1, 0, 3, 200, 'a'}, "", 0},
		"nothing after that": {nil, "", 0},
	} {
		in := bufio.NewReader(bytes.NewReader(append(bytes.Clone(greeting), c.request...)))
		authority, code, err := readSocks(io.Discard, in)
		if authority != c.authority || code != c.code || (err == nil) != (c.authority != "") {
			t.Errorf("%s: %q, %d, %v", name, authority, code, err)
		}
	}
}

func TestEveryJumpOfTheLookUpGoesForwardToALabel(t *testing.T) {
	steps := catcher(3, ownAddress)
	labels := map[string]int{}
	for index, s := range steps {
		if s.label != "" {
			labels[s.label] = index
		}
	}
	for index, s := range steps {
		if at, ok := labels[s.target]; s.target != "" && (!ok || at <= index) {
			t.Errorf("step %d goes to %q", index, s.target)
		}
	}
	if size := len(assemble(steps)); size != 8*len(steps) {
		t.Error(size)
	}
}
