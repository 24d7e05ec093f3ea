// Probes: whether a service in the guest answers yet, checked from inside and without any program of the image.

// Package probe looks once whether something in the guest is ready.
package probe

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// within bounds one probe.
const within = 2 * time.Second

// Request names what to probe: exactly one of the three.
type Request struct {
	// TCP is HOST:PORT; no host is the guest itself.
	TCP string `json:"tcp,omitempty"`
	// HTTP is a URL; any answer below 400 is ready.
	HTTP string `json:"http,omitempty"`
	// File is the absolute path of what must exist.
	File string `json:"file,omitempty"`
}

// Answer says what was seen.
type Answer struct {
	Ready  bool   `json:"ready"`
	Detail string `json:"detail"`
}

// Check says what is wrong with a request; empty when nothing is.
func (r Request) Check() string {
	given := 0
	for _, text := range []string{r.TCP, r.HTTP, r.File} {
		if text != "" {
			given++
		}
	}
	if given != 1 {
		return "exactly one of tcp, http and file must be given"
	}
	if r.File != "" && r.File[0] != '/' {
		return "file must be absolute"
	}
	if r.TCP != "" {
		if _, _, err := net.SplitHostPort(r.TCP); err != nil {
			return "tcp must be HOST:PORT"
		}
	}
	if r.HTTP != "" {
		address, err := url.Parse(r.HTTP)
		if err != nil || (address.Scheme != "http" && address.Scheme != "https") || address.Host == "" {
			return "http must be an http or https URL"
		}
	}
	return ""
}

// Look probes once, for at most two seconds.
func Look(ctx context.Context, r Request) Answer {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var seen string
	var err error
	switch {
	case r.File != "":
		seen, err = lookAtFile(r.File)
	case r.TCP != "":
		seen, err = lookAtPort(ctx, r.TCP)
	default:
		seen, err = lookAtURL(ctx, r.HTTP)
	}
	if err != nil {
		return Answer{Detail: shorten(err.Error())}
	}
	return Answer{Ready: true, Detail: seen}
}

func lookAtFile(path string) (string, error) {
	if _, err := os.Stat(path); err != nil {
		return "", err
	}
	return "exists", nil
}

func lookAtPort(ctx context.Context, address string) (string, error) {
	conn, err := dial(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	_ = conn.Close()
	return "accepts connections", nil
}

func lookAtURL(ctx context.Context, address string) (string, error) {
	transport := &http.Transport{
		// The probe asks whether something answers, not who it is; a service's certificate is its own business.
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		DialContext:       dial,
		DisableKeepAlives: true,
	}
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	answer, err := client.Do(request)
	if err != nil {
		return "", err
	}
	_ = answer.Body.Close()
	if answer.StatusCode >= http.StatusBadRequest {
		return "", fmt.Errorf("status %d", answer.StatusCode)
	}
	return fmt.Sprintf("status %d", answer.StatusCode), nil
}

// dial knows localhost without a resolver: an image may have no /etc/hosts.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	var dialer net.Dialer
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if host != "" && !strings.EqualFold(host, "localhost") {
		return dialer.DialContext(ctx, network, address)
	}
	conn, first := dialer.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	if first == nil {
		return conn, nil
	}
	conn, err = dialer.DialContext(ctx, network, net.JoinHostPort("::1", port))
	if err != nil {
		return nil, first
	}
	return conn, nil
}

func shorten(text string) string {
	if len(text) > 300 {
		text = text[:300]
	}
	return strings.ToValidUTF8(text, "�")
}
