package routing

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// Config is what a Router is built from.
type Config struct {
	Gateways []payment.Gateway // required, with distinct names
	Rules    []Rule            // the first that matches decides; at most 1000
	// Window is over how long the success rate is counted; default 10 minutes, at least 1 s.
	Window time.Duration
	// Trip is after how many calls in a row that were not processed, or whose outcome is
	// unknown, a circuit opens; default 5.
	Trip int
	// Cool is how long it stays open before one call is let through to try; default 30 s.
	Cool time.Duration
	// Decided, if set, hears of every decision, also of one whose transaction is then run
	// again or rolled back. It must not block.
	Decided func(payment.RouteRequest, payment.RouteDecision)
}

// Router implements payment.Router.
type Router struct {
	rules   []Rule
	watched []payment.Gateway
	health  map[string]*health
	can     map[string]payment.Capabilities
	decided func(payment.RouteRequest, payment.RouteDecision)
}

var _ payment.Router = (*Router)(nil)

// New builds a Router, or reports everything that is wrong at once: code invalid.
func New(c Config) (*Router, error) {
	c.Window, c.Trip, c.Cool = cmp.Or(c.Window, 10*time.Minute), cmp.Or(c.Trip, 5), cmp.Or(c.Cool, 30*time.Second)
	var errs []error
	refuse := func(field, why string) { errs = append(errs, hyperlocal.Invalid("routing", field, why)) }
	if len(c.Gateways) == 0 {
		refuse("gateways", "a router needs gateways")
	}
	if c.Window < time.Second {
		refuse("window", "success is counted over a second or more")
	}
	if c.Trip < 1 {
		refuse("trip", "a circuit opens after one failure or more")
	}
	if c.Cool < 0 {
		refuse("cool", "a circuit cannot stay open for less than nothing")
	}
	if len(c.Rules) > maxRules {
		refuse("rules", "at most 1000 rules")
	}
	r := &Router{
		rules: slices.Clone(c.Rules), decided: c.Decided,
		health: make(map[string]*health), can: make(map[string]payment.Capabilities),
	}
	for _, g := range c.Gateways {
		if g == nil {
			refuse("gateways", "a gateway is nil")
			continue
		}
		name := g.Name()
		if r.health[name] != nil {
			refuse("gateways", "two gateways have the same name: "+name)
			continue
		}
		h := newHealth(&c, name)
		r.health[name], r.can[name] = h, g.Capabilities()
		r.watched = append(r.watched, watch(g, h))
	}
	for i := range r.rules {
		errs = append(errs, r.rules[i].validate(func(gateway string) bool { return r.health[gateway] != nil }))
	}
	return r, errors.Join(errs...)
}

// Gateways returns the gateways, watched, in the order of Config: give them to the payment
// service.
func (r *Router) Gateways() []payment.Gateway { return slices.Clone(r.watched) }

// Route implements payment.Router.
func (r *Router) Route(q payment.RouteRequest) payment.RouteDecision {
	d := r.Explain(q)
	if r.decided != nil {
		r.decided(q, d)
	}
	return d
}

// Explain tells what Route would decide now, and why. It changes nothing.
func (r *Router) Explain(q payment.RouteRequest) payment.RouteDecision {
	i := slices.IndexFunc(r.rules, func(rule Rule) bool { return rule.matches(&q) })
	if i < 0 {
		return payment.RouteDecision{}
	}
	rule := &r.rules[i]
	now := hyperlocal.Stopwatch()
	d := payment.RouteDecision{Rule: rule.Name, Steps: make([]payment.RouteStep, 0, len(rule.Routes))}
	// The first way out that is closed to us only for a while, if all are.
	var spare *payment.RouteStep
	for _, c := range r.order(rule, &q, now) {
		step := payment.RouteStep{Gateway: c.Gateway, Why: c.why}
		until, open := r.health[c.Gateway].openUntil(now)
		switch {
		case d.Gateway != "":
			step.Why = "behind " + d.Gateway + "; " + c.why
		case !r.can[c.Gateway].Can(q.Verb):
			step.Why = "cannot " + string(q.Verb)
		case open:
			step.Why = "circuit open until " + until.UTC().Format(time.RFC3339) + "; " + c.why
		default:
			d.Gateway, step.Chosen = c.Gateway, true
		}
		d.Steps = append(d.Steps, step)
		if open && spare == nil && r.can[c.Gateway].Can(q.Verb) {
			spare = &d.Steps[len(d.Steps)-1]
		}
	}
	if d.Gateway == "" && spare != nil {
		d.Gateway, spare.Chosen, spare.Why = spare.Gateway, true, spare.Why+"; all circuits are open"
	}
	return d
}

// candidate is a route in its place, and what put it there.
type candidate struct {
	Route
	why  string
	rank int64 // the lowest comes first
}

func (r *Router) order(rule *Rule, q *payment.RouteRequest, now time.Time) []candidate {
	all := make([]candidate, len(rule.Routes))
	for i, route := range rule.Routes {
		all[i] = candidate{Route: route, why: "listed", rank: int64(i)}
	}
	switch rule.Prefer {
	case Cheapest:
		for i := range all {
			c := &all[i]
			if cost, ok := c.Cost.of(q.Amount); ok {
				c.rank, c.why = cost, fmt.Sprintf("costs %d minor units", cost)
			} else {
				c.rank, c.why = int64(^uint64(0)>>1), "cost unknown in this currency"
			}
		}
	case Successful:
		for i := range all {
			c := &all[i]
			succeeded, ended := r.health[c.Gateway].rate(now)
			c.rank = -1000 * (succeeded + 1) / (ended + 2)
			c.why = fmt.Sprintf("%d of %d succeeded", succeeded, ended)
		}
	case Weighted:
		draw(all, q)
	case Listed:
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(a.rank, b.rank) })
	return all
}

// draw orders routes as if they were drawn one after the other, in proportion to their weights,
// out of an urn that is the owner's own.
func draw(all []candidate, q *payment.RouteRequest) {
	for place := range all {
		total := 0
		for _, c := range all[place:] {
			total += c.Weight
		}
		at := place
		if total > 0 {
			h := fnv.New64a()
			_, _ = fmt.Fprintf(h, "%s\x00%s\x00%d", q.Tenant, q.Owner, place) // a hash takes everything
			for left := int(spread(h.Sum64()) % uint64(total)); ; at++ {      //nolint:gosec // total is positive and small
				if left -= all[at].Weight; left < 0 {
					break
				}
			}
		}
		c := all[at]
		c.why = fmt.Sprintf("weight %d", c.Weight)
		copy(all[place+1:at+1], all[place:at])
		all[place] = c
		all[place].rank = int64(place)
	}
}

// spread mixes the bits of a hash, whose lower ones FNV leaves alike for similar texts
// (the finalizer of MurmurHash3).
func spread(x uint64) uint64 {
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// Standing is how a gateway does.
type Standing struct {
	Gateway   string
	Succeeded int64     // charges and authorizations within the window that succeeded or wait for somebody
	Ended     int64     // all that ended within the window
	OpenUntil time.Time // zero while the circuit is closed
}

// Standings returns how the gateways do at the moment, in the order of Config.
func (r *Router) Standings() []Standing {
	now := hyperlocal.Stopwatch()
	out := make([]Standing, len(r.watched))
	for i, g := range r.watched {
		h := r.health[g.Name()]
		s := Standing{Gateway: g.Name()}
		s.Succeeded, s.Ended = h.rate(now)
		s.OpenUntil, _ = h.openUntil(now)
		out[i] = s
	}
	return out
}
