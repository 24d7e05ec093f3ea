// Tests of the reports: all of them arrive, a flood is counted and holds nobody up, and texts say no more than they should.

package network

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestReportsArriveWithTheSenderAndAfterTheHostWasAway(t *testing.T) {
	got := make(chan Report, 10)
	away := 3
	reports := newReports(func(_ context.Context, report Report) error {
		if away--; away >= 0 {
			return errors.New("away")
		}
		got <- report
		return nil
	})
	reports.senders = func() map[string]string { return map[string]string{"udp :1F90": "p7"} }
	reports.note(kindDatagram, "1.2.3.4:99", "udp :1F90")
	reports.note(kindPing, "1.2.3.4", "raw :0001")
	go reports.serve()
	report := <-got
	want := []Refusal{{kindDatagram, "1.2.3.4:99", "p7"}, {kindPing, "1.2.3.4", ""}}
	if len(report.Refusals) != 2 || report.Refusals[0] != want[0] || report.Refusals[1] != want[1] || report.Lost != 0 {
		t.Fatal(report)
	}
	reports.noteFirst(kindMalformed, "x\x1b[2J"+strings.Repeat("y", 1000), "p1")
	// The report was delivered before that came back.
	select {
	case report = <-got:
	default:
		t.Fatal("the program heard of it first")
	}
	if asked := report.Refusals[0].Asked; len(asked) != longestAsked || !strings.HasPrefix(asked, "x?[2Jyyy") {
		t.Fatal(asked)
	}
}

func TestAFloodIsCountedAndHoldsNobodyUp(t *testing.T) {
	release := make(chan struct{})
	got := make(chan Report, 100)
	reports := newReports(func(_ context.Context, report Report) error {
		<-release
		got <- report
		return nil
	})
	go reports.serve()
	const flood = 100_000
	started := time.Now()
	for range flood {
		reports.note(kindDatagram, "1.2.3.4:99", "")
	}
	reports.noteFirst(kindMalformed, "x", "")
	if took := time.Since(started); took > 5*time.Second {
		t.Fatal(took)
	}
	if waits := len(reports.queue); waits > mostWaiting {
		t.Fatal(waits)
	}
	close(release)
	var told int64
	for told < flood+1 {
		select {
		case report := <-got:
			if len(report.Refusals) > mostInReport {
				t.Fatal(len(report.Refusals))
			}
			told += int64(len(report.Refusals)) + report.Lost
		case <-time.After(5 * time.Second):
			t.Fatalf("%d of %d", told, flood+1)
		}
	}
	if told != flood+1 {
		t.Fatal(told)
	}
}

func TestWhatWasSaidIsToldWithoutPathsAndCredentials(t *testing.T) {
	for head, want := range map[string]string{
		"GET https://user:secret@a.example:1/path?token=x HTTP/1.1\r\nHost: b": "GET https://a.example:1",
		"CONNECT user:secret@a.example:1 HTTP/1.1\r\n":                         "CONNECT a.example:1",
		"CONNECT a.example:1/secret HTTP/1.1\r\n":                              "CONNECT a.example:1",
		"GET /secret HTTP/1.1\r\n":                                             "GET /",
		"OPTIONS * HTTP/1.1\r\n":                                               "OPTIONS *",
		"PRI * HTTP/2.0\r\n\r\nSM":                                             "PRI *",
		"\x16\x03\x01\x02\x00":                                                 "TLS",
		"\x04\x01\x00\x50\x7f\x00\x00\x01\x00":                                 "SOCKS4",
		"a secret\n":                                                           "bytes that are not a request",
		"":                                                                     "a request after another one",
	} {
		if said := describeHead([]byte(head)); said != want {
			t.Errorf("%q: %q", head, said)
		}
	}
}

func TestOnlyWhatHTTP2TakesIsAsked(t *testing.T) {
	for authority, isIt := range map[string]bool{
		"a.example:443": true, "[::1]:80": true, "a_b.example:1": true, "user@a:1": true, "xn--x.example:1": true, "münchen.example:1": true,
		"": false, "a b:1": false, "a\x00b:1": false, "a\t:1": false, "a/b:1": false, "a#b:1": false, "a\x7f:1": false, "a|b:1": false,
		strings.Repeat("a", longestAuthority) + ":1": false,
	} {
		if isAskable(authority) != isIt {
			t.Errorf("%q", authority)
		}
	}
}
