package catalog

import (
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// maxTitleKey bounds a title key, in characters, so that it fits into an index.
const maxTitleKey = 200

// lastRune is above every character that a title key holds.
const lastRune = "\U0010FFFF"

// TitleKey returns the form of a title in which titles are compared and sorted, byte by byte:
// without regard to case and to how accents are encoded. It is for stores.
func TitleKey(title string) string {
	key := norm.NFC.String(cases.Fold().String(norm.NFC.String(title)))
	key = strings.ReplaceAll(key, lastRune, "\uFFFD")
	n := 0
	for i := range key {
		if n == maxTitleKey {
			return key[:i]
		}
		n++
	}
	return key
}

// TitleKeyEnd returns the text that is above all title keys that begin with prefix, itself a
// title key, and below all others that follow them. It is for stores.
func TitleKeyEnd(prefix string) string { return prefix + lastRune }
