// The network of a guest as a whole: none of it exists before the host enables it, or after the host disables it.

package network

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"

	"pyro/guest/internal/channel"
)

// ProxyPort is where programs of the guest find the proxy, on 127.0.0.1.
const ProxyPort = 3128

// Network switches the guest's network.
type Network struct {
	// ServePort opens the port to the host's egress and has the mux serve it in the background; it is called once.
	ServePort func(*channel.Mux) error
	// Catches tells that this is a guest, where connections of all programs are caught; otherwise there is the proxy alone.
	Catches bool
	// ResolvConf is the open file that stands in /etc; nil leaves it alone.
	ResolvConf *os.File

	mu     sync.Mutex
	mux    *channel.Mux
	link   *Link
	proxy  *net.TCPListener
	caught *caught
	owners owners
}

// Enable starts what is missing; later hellos of the port carry magic. It may be called again, after a restored
// snapshot or with another magic.
//
// The answer is where the proxy listens.
func (n *Network) Enable(magic [channel.PartBytes]byte) (proxy string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.enable(magic); err != nil {
		return "", err
	}
	return n.proxy.Addr().String(), nil
}

func (n *Network) enable(magic [channel.PartBytes]byte) error {
	if err := n.openLink(magic); err != nil {
		return err
	}
	if n.proxy == nil {
		listener, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: n.proxyPort()})
		if err != nil {
			return fmt.Errorf("listen for the proxy: %w", err)
		}
		n.proxy = listener
		go newProxy(n.link, n.owners.of).serve(listener)
	}
	if !n.Catches || n.caught != nil {
		return nil
	}
	known := newNames()
	var err error
	if n.caught, err = catch(n.link, known, &n.owners); err != nil {
		return err
	}
	return n.writeResolvConf("nameserver " + resolverAddress.String() + "\noptions timeout:5 attempts:2\n")
}

// proxyPort is any free one where several agents share a machine.
func (n *Network) proxyPort() int {
	if n.Catches {
		return ProxyPort
	}
	return 0
}

func (n *Network) openLink(magic [channel.PartBytes]byte) error {
	if n.mux != nil {
		n.mux.SetMagic(magic)
		return nil
	}
	if n.ServePort == nil {
		return errors.New("the machine has no network port")
	}
	mux := channel.NewMux(magic)
	if err := n.ServePort(mux); err != nil {
		return fmt.Errorf("open the network port: %w", err)
	}
	n.mux, n.link = mux, NewLink(mux)
	go n.link.Serve()
	return nil
}

// Disable ends the listeners; open connections end with the host's side. The port stays open, unused.
func (n *Network) Disable() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.proxy != nil {
		_ = n.proxy.Close()
		n.proxy = nil
	}
	if n.caught != nil {
		n.caught.close()
		n.caught = nil
		return n.writeResolvConf("")
	}
	return nil
}

func (n *Network) writeResolvConf(text string) error {
	if n.ResolvConf == nil {
		return nil
	}
	if err := n.ResolvConf.Truncate(0); err != nil {
		return err
	}
	_, err := n.ResolvConf.WriteAt([]byte(text), 0)
	return err
}
