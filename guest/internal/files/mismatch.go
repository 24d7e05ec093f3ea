// Why a text to replace does not occur as often as expected: on which lines it is, or with which line endings.

package files

import (
	"bytes"
	"fmt"
	"strings"
)

// mostNamedLines bounds the lines that a refusal names.
const mostNamedLines = 20

// mismatch describes a content that has the old text count times, which is not as often as expected.
func mismatch(content, old []byte, count, expected int) string {
	said := fmt.Sprintf("has the text %d times, not %d", count, expected)
	if count > 0 {
		return said + ": " + linesOf(content, old, count)
	}
	if note := lineEnds(content, old); note != "" {
		return said + ": " + note
	}
	return said
}

// linesOf names the lines, counted from 1, on which each occurrence begins.
func linesOf(content, old []byte, count int) string {
	var numbers []string
	line, from := 1, 0
	for len(numbers) < mostNamedLines {
		at := bytes.Index(content[from:], old)
		if at < 0 {
			break
		}
		line += bytes.Count(content[from:from+at], []byte("\n"))
		numbers = append(numbers, fmt.Sprint(line))
		line += bytes.Count(old, []byte("\n"))
		from += at + len(old)
	}
	word := "lines "
	if count == 1 {
		word = "line "
	}
	said := word + strings.Join(numbers, ", ")
	if count > len(numbers) {
		said += fmt.Sprintf(" and %d more", count-len(numbers))
	}
	return said
}

// lineEnds says when the text would match with other line endings; empty when these are not the reason.
func lineEnds(content, old []byte) string {
	if !bytes.Contains(old, []byte("\n")) {
		return ""
	}
	plain := func(text []byte) []byte { return bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")) }
	plainContent, plainOld := plain(content), plain(old)
	found := bytes.Count(plainContent, plainOld)
	if found == 0 {
		return ""
	}
	where := linesOf(plainContent, plainOld, found)
	ends, total := bytes.Count(content, []byte("\r\n")), bytes.Count(content, []byte("\n"))
	switch {
	case ends == 0:
		return "the file has LF line endings and the text has CRLF; with LF it is there on " + where
	case ends == total:
		return `the file has CRLF line endings (\r\n); with these the text is there on ` + where
	default:
		return `the file has CRLF line endings (\r\n) on some lines and LF on others; with these the text is there on ` + where
	}
}
