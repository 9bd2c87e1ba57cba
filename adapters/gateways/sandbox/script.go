package sandbox

import (
	"strconv"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Call is what a [Config.Script] decides on.
type Call struct {
	Verb    hyperlocal.PaymentVerb // or VerbLookup
	Tenant  hyperlocal.TenantID
	Intent  string
	Key     string
	Attempt int
	Amount  hyperlocal.Money
	Method  string // of the charge or authorization, if it is known
	N       int    // how often this process was asked this (verb, key), from 1
}

// VerbLookup stands for a lookup in scripts: "lookup=provider_down:2" fails two lookups.
const VerbLookup hyperlocal.PaymentVerb = "lookup"

// plan is what a method's steps mean for one verb.
type plan struct {
	decline                        hyperlocal.DeclineClass
	declines                       int // attempts that are declined; 0 for all
	refusal                        hyperlocal.DeclineClass
	refusals                       int // attempts that are refused; 0 for all
	loseAnswer                     bool
	loseRequests                   int
	delay                          time.Duration
	action, pending                bool
	after                          time.Duration // pending becomes a success then; 0 for never
	duplicate, reorder, contradict bool
	late, never                    bool
}

const maxDelay = time.Hour

// parsePlan reads the steps of a method that are for the verb. It reports false for a method
// that it does not understand, whichever verb the odd step is for.
func parsePlan(method string, verb hyperlocal.PaymentVerb) (plan, bool) {
	var p plan
	if method == "" {
		return p, true
	}
	for step := range strings.SplitSeq(method, ",") {
		name, rest, prefixed := strings.Cut(step, "=")
		mine := verb == hyperlocal.VerbCharge || verb == hyperlocal.VerbAuthorize
		if prefixed {
			switch v := hyperlocal.PaymentVerb(name); v {
			case hyperlocal.VerbCharge, hyperlocal.VerbAuthorize, hyperlocal.VerbCapture, hyperlocal.VerbVoid,
				hyperlocal.VerbRefund, VerbLookup:
				mine = v == verb
			default:
				return p, false
			}
			step = rest
		}
		into := &plan{}
		if mine {
			into = &p
		}
		if !into.step(strings.Split(step, ":")) {
			return p, false
		}
	}
	return p, true
}

func (p *plan) step(words []string) bool {
	word := func(i int) string {
		if i < len(words) {
			return words[i]
		}
		return ""
	}
	number := func(i, fallback int) (int, bool) {
		if i >= len(words) {
			return fallback, true
		}
		n, err := strconv.Atoi(words[i])
		return n, err == nil && n > 0 && n <= 1000 && i == len(words)-1
	}
	span := func(i int) (time.Duration, bool) {
		d, err := time.ParseDuration(word(i))
		return d, err == nil && d > 0 && i == len(words)-1
	}
	ok := len(words) <= 3
	switch words[0] {
	case "ok":
		return len(words) == 1
	case "decline":
		p.decline = hyperlocal.DeclineClass(word(1))
		switch p.decline {
		case hyperlocal.DeclineHard, hyperlocal.DeclineSoft, hyperlocal.DeclineInvalid:
		default:
			return false
		}
		if p.declines, ok = number(2, 0); !ok {
			return false
		}
	case "rate_limited", "provider_down":
		p.refusal = hyperlocal.DeclineClass(words[0])
		p.refusals, ok = number(1, 0)
	case "timeout":
		switch word(1) {
		case "after":
			p.loseAnswer, ok = true, len(words) == 2
		case "before":
			p.loseRequests, ok = number(2, 1)
		default:
			return false
		}
	case "delay":
		p.delay, ok = span(1)
		ok = ok && p.delay <= maxDelay
	case "action":
		p.action, ok = true, len(words) == 1
	case "pending":
		p.pending = true
		if len(words) > 1 {
			p.after, ok = span(1)
		}
	case "webhook":
		ok = len(words) == 2
		switch word(1) {
		case "duplicate":
			p.duplicate = true
		case "reorder":
			p.reorder = true
		case "contradict":
			p.contradict = true
		case "late":
			p.late = true
		case "never":
			p.never = true
		default:
			return false
		}
	default:
		return false
	}
	return ok
}
