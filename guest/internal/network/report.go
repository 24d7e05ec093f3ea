// Reports of what the guest refuses by itself: the host's log has those attempts, too. What happens here is bounded:
// a queue of fixed size, one report under way, and only a number for whatever does not fit.

package network

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// Kinds of refusals; the host has its own words for each.
const (
	// kindMalformed is what the proxy cannot read.
	kindMalformed = "malformed_request"
	// kindUnsupported is a request that the proxy understands and does not serve.
	kindUnsupported = "unsupported_request"
	// kindTarget is a target that cannot be put to the host.
	kindTarget = "target"
	// kindUnknownAddress is an address that stands for no name.
	kindUnknownAddress = "unknown_address"
	// kindDNS is a question that the name service refuses.
	kindDNS = "dns_question"
	// kindDatagram is a datagram to anything but the name service.
	kindDatagram = "datagram"
	// kindPing is an echo request.
	kindPing = "ping"
	// kindPacket is any other packet.
	kindPacket = "packet"
	// kindTooMany is a connection beyond what is served at once.
	kindTooMany = "too_many"
)

const (
	mostWaiting  = 256
	mostInReport = 64
	longestAsked = 200
	// reportWait bounds how long a program waits for its refusal to be logged before it hears of it.
	reportWait    = 500 * time.Millisecond
	reportTimeout = 10 * time.Second
	// reportPause keeps a flood from taking more than its share of the link.
	reportPause = 50 * time.Millisecond
)

// Refusal is one attempt that the guest refused itself.
type Refusal struct {
	Kind string `json:"kind"`
	// Asked is what was asked for, as far as it could be read: printable ASCII.
	Asked string `json:"asked"`
	// Process is the agent's id of the process that asked; empty when it is not known.
	Process string `json:"process,omitempty"`
}

// Report is what the host is told at once.
type Report struct {
	Refusals []Refusal `json:"refusals"`
	// Lost is the number of refusals that did not fit in since the last report.
	Lost int64 `json:"lost"`
}

// waiting is a refusal on its way.
type waiting struct {
	Refusal
	// sender is the key of who asked in the table of sockets; empty when Process says it.
	sender string
	done   chan struct{}
}

// reports takes refusals and sends them one report after the other.
type reports struct {
	queue chan *waiting
	lost  atomic.Int64
	// send tells the host; an error means that the report may be sent again.
	send func(context.Context, Report) error
	// senders maps keys of the table of sockets to processes.
	senders func() map[string]string
}

func newReports(send func(context.Context, Report) error) *reports {
	return &reports{queue: make(chan *waiting, mostWaiting), send: send, senders: processesBySocket}
}

// note has a refusal reported and waits for nothing; false when there is no room for it.
func (r *reports) note(kind, asked, sender string) bool {
	return r.add(&waiting{Refusal: Refusal{Kind: kind, Asked: cleaned(asked)}, sender: sender})
}

// noteFirst has a refusal reported before the program hears of it, as the host does with its own, but does not wait long.
func (r *reports) noteFirst(kind, asked, process string) {
	one := &waiting{Refusal: Refusal{Kind: kind, Asked: cleaned(asked), Process: process}, done: make(chan struct{})}
	if !r.add(one) {
		return
	}
	limit := time.NewTimer(reportWait)
	defer limit.Stop()
	select {
	case <-one.done:
	case <-limit.C:
	}
}

func (r *reports) add(one *waiting) bool {
	select {
	case r.queue <- one:
		return true
	default:
		r.lost.Add(1)
		return false
	}
}

// serve sends what is noted, for as long as the agent lives.
func (r *reports) serve() {
	for first := range r.queue {
		batch := r.gather(first)
		report := Report{Refusals: r.named(batch), Lost: r.lost.Swap(0)}
		for !r.deliver(report) {
			// The host is away: what waits stays, and what does not fit is counted.
			time.Sleep(reportPause)
		}
		for _, one := range batch {
			if one.done != nil {
				close(one.done)
			}
		}
		time.Sleep(reportPause)
	}
}

func (r *reports) deliver(report Report) bool {
	ctx, cancel := context.WithTimeout(context.Background(), reportTimeout)
	defer cancel()
	return r.send(ctx, report) == nil
}

func (r *reports) gather(first *waiting) []*waiting {
	batch := []*waiting{first}
	for len(batch) < mostInReport {
		select {
		case next := <-r.queue:
			batch = append(batch, next)
		default:
			return batch
		}
	}
	return batch
}

// named looks once for the senders of all.
func (r *reports) named(batch []*waiting) []Refusal {
	var found map[string]string
	refusals := make([]Refusal, 0, len(batch))
	for _, one := range batch {
		if one.sender != "" {
			if found == nil {
				found = r.senders()
			}
			one.Process = found[one.sender]
		}
		refusals = append(refusals, one.Refusal)
	}
	return refusals
}

// cleaned cuts a text of a program to what a report may carry.
func cleaned(text string) string {
	if len(text) > longestAsked {
		text = text[:longestAsked]
	}
	return strings.Map(printable, text)
}

// report tells the host of refusals; an error means that it has not heard of them.
func (l *Link) report(ctx context.Context, report Report) error {
	client, err := l.client(ctx)
	if err != nil {
		return err
	}
	body, err := json.Marshal(report)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://host/v1/refusals", bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := client.RoundTrip(request)
	if err != nil {
		l.drop(client)
		return err
	}
	_ = response.Body.Close()
	return nil
}
