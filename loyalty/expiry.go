package loyalty

import (
	"strconv"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Limits of an expiry: a hundred years.
const (
	MaxExpiryMonths = 1200
	MaxExpiryDays   = 36_525
)

// Expiry is how long points live. The zero value is for ever.
type Expiry struct{ months, days int }

// ParseExpiry reads "never", or a count from 1 and a unit: "12 months", "1 month", "90 days",
// "1 day". Anything else is refused with code invalid, reason "loyalty/invalid_expiry".
func ParseExpiry(text string) (Expiry, error) {
	if text == "never" {
		return Expiry{}, nil
	}
	bad := hyperlocal.Invalid("loyalty", "expiry", `an expiry is "never", or a count and a unit, such as "12 months" or "90 days"`)
	count, unit, _ := strings.Cut(text, " ")
	n, err := strconv.Atoi(count)
	if err != nil || n < 1 || strconv.Itoa(n) != count {
		return Expiry{}, bad
	}
	e := Expiry{months: n}
	if strings.HasPrefix(unit, "day") {
		e = Expiry{days: n}
	}
	// Each expiry has one spelling: "1 day", not "1 days".
	if e.months > MaxExpiryMonths || e.days > MaxExpiryDays || e.String() != text {
		return Expiry{}, bad
	}
	return e, nil
}

// String is the inverse of ParseExpiry.
func (e Expiry) String() string {
	n, unit := e.months, " month"
	switch {
	case e == Expiry{}:
		return "never"
	case e.days > 0:
		n, unit = e.days, " day"
	}
	if n > 1 {
		unit += "s"
	}
	return strconv.Itoa(n) + unit
}

// After returns when points that become active at a moment expire, in UTC; the zero time for
// never. A month later is the same day of the month at the same time, or the month's last day
// where it is shorter: 31 January and a month is 28 or 29 February.
func (e Expiry) After(active time.Time) time.Time {
	active = hyperlocal.Instant(active)
	switch {
	case e.days > 0:
		return active.AddDate(0, 0, e.days)
	case e.months == 0:
		return time.Time{}
	}
	later := active.AddDate(0, e.months, 0)
	if later.Day() != active.Day() {
		later = later.AddDate(0, 0, -later.Day()) // it ran over into the month behind
	}
	return later
}
