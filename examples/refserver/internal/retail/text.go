package retail

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Shorten returns the part of a text that has at most limit bytes and ends with a whole
// character that is no blank.
func Shorten(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return strings.TrimSpace(text[:limit])
}

// oneLine replaces every run of white space, line ends included, by one space.
func oneLine(b []byte) []byte {
	space := false
	for _, c := range b {
		plain := c != '\t' && c != '\n' && c != '\r' && (c != ' ' || !space)
		if !plain {
			return bytes.Join(bytes.Fields(b), []byte{' '})
		}
		space = c == ' '
	}
	return b
}

// ascii reports whether b is nothing but printable ASCII, which most of a file is.
func ascii(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c >= 0x7F {
			return false
		}
	}
	return true
}

// keepTitle returns a description as it can be kept: on one line, without control characters,
// and not longer than maxTitle. Bytes that are no UTF-8 are read as Latin-1. It reports
// whether anything but white space had to give way.
func keepTitle(b []byte) (text []byte, changed bool) {
	if text = oneLine(b); ascii(text) && len(text) <= maxTitle {
		return text, false
	}
	stray := !utf8.Valid(text)
	if stray {
		text = strayLatin1(text)
	}
	kept := bytes.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, text)
	short := Shorten(string(oneLine(bytes.TrimSpace(kept))), maxTitle)
	return []byte(short), stray || len(short) != len(text)
}

// strayLatin1 reads the bytes of b that are no UTF-8 as Latin-1. Those that mean nothing
// there either are left out.
func strayLatin1(b []byte) []byte {
	out := make([]byte, 0, len(b)+utf8.UTFMax)
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r != utf8.RuneError || size > 1 {
			out = append(out, b[:size]...)
		} else if r, known := latin1(b[0]); known {
			out = utf8.AppendRune(out, r)
		}
		b = b[size:]
	}
	return out
}

// contentProblem returns the reason for which a field cannot be kept, or "": it is too long,
// not text, or has a control character. White space is no control character.
func contentProblem(b []byte, bound int) string {
	switch {
	case len(b) > bound:
		return ReasonFieldTooLong
	case ascii(b):
		return ""
	case !utf8.Valid(b):
		return ReasonEncoding
	}
	for _, r := range string(b) {
		if unicode.IsControl(r) && r != '\t' && r != '\n' && r != '\r' {
			return ReasonControlCharacter
		}
	}
	return ""
}
