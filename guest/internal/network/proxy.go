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
	"net/http/httputil"
	"strings"
	"time"
)

const (
	// headWait bounds the time a program may take to say what it wants.
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

type ownerKey struct{}

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
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, err error) { refuseWeb(w, err) },
	}
	p.web = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodConnect:
				p.connect(w, r)
			case r.URL.Scheme == "http" && r.URL.Host != "" && r.URL.User == nil:
				forward.ServeHTTP(w, r)
			default:
				http.Error(w, "this is a proxy: ask it for an http:// address, or CONNECT host:port", http.StatusBadRequest)
			}
		}),
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, ownerKey{}, owner(conn))
		},
		ReadHeaderTimeout: headWait,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    mostHead,
		ErrorLog:          log.New(io.Discard, "", 0),
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
			// Too many that have not said what they want.
			reset(conn)
		}
	}
}

// sort hands a connection to the protocol of its first byte.
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
		p.conns.give(&peekedConn{TCPConn: conn, in: in})
	}
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

// refuseWeb says why not, in one line that the program may show.
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

// peekedConn is a connection of which the first bytes have been read.
type peekedConn struct {
	*net.TCPConn
	in *bufio.Reader
}

func (c *peekedConn) Read(p []byte) (int, error) { return c.in.Read(p) }

// connListener hands connections to a server.
type connListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newConnListener() *connListener {
	return &connListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *connListener) give(conn net.Conn) {
	select {
	case l.conns <- conn:
	case <-l.closed:
		_ = conn.Close()
	}
}

func (l *connListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close is called once, by the server.
func (l *connListener) Close() error {
	close(l.closed)
	return nil
}

func (l *connListener) Addr() net.Addr { return linkAddress{} }
