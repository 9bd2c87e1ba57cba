package retail

import (
	"bytes"
	"unicode/utf8"
)

// Encoding is how a file spells its text.
type Encoding string

// The encodings that Read understands.
const (
	UTF8   Encoding = "utf-8"
	Latin1 Encoding = "latin-1"
)

// Byte-order marks.
const (
	utf8Mark    = "\xEF\xBB\xBF"
	utf16Little = "\xFF\xFE"
	utf16Big    = "\xFE\xFF"
)

// decode returns data as UTF-8 without its byte-order mark. Bytes that mean nothing in the
// detected encoding are left as invalid UTF-8, so that the rows that hold them, and no
// others, are reported. A carriage return without a line feed, the line end of old
// spreadsheets, becomes a line feed. data is the caller's no more.
//
// A mark decides. Without one, text that is not valid UTF-8 is Latin-1, unless it has more
// proper multi-byte characters than stray bytes: that is UTF-8 with damage, and reading it
// as Latin-1 would garble every accent of the file to save one.
func decode(data []byte) (text []byte, encoding Encoding, mark bool, err error) {
	endLines(data)
	switch {
	case bytes.HasPrefix(data, []byte(utf8Mark)):
		return data[len(utf8Mark):], UTF8, true, nil
	case bytes.HasPrefix(data, []byte(utf16Little)), bytes.HasPrefix(data, []byte(utf16Big)):
		return nil, "", true, ErrEncoding.With("encoding", "utf-16")
	case utf8.Valid(data):
		return data, UTF8, false, nil
	}
	proper, stray := census(data)
	if proper > stray {
		return data, UTF8, false, nil
	}
	return fromLatin1(data, stray+proper), Latin1, false, nil
}

// endLines turns every carriage return that no line feed follows into a line feed. In a quoted
// field it makes no difference, because white space of any kind becomes one space there.
func endLines(data []byte) {
	for at := 0; ; at++ {
		i := bytes.IndexByte(data[at:], '\r')
		if i < 0 {
			return
		}
		if at += i; at+1 == len(data) || data[at+1] != '\n' {
			data[at] = '\n'
		}
	}
}

// census counts the proper multi-byte characters of data and the bytes that belong to none.
func census(data []byte) (proper, stray int) {
	for i := 0; i < len(data); {
		if data[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			stray++
		} else {
			proper++
		}
		i += size
	}
	return proper, stray
}

// fromLatin1 decodes Latin-1 the way spreadsheets write it: the bytes 0x80 to 0x9F, control
// characters in ISO 8859-1, are the punctuation of Windows-1252 (as in the WHATWG Encoding
// Standard, https://encoding.spec.whatwg.org/#windows-1252). The five bytes that are empty
// there stay as they are.
func fromLatin1(data []byte, accents int) []byte {
	out := make([]byte, 0, len(data)+2*accents)
	for _, b := range data {
		if r, known := latin1(b); known {
			out = utf8.AppendRune(out, r)
		} else {
			out = append(out, b)
		}
	}
	return out
}

// latin1 returns the character of a byte, and false for the five that have none.
func latin1(b byte) (r rune, known bool) {
	if b < 0x80 || b >= 0xA0 {
		return rune(b), true
	}
	windows1252 := [...]rune{ // a blank means none
		'€', ' ', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', ' ', 'Ž', ' ',
		' ', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', ' ', 'ž', 'Ÿ',
	}
	r = windows1252[b-0x80]
	return r, r != ' '
}
