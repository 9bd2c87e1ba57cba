package retail

import (
	"bytes"
	"strings"
	"time"
)

// The years that the SDK can store, and the first of the two-digit years that belong to the
// last century: what lies before it could not be stored.
const (
	firstYear = 1970
	lastYear  = 9999
	pivotYear = 70
)

// parseDate reads "d/m/yyyy", "m/d/yyyy" or "yyyy-mm-dd", each with or without a time behind
// blanks or a T. The separators of the date may be / or - or a point. A year of two digits
// lies between 1970 and 2069. The time is "hh:mm" or "hh:mm:ss", with or without a fraction,
// which is dropped, AM or PM, and a Z or an offset such as +01:00. Without one, a file says
// nothing about its time zone, so the clock on its wall is taken as UTC.
func parseDate(b []byte, order DateOrder) (time.Time, bool) {
	p := dateParser{rest: b}
	year, month, day := p.date(order)
	var c clock
	if !p.bad && len(p.rest) > 0 {
		c = p.clock()
	}
	at := time.Date(year, time.Month(month), day, c.hour, c.minute, c.second, 0, time.UTC)
	// time.Date normalises what does not exist, such as 31 April or 25 o'clock.
	exists := at.Year() == year && at.Month() == time.Month(month) && at.Day() == day &&
		at.Hour() == c.hour && at.Minute() == c.minute && at.Second() == c.second
	at = at.Add(-c.offset)
	if p.bad || len(p.rest) > 0 || !exists || at.Year() < firstYear || at.Year() > lastYear {
		return time.Time{}, false
	}
	return at, true
}

// clock is the time of a date.
type clock struct {
	hour, minute, second int
	offset               time.Duration // east of UTC
}

// dateParser eats a date from the left and remembers that it once did not fit.
type dateParser struct {
	rest []byte
	bad  bool
}

func (p *dateParser) date(order DateOrder) (year, month, day int) {
	if digitsEnd(p.rest) == 4 {
		year = p.number(4, 4)
		p.oneOf(separators)
		month = p.number(1, 2)
		p.oneOf(separators)
		return year, month, p.number(1, 2)
	}
	day = p.number(1, 2)
	p.oneOf(separators)
	month = p.number(1, 2)
	p.oneOf(separators)
	if digitsEnd(p.rest) == 2 {
		if year = p.number(2, 2); year < pivotYear {
			year += 100
		}
		year += 1900
	} else {
		year = p.number(4, 4)
	}
	if order == MonFirst {
		return year, day, month
	}
	return year, month, day
}

const separators = "/-."

func (p *dateParser) clock() (c clock) {
	if p.rest[0] == 'T' {
		p.rest = p.rest[1:]
	} else {
		p.oneOf(" ")
		p.blanks()
	}
	c.hour = p.number(1, 2)
	p.oneOf(":")
	c.minute = p.number(2, 2)
	if p.skip(":") {
		c.second = p.number(2, 2)
		if p.skip(".,") {
			p.number(1, 9)
		}
	}
	p.blanks()
	if half := halfOfDay(p.rest); half != 0 {
		p.rest = p.rest[2:]
		p.bad = p.bad || c.hour < 1 || c.hour > 12
		if c.hour %= 12; half == 'p' {
			c.hour += 12
		}
		return c
	}
	if len(p.rest) == 0 || p.skip("Z") {
		return c
	}
	west := p.rest[0] == '-'
	p.oneOf("+-")
	var hours, minutes int
	if digitsEnd(p.rest) == 4 {
		hours = p.number(4, 4)
		hours, minutes = hours/100, hours%100
	} else {
		hours = p.number(2, 2)
		p.oneOf(":")
		minutes = p.number(2, 2)
	}
	p.bad = p.bad || hours > 14 || minutes > 59
	c.offset = time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if west {
		c.offset = -c.offset
	}
	return c
}

// halfOfDay returns 'a' or 'p' for what is AM or PM, in any case, and 0 for anything else.
func halfOfDay(b []byte) byte {
	switch string(bytes.ToLower(b)) {
	case "am":
		return 'a'
	case "pm":
		return 'p'
	}
	return 0
}

func (p *dateParser) number(least, most int) int {
	n := digitsEnd(p.rest)
	if n < least || n > most {
		p.bad = true
		return 0
	}
	v := 0
	for _, c := range p.rest[:n] {
		v = v*10 + int(c-'0')
	}
	p.rest = p.rest[n:]
	return v
}

func (p *dateParser) oneOf(set string) {
	if !p.skip(set) {
		p.bad = true
	}
}

func (p *dateParser) skip(set string) bool {
	if len(p.rest) == 0 || strings.IndexByte(set, p.rest[0]) < 0 {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

// blanks eats blanks, also the ones that do not break, which stand before AM and PM.
func (p *dateParser) blanks() { p.rest = bytes.TrimLeft(p.rest, " \u00a0\u202f") }

// dateCensus finds the order of day and month by what the dates of a file say together.
type dateCensus struct {
	dayFirst, monthFirst int      // dates that prove it: a month is at most 12
	halves               int      // dates on a clock of twelve hours
	first, second        [13]bool // the numbers that stand in either place
	last                 string   // mostly the next one is the same
}

func (c *dateCensus) add(b []byte) {
	if len(b) == 0 || string(b) == c.last {
		return
	}
	c.last = string(b)
	p := dateParser{rest: b}
	x := p.number(1, 2)
	p.oneOf(separators)
	y := p.number(1, 2)
	p.oneOf(separators)
	switch {
	case p.bad:
	case x > 12 && y <= 12:
		c.dayFirst++
	case y > 12 && x <= 12:
		c.monthFirst++
	case x <= 12 && y <= 12:
		c.first[x], c.second[y] = true, true
		if halfOfDay(b[max(0, len(b)-2):]) != 0 {
			c.halves++
		}
	}
}

// few is how many days there have to be for their variety to say which number is the day.
const few = 3

// order is the one that more dates prove. Without a proof, the number that never changes
// while the other does is the month: nobody trades on the twelfth of every month only. A clock of
// twelve hours comes with the month first. Without any of this the day comes first.
func (c *dateCensus) order() DateOrder {
	x, y := variety(c.first), variety(c.second)
	switch {
	case c.monthFirst != c.dayFirst:
		if c.monthFirst > c.dayFirst {
			return MonFirst
		}
	case c.dayFirst > 0:
	case x == 1 && y >= few:
		return MonFirst
	case y == 1 && x >= few:
	case c.halves > 0:
		return MonFirst
	}
	return DayFirst
}

func variety(seen [13]bool) (n int) {
	for _, s := range seen {
		if s {
			n++
		}
	}
	return n
}
