// Routes of the network: switching it, and connections from the host to services of the guest.

package server

import (
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"pyro/guest/internal/channel"
)

const (
	dialWait = 10 * time.Second
	// longestPiece is what one piece of a connection holds at most, in bytes.
	longestPiece = 64 << 10
)

type networkRequest struct {
	Enabled bool `json:"enabled"`
	// Magic is the secret of hellos on the network port.
	Magic []byte `json:"magic,omitempty"`
}

type networkAnswer struct {
	// Proxy is the proxy's address in the guest; empty when the network is off.
	Proxy string `json:"proxy"`
}

func (a *Agent) setNetwork(w http.ResponseWriter, r *http.Request) {
	var request networkRequest
	if !decode(w, r, &request) {
		return
	}
	if request.Enabled && len(request.Magic) != channel.PartBytes {
		refuse(w, http.StatusBadRequest, "invalid_request", "magic must be 16 bytes")
		return
	}
	var proxy string
	var err error
	if request.Enabled {
		proxy, err = a.Network.Enable([channel.PartBytes]byte(request.Magic))
	} else {
		err = a.Network.Disable()
	}
	if err != nil {
		refuse(w, http.StatusConflict, "network_failed", err.Error())
		return
	}
	answer(w, networkAnswer{proxy})
}

// connect joins a stream of the host with a port of the guest's loopback. What comes from the service goes in pieces
// with their length before them, and an empty piece for its end: an answer cannot end before its request does.
func (a *Agent) connect(w http.ResponseWriter, r *http.Request) {
	port, err := strconv.ParseUint(r.URL.Query().Get("port"), 10, 16)
	if err != nil || port == 0 {
		refuse(w, http.StatusBadRequest, "invalid_request", "port must be 1 to 65535")
		return
	}
	dialer := net.Dialer{Timeout: dialWait}
	raw, err := dialer.DialContext(r.Context(), "tcp", net.JoinHostPort("localhost", strconv.FormatUint(port, 10)))
	if err != nil {
		refuse(w, http.StatusBadGateway, "connection_refused", err.Error())
		return
	}
	defer raw.Close()
	conn, ok := raw.(*net.TCPConn)
	if !ok {
		panic("the connection is not TCP")
	}
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	upstream := make(chan struct{})
	go func() {
		defer close(upstream)
		if _, err := io.Copy(conn, r.Body); err != nil {
			// The host has gone, or the service has: either breaks the other direction too.
			_ = conn.SetLinger(0)
			_ = conn.Close()
			return
		}
		_ = conn.CloseWrite()
	}()
	if err := sendPieces(w, conn); err != nil {
		_ = conn.Close()
		panic(http.ErrAbortHandler)
	}
	<-upstream
}

func sendPieces(w http.ResponseWriter, from io.Reader) error {
	piece := make([]byte, 4+longestPiece)
	for {
		n, err := from.Read(piece[4:])
		if n > 0 || err == io.EOF {
			binary.BigEndian.PutUint32(piece, uint32(n))
			if _, err := w.Write(piece[:4+n]); err != nil {
				return err
			}
			if err := http.NewResponseController(w).Flush(); err != nil {
				return err
			}
			if n == 0 {
				return nil
			}
		}
		if err != nil && err != io.EOF {
			return err
		}
	}
}
