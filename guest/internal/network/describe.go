// What a report says of a request: what it asks for, and no more.

package network

import "strings"

// describeRequest tells what a request line asks for. Paths and credentials stay out: the log lies on a disk.
func describeRequest(line string) string {
	method, rest, ok := strings.Cut(line, " ")
	target, _, _ := strings.Cut(rest, " ")
	if !ok || !isMethod(method) {
		return ""
	}
	scheme, authority, ok := strings.Cut(target, "://")
	if !ok {
		scheme, authority = "", target
	}
	if at := strings.IndexAny(authority, "/?#"); at >= 0 {
		authority = authority[:at]
	}
	authority = authority[strings.LastIndexByte(authority, '@')+1:]
	if scheme != "" {
		authority = scheme + "://" + authority
	}
	if authority == "" && strings.HasPrefix(target, "/") {
		authority = "/"
	}
	return method + " " + authority
}

func isMethod(word string) bool {
	for _, c := range word {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return word != "" && len(word) < 20
}

// describeHead describes bytes that are not a request.
func describeHead(head []byte) string {
	line, _, _ := strings.Cut(string(head), "\n")
	if said := describeRequest(strings.TrimRight(line, "\r")); said != "" {
		return said
	}
	switch {
	case len(head) == 0:
		return "a request after another one"
	case head[0] == 4:
		return "SOCKS4"
	case head[0] == 22:
		return "TLS"
	}
	return "bytes that are not a request"
}
