package order

import (
	"strconv"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// numberLetters is the length of the random part of an order number. Eight letters out of 29
// make a collision within one day's orders of one tenant a matter of 1 to 10,000 at 10,000
// orders; it is then drawn again.
const numberLetters = 8

// newNumber draws a number for people: the day of the placement and random letters that
// nobody confuses, such as 250314K7XM2PQA.
func newNumber(ids hyperlocal.IDSource, placed time.Time) string {
	b := placed.UTC().AppendFormat(make([]byte, 0, 32), "060102")
	return string(append(b, ids.Letters(numberLetters, hyperlocal.UnambiguousAlphabet)...))
}

func number(n int64) string { return strconv.FormatInt(n, 10) }
