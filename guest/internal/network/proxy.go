// The proxy for programs that know one: HTTP and SOCKS5 on the same port, told apart by the first byte.

package network

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// headWait bounds the time a program may take to send its request.
	headWait     = 30 * time.Second
	mostHead     = 64 << 10
	mostClients  = 512
	idleUpstream = 30 * time.Second
)

// proxy serves one listener.
type proxy struct {
	link   *Link
	owner  func(net.Conn) string
	web    *http.Server
	conns  *connListener
	client *http.Transport
}

type (
	ownerKey struct{}
	connKey  struct{}
	// askedKey holds what a forwarded request sets once it asks for a connection.
	askedKey struct{}
)

func newProxy(link *Link, owner func(net.Conn) string) *proxy {
	p := &proxy{link: link, owner: owner, conns: newConnListener()}
	p.client = &http.Transport{
		DisableCompression:  true,
		MaxIdleConnsPerHost: 8,
		IdleConnTimeout:     idleUpstream,
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			process, _ := ctx.Value(ownerKey{}).(string)
			return link.Dial(ctx, address, process)
		},
	}
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL, r.Out.Host = r.In.URL, r.In.URL.Host
			r.Out.Header.Del("Proxy-Authorization")
			r.Out.Header.Del("Proxy-Connection")
		},
		Transport:     p.client,
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0),
		ErrorHandler:  p.forwardFailed,
	}
	p.web = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if conn, ok := r.Context().Value(connKey{}).(*peekedConn); ok {
				conn.isAnswered()
			}
			switch {
			case r.Method == http.MethodConnect && r.URL.User == nil && r.URL.Path == "" && r.URL.RawQuery == "":
				p.connect(w, r)
			case r.URL.Scheme == "http" && r.URL.Host != "" && r.URL.User == nil:
				forward.ServeHTTP(w, watched(r))
			default:
				p.refuse(r)
				http.Error(w, "this is a proxy: ask it for an http:// address, or CONNECT host:port", http.StatusBadRequest)
			}
		}),
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			peeked, ok := conn.(*peekedConn)
			if !ok {
				return ctx
			}
			peeked.watch(func(said string) { link.reports.noteFirst(kindMalformed, said, peeked.process) })
			return context.WithValue(context.WithValue(ctx, connKey{}, peeked), ownerKey{}, peeked.process)
		},
		ConnState: func(conn net.Conn, state http.ConnState) {
			if conn, ok := conn.(*peekedConn); ok {
				conn.becomes(state)
			}
		},
		// It would answer OPTIONS * itself.
		DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout:            headWait,
		IdleTimeout:                  2 * time.Minute,
		MaxHeaderBytes:               mostHead,
		ErrorLog:                     log.New(io.Discard, "", 0),
	}
	return p
}

// serve accepts until the listener is closed.
func (p *proxy) serve(listener *net.TCPListener) {
	go func() { _ = p.web.Serve(p.conns) }()
	room := make(chan struct{}, mostClients)
	for {
		conn, err := listener.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			_ = p.web.Close()
			p.client.CloseIdleConnections()
			return
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		select {
		case room <- struct{}{}:
			go func() {
				defer func() { <-room }()
				p.sort(conn)
			}()
		default:
			// Too many connections without a request.
			p.link.reports.note(kindTooMany, "the proxy", "")
			reset(conn)
		}
	}
}

// sort hands a connection to the protocol that its first byte shows.
func (p *proxy) sort(conn *net.TCPConn) {
	_ = conn.SetReadDeadline(time.Now().Add(headWait))
	in := bufio.NewReader(conn)
	first, err := in.Peek(1)
	switch {
	case err != nil:
		_ = conn.Close()
	case first[0] == socksVersion:
		p.socks(conn, in)
	default:
		// Looked for here, where those that come at once share a search: the server takes one after the other.
		p.conns.give(&peekedConn{TCPConn: conn, in: in, process: p.owner(conn)})
	}
}

// refuse reports a request that the proxy does not serve.
func (p *proxy) refuse(r *http.Request) {
	process, _ := r.Context().Value(ownerKey{}).(string)
	p.link.reports.noteFirst(kindUnsupported, describeRequest(r.Method+" "+r.RequestURI), process)
}

// watched notices when a request asks for a connection: from there on the host knows of it.
func watched(r *http.Request) *http.Request {
	asked := &atomic.Bool{}
	ctx := context.WithValue(r.Context(), askedKey{}, asked)
	trace := &httptrace.ClientTrace{GetConn: func(string) { asked.Store(true) }}
	return r.WithContext(httptrace.WithClientTrace(ctx, trace))
}

func (p *proxy) forwardFailed(w http.ResponseWriter, r *http.Request, err error) {
	if asked, ok := r.Context().Value(askedKey{}).(*atomic.Bool); ok && !asked.Load() {
		p.refuse(r)
	}
	refuseWeb(w, err)
}

func (p *proxy) connect(w http.ResponseWriter, r *http.Request) {
	// Host is what stood behind CONNECT; a Host header that says something else has no say.
	process, _ := r.Context().Value(ownerKey{}).(string)
	// A program that has said all it has to say before the answer is there looks to the server like one that has gone.
	stream, err := p.link.Dial(context.WithoutCancel(r.Context()), r.URL.Host, process)
	if err != nil {
		refuseWeb(w, err)
		return
	}
	raw, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = stream.Close()
		return
	}
	conn, ok := raw.(*peekedConn)
	if !ok {
		_ = stream.Close()
		return
	}
	_ = conn.SetDeadline(time.Time{})
	if _, err := conn.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n")); err != nil {
		_ = stream.Close()
		_ = conn.Close()
		return
	}
	relay(conn.TCPConn, buffered.Reader, stream)
}

// refuseWeb gives the reason in one line that the program may show.
func refuseWeb(w http.ResponseWriter, err error) {
	status, reason := http.StatusBadGateway, err.Error()
	var refused *Refused
	if errors.As(err, &refused) {
		status, reason = refused.Status, refused.Reason
	}
	w.Header().Set("Connection", "close")
	w.Header().Set("X-Pyro-Refused", strings.Map(printable, reason))
	http.Error(w, "pyro: "+reason, status)
}

func printable(r rune) rune {
	if r < ' ' || r > '~' {
		return '?'
	}
	return r
}
