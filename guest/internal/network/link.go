// The link is the guest's side of its network port: an HTTP/2 client whose every stream is one connection that the
// host judges and dials.

// Package network gives programs in the guest the connections that the host grants, and nothing else.
package network

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"pyro/guest/internal/channel"
)

const (
	// hostWait bounds the wait for a host that is away for a moment, as when its daemon starts again.
	hostWait = 15 * time.Second
	// answerWait bounds the wait for the host's verdict; it covers its own limits for a look-up and several dials.
	answerWait    = 90 * time.Second
	streamData    = 1 << 20
	sessionData   = 16 << 20
	frameBytes    = 64 << 10
	mostStreams   = 320
	mostTurns     = 3
	longestReason = 500
	// longestAuthority fits into the head that the host takes, and is more than it takes for a target.
	longestAuthority = 1000
)

// Refused is the host's answer to a connection that it does not open.
type Refused struct {
	Status int
	Reason string
}

func (e *Refused) Error() string { return e.Reason }

var errAway = errors.New("the host does not answer on the network port")

// Link opens connections through the host.
type Link struct {
	mux     *channel.Mux
	room    chan struct{}
	reports *reports

	mu      sync.Mutex
	current *http.ClientConn
	// changed is closed when another session begins.
	changed chan struct{}
}

// NewLink makes a link on whatever sessions the mux accepts.
func NewLink(mux *channel.Mux) *Link {
	link := &Link{mux: mux, room: make(chan struct{}, mostStreams), changed: make(chan struct{})}
	link.reports = newReports(link.report)
	return link
}

// Serve takes sessions until the mux is closed.
func (l *Link) Serve() {
	go l.reports.serve()
	for {
		conn, err := l.mux.Accept()
		if err != nil {
			return
		}
		go l.use(conn)
	}
}

// use begins HTTP/2 once the host has: what came before its server stands would be lost on it.
func (l *Link) use(session net.Conn) {
	first := make([]byte, 1)
	if _, err := io.ReadFull(session, first); err != nil {
		return
	}
	conn := &begunConn{Conn: session, in: io.MultiReader(bytes.NewReader(first), session)}
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{
		Protocols:          &protocols,
		DisableCompression: true,
		HTTP2: &http.HTTP2Config{
			MaxReadFrameSize:              frameBytes,
			MaxReceiveBufferPerStream:     streamData,
			MaxReceiveBufferPerConnection: sessionData,
		},
		DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil },
	}
	client, err := transport.NewClientConn(context.Background(), "http", "host:80")
	if err != nil {
		_ = conn.Close()
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current = client
	close(l.changed)
	l.changed = make(chan struct{})
}

// begunConn is a session of which the first byte has been read.
type begunConn struct {
	net.Conn
	in io.Reader
}

func (c *begunConn) Read(p []byte) (int, error) { return c.in.Read(p) }

// client gives the session under way, or the next one.
func (l *Link) client(ctx context.Context) (*http.ClientConn, error) {
	limit := time.NewTimer(hostWait)
	defer limit.Stop()
	for {
		l.mu.Lock()
		current, changed := l.current, l.changed
		l.mu.Unlock()
		if current != nil && current.Err() == nil {
			return current, nil
		}
		select {
		case <-changed:
		case <-limit.C:
			return nil, errAway
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Dial asks the host for a connection. A refusal is *Refused. Whatever does not open is in the host's log, and what the
// host did not hear of is reported to it.
func (l *Link) Dial(ctx context.Context, authority, process string) (*Stream, error) {
	if !isAskable(authority) {
		l.reports.noteFirst(kindTarget, authority, process)
		return nil, &Refused{http.StatusBadRequest, "the target is not host:port"}
	}
	stream, err := l.ask(ctx, authority, process)
	var refused *Refused
	if err != nil && ctx.Err() == nil && !errors.As(err, &refused) {
		l.reports.noteFirst(kindTarget, authority, process)
	}
	return stream, err
}

// isAskable tells whether HTTP/2 takes a text for an authority. What it does not, the host would not hear of.
func isAskable(authority string) bool {
	if authority == "" || len(authority) > longestAuthority {
		return false
	}
	for _, c := range []byte(authority) {
		if c <= ' ' || c == 0x7f || strings.IndexByte("\"#/<>?\\^`{|}", c) >= 0 {
			return false
		}
	}
	return true
}

func (l *Link) ask(ctx context.Context, authority, process string) (*Stream, error) {
	select {
	case l.room <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for turn := 1; ; turn++ {
		client, err := l.client(ctx)
		if err != nil {
			<-l.room
			return nil, err
		}
		stream, err := l.dial(ctx, client, authority, process)
		if err == nil {
			return stream, nil
		}
		// A session may have been over without our knowing. Nobody has written to the stream yet, so it can be asked for
		// again, and the session is not used any more.
		if !l.drop(client) || turn == mostTurns {
			<-l.room
			return nil, err
		}
	}
}

// drop gives up a session that is over; false if it lives on, and the failure was the stream's own.
func (l *Link) drop(client *http.ClientConn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current == client && client.Err() == nil {
		return false
	}
	if l.current == client {
		l.current = nil
	}
	return true
}

func (l *Link) dial(ctx context.Context, client *http.ClientConn, authority, process string) (*Stream, error) {
	streamCtx, cancel := context.WithCancel(context.Background())
	// The stream outlives the request that asked for it, but not before the answer.
	stop := context.AfterFunc(ctx, cancel)
	late := time.AfterFunc(answerWait, cancel)
	body, writer := io.Pipe()
	request := (&http.Request{
		Method: http.MethodConnect, Host: authority, URL: &url.URL{Scheme: "http", Host: authority},
		Header: http.Header{}, Body: body, ContentLength: -1, ProtoMajor: 2,
	}).WithContext(streamCtx)
	if process != "" {
		request.Header.Set("pyro-process", process)
	}
	response, err := client.RoundTrip(request)
	wasStopped := !stop() || !late.Stop()
	if err != nil || wasStopped {
		cancel()
		if err == nil {
			_ = response.Body.Close()
			err = context.Canceled
		}
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		reason, _ := io.ReadAll(io.LimitReader(response.Body, longestReason))
		cancel()
		_ = response.Body.Close()
		return nil, &Refused{response.StatusCode, strings.TrimSpace(string(reason))}
	}
	return &Stream{in: response.Body, out: writer, cancel: cancel, leave: func() { <-l.room }}, nil
}

// Stream is one connection through the host; it is a net.Conn.
type Stream struct {
	in     io.ReadCloser
	out    *io.PipeWriter
	cancel context.CancelFunc
	leave  func()
	once   sync.Once
}

func (s *Stream) Read(p []byte) (int, error)  { return s.in.Read(p) }
func (s *Stream) Write(p []byte) (int, error) { return s.out.Write(p) }

// CloseWrite ends what goes out; what comes in lives on.
func (s *Stream) CloseWrite() error { return s.out.Close() }

// Close breaks off what has not ended both ways.
func (s *Stream) Close() error {
	s.once.Do(func() {
		s.cancel()
		_ = s.out.CloseWithError(net.ErrClosed)
		_ = s.in.Close()
		s.leave()
	})
	return nil
}

// LocalAddr names the link; there is no address to give.
func (s *Stream) LocalAddr() net.Addr { return linkAddress{} }

// RemoteAddr names the link; there is no address to give.
func (s *Stream) RemoteAddr() net.Addr { return linkAddress{} }

// SetDeadline does nothing: whoever needs a limit closes the stream.
func (s *Stream) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing, like SetDeadline.
func (s *Stream) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing, like SetDeadline.
func (s *Stream) SetWriteDeadline(time.Time) error { return nil }

type linkAddress struct{}

func (linkAddress) Network() string { return "link" }
func (linkAddress) String() string  { return "host" }
