package paymenttest

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// Harness is a fresh database with a store in it. Nothing else writes to it.
type Harness struct {
	Store  payment.Store
	Tx     hyperlocal.TxRunner
	Outbox hyperlocal.Outbox
	// OpenBank makes a gateway that understands the sandbox's method tokens, by the clock.
	// deliver takes its webhooks, signed for the tenant.
	OpenBank func(t *testing.T, clock hyperlocal.Clock, deliver Deliver, without Without) Bank
	// Intake, if set, is what services gather with.
	Intake *payment.Intake
	// Slow: every commit waits for a disk, so the longest case makes do with fewer rounds.
	Slow bool
}

// Deliver takes a webhook.
type Deliver func(ctx context.Context, tenant hyperlocal.TenantID, gateway string, headers map[string][]string, body []byte) error

// Without lists abilities that the bank shall lack.
type Without struct {
	PartialCapture, MultiCapture, PartialRefund bool
	KeyLifetime                                 time.Duration
}

// Bank is the outside world: a gateway and what really happened there.
type Bank struct {
	Gateway payment.Gateway
	// Moved returns what succeeded at the bank, for one tenant.
	Moved func(ctx context.Context, tenant hyperlocal.TenantID) ([]Moved, error)
	// Complete ends a pending request, or one that waits for the shopper.
	Complete func(ctx context.Context, tenant hyperlocal.TenantID, key string, success bool) error
	// Flush sends the webhooks that were kept back.
	Flush func(ctx context.Context) error
	// Sign signs a body as the bank would at the given time.
	Sign func(at time.Time, body []byte) map[string][]string
}

// Moved is one request that succeeded at the bank.
type Moved struct {
	Key    string
	Intent string
	Verb   hyperlocal.PaymentVerb
	Amount hyperlocal.Money
}

// Run runs the whole kit. newHarness is called once per case.
func Run(t *testing.T, newHarness func(t *testing.T) Harness) {
	t.Helper()
	for _, group := range []struct {
		name  string
		cases []testCase
	}{
		{"store", storeCases()},
		{"lease", leaseCases()},
		{"pages", pageCases()},
		{"moved", movedCases()},
		{"pay", payCases()},
		{"hold", holdCases()},
		{"refund", refundCases()},
		{"shared", sharedCases()},
		{"janitor", janitorCases()},
		{"put off", putOffCases()},
		{"webhook", webhookCases()},
		{"faults", faultCases()},
		{"intake", intakeCases()},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, c := range group.cases {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					c.run(t, newHarness(t))
				})
			}
		})
	}
}

type testCase struct {
	name string
	run  func(t *testing.T, h Harness)
}

const (
	tenant = hyperlocal.TenantID("shop")
	other  = hyperlocal.TenantID("shop-2")
)

var (
	shopper = hyperlocal.Actor{Kind: "shopper", ID: "s1"}
	monday  = time.Date(2026, 3, 2, 9, 30, 0, 123456000, time.UTC)
)

// Clock is a clock that stands still until it is moved.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now implements [hyperlocal.Clock].
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) { c.Set(c.Now().Add(d)) }

// Set sets the clock.
func (c *Clock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = hyperlocal.Instant(t)
}

// world is a service with everything around it.
type world struct {
	t      *testing.T
	h      Harness
	clock  *Clock
	bank   Bank
	pay    *payment.Service
	shop   *owner
	books  *journal
	events *recorder
	// crash, if set, is the service's hook.
	mu    sync.Mutex
	crash func(name string) error
}

type option func(*payment.Config, *Without)

func lacking(w Without) option { return func(_ *payment.Config, to *Without) { *to = w } }

func policy(p payment.Policy) option { return func(c *payment.Config, _ *Without) { c.Policy = p } }

func open(t *testing.T, h Harness, opts ...option) *world {
	t.Helper()
	w := &world{t: t, h: h, clock: &Clock{now: monday}}
	var without Without
	cfg := payment.Config{Policy: payment.Policy{Timeout: 10 * time.Second, Lease: time.Minute, Parallel: 4}}
	for _, o := range opts {
		o(&cfg, &without)
	}
	deliver := func(ctx context.Context, id hyperlocal.TenantID, gateway string, headers map[string][]string, body []byte) error {
		return w.pay.Receive(ctx, id, gateway, headers, body)
	}
	w.bank = h.OpenBank(t, w.clock, deliver, without)
	w.events = &recorder{Outbox: h.Outbox}
	w.books = &journal{seen: make(map[string]hyperlocal.Posting)}
	cfg.Store, cfg.Tx, cfg.Outbox, cfg.Journal, cfg.Clock = h.Store, h.Tx, w.events, w.books, w.clock
	cfg.Gateways = []payment.Gateway{w.bank.Gateway}
	cfg.Intake = h.Intake
	cfg.Hook = func(_ context.Context, name string) error {
		w.mu.Lock()
		f := w.crash
		w.mu.Unlock()
		if f == nil {
			return nil
		}
		return f(name)
	}
	pay, err := payment.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.pay = pay
	w.shop = &owner{w: w, facts: make(map[hyperlocal.TenantRef][]hyperlocal.PaymentFact)}
	if err := pay.AttachOwner("order", w.shop); err != nil {
		t.Fatal(err)
	}
	return w
}

// again builds a second service over the same database and bank: another process.
func (w *world) again() *payment.Service {
	w.t.Helper()
	pay, err := payment.New(payment.Config{
		Store: w.h.Store, Tx: w.h.Tx, Outbox: w.events, Journal: w.books, Clock: w.clock,
		Gateways: []payment.Gateway{w.bank.Gateway}, Policy: payment.Policy{Timeout: 10 * time.Second, Lease: time.Minute, Parallel: 4},
		Intake: w.h.Intake,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := pay.AttachOwner("order", w.shop); err != nil {
		w.t.Fatal(err)
	}
	return pay
}

func (w *world) crashWith(f func(name string) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.crash = f
}

func gbp(minor int64) hyperlocal.Money {
	m, _ := hyperlocal.NewMoney(minor, "GBP")
	return m
}

func newOrder() hyperlocal.Ref { return hyperlocal.NewRef("order", hyperlocal.RandomIDs{}.NewID()) }

func merchant(id string) hyperlocal.Ref { return hyperlocal.NewRef("merchant", id) }

func command(verb hyperlocal.PaymentVerb, owner hyperlocal.Ref, amount hyperlocal.Money, reference, method string) hyperlocal.PaymentCommand {
	return hyperlocal.PaymentCommand{
		Tenant: tenant, Owner: owner, Merchant: merchant("m1"), Customer: hyperlocal.NewRef("customer", "c1"), Verb: verb,
		Amount: amount, Reference: reference, Method: method, Actor: shopper,
	}
}

// begin stores one operation.
func (w *world) begin(c hyperlocal.PaymentCommand) hyperlocal.PaymentOperation {
	w.t.Helper()
	ops, err := w.pay.Begin(w.t.Context(), c)
	if err != nil {
		w.t.Fatalf("Begin %s %s: %v", c.Verb, c.Method, err)
	}
	return ops[0]
}

// run begins and executes one operation.
func (w *world) run(c hyperlocal.PaymentCommand) hyperlocal.PaymentFact {
	w.t.Helper()
	op := w.begin(c)
	f, err := w.pay.Execute(w.t.Context(), op.Tenant, op.ID)
	if err != nil {
		w.t.Fatalf("Execute %s %s: %v", c.Verb, c.Method, err)
	}
	return f
}

func (w *world) status(id string) hyperlocal.PaymentFact {
	w.t.Helper()
	facts, err := w.pay.Status(w.t.Context(), tenant, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return facts[0]
}

func (w *world) operation(id string) payment.Operation {
	w.t.Helper()
	op, err := w.pay.Operation(w.t.Context(), tenant, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return op
}

func (w *world) intents(owner hyperlocal.Ref) []payment.Intent {
	w.t.Helper()
	found, err := w.pay.Intents(w.t.Context(), tenant, owner)
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

func (w *world) moved() []Moved {
	w.t.Helper()
	found, err := w.bank.Moved(w.t.Context(), tenant)
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

// due runs the janitor once and fails on an error.
func (w *world) due() int {
	w.t.Helper()
	n, _, err := w.pay.RunDue(w.t.Context(), 1000)
	if err != nil {
		w.t.Fatalf("RunDue: %v", err)
	}
	return n
}

func (w *world) webhooks() int {
	w.t.Helper()
	n, _, err := w.pay.ProcessWebhooks(w.t.Context(), 1000)
	if err != nil {
		w.t.Fatalf("ProcessWebhooks: %v", err)
	}
	return n
}

// wantTotals checks what a fact says about its owner.
func (w *world) wantTotals(f hyperlocal.PaymentFact, authorized, captured, refunded int64) {
	w.t.Helper()
	if f.Authorized.Amount() != authorized || f.Captured.Amount() != captured || f.Refunded.Amount() != refunded {
		w.t.Errorf("%s %s: authorized %v, captured %v, refunded %v; want %d, %d, %d", f.Verb, f.Outcome,
			f.Authorized, f.Captured, f.Refunded, authorized, captured, refunded)
	}
}

// audit checks the invariants that hold at every moment: amounts are the sums of their
// movements, the books balance and agree, and the bank moved nothing that we do not know.
// quiet says that nothing is open, so that the bank knows nothing that we do not.
func (w *world) audit(quiet bool, owners ...hyperlocal.Ref) {
	w.t.Helper()
	ours := make(map[string]int64)
	clearing := int64(0)
	for _, o := range owners {
		for _, in := range w.intents(o) {
			sums := make(map[string]int64)
			ms, err := w.pay.Movements(w.t.Context(), tenant, in.ID)
			if err != nil {
				w.t.Fatal(err)
			}
			for _, m := range ms {
				sums[string(m.Kind)+m.Owner.ID] += m.Amount.Amount()
				if m.Owner == o {
					ours[m.Operation] += m.Amount.Amount()
					if m.Kind == payment.MovedCapture {
						clearing += m.Amount.Amount()
					} else {
						clearing -= m.Amount.Amount()
					}
				}
			}
			for _, a := range in.Allocations {
				if a.Captured != sums["capture"+a.Owner.ID] || a.Refunded != sums["refund"+a.Owner.ID] {
					w.t.Errorf("allocation %+v does not equal its movements %v", a, sums)
				}
				if quiet && (a.Charging != 0 || a.Claimed != 0 || a.Refunding != 0) {
					w.t.Errorf("allocation %+v claims something although nothing is open", a)
				}
			}
		}
	}
	if got := w.books.balance("clearing/" + w.bank.Gateway.Name()); got != clearing-w.books.balance("fees/"+w.bank.Gateway.Name()) {
		w.t.Errorf("clearing account is %d, movements say %d", got, clearing)
	}
	if !quiet {
		return
	}
	theirs := make(map[string]int64)
	for _, m := range w.moved() {
		if m.Verb == hyperlocal.VerbAuthorize || m.Verb == hyperlocal.VerbVoid {
			continue
		}
		op, ok, err := w.h.Store.ByKey(w.t.Context(), tenant, w.bank.Gateway.Name(), m.Key)
		if err != nil || !ok {
			w.t.Errorf("the bank moved %v under key %s, which we do not know (%v)", m.Amount, m.Key, err)
			continue
		}
		theirs[op.ID] += m.Amount.Amount()
	}
	for id, amount := range theirs {
		if ours[id] != amount {
			w.t.Errorf("operation %s: the bank moved %d, our rows say %d", id, amount, ours[id])
		}
	}
	if len(theirs) != len(ours) {
		w.t.Errorf("the bank moved money for %d operations, our rows say %d", len(theirs), len(ours))
	}
}

// owner stands for orders: it remembers what it was told, and only once that is committed.
type owner struct {
	w     *world
	mu    sync.Mutex
	facts map[hyperlocal.TenantRef][]hyperlocal.PaymentFact
	// react, if set, is called with every fact inside the transaction.
	react func(ctx context.Context, f hyperlocal.PaymentFact) error
	// waited, if set, is called once the owners are locked.
	waited func(ctx context.Context) error
}

func (o *owner) LockOwners(ctx context.Context, owners ...hyperlocal.TenantRef) error {
	if !hyperlocal.InTx(ctx) {
		return fmt.Errorf("owners are locked outside a transaction")
	}
	for i := 1; i < len(owners); i++ {
		if owners[i-1].Ref.ID >= owners[i].Ref.ID {
			return fmt.Errorf("owners are not sorted")
		}
	}
	if o.waited != nil {
		return o.waited(ctx)
	}
	return nil
}

func (o *owner) ApplyPayment(ctx context.Context, facts ...hyperlocal.PaymentFact) error {
	if !hyperlocal.InTx(ctx) {
		return fmt.Errorf("facts are told outside a transaction")
	}
	for _, f := range facts {
		o.mu.Lock()
		react := o.react
		o.mu.Unlock()
		if react != nil {
			if err := react(ctx, f); err != nil {
				return err
			}
		}
		hyperlocal.AfterCommit(ctx, func() {
			o.mu.Lock()
			defer o.mu.Unlock()
			k := hyperlocal.TenantRef{Tenant: f.Tenant, Ref: f.Owner}
			o.facts[k] = append(o.facts[k], f)
		})
	}
	return nil
}

func (o *owner) on(f func(ctx context.Context, f hyperlocal.PaymentFact) error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.react = f
}

// told returns the outcomes that the owner was told, in order: "charge succeeded".
func (o *owner) told(ref hyperlocal.Ref) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []string
	for _, f := range o.facts[hyperlocal.TenantRef{Tenant: tenant, Ref: ref}] {
		out = append(out, string(f.Verb)+" "+string(f.Outcome))
	}
	return out
}

func (w *world) wantTold(ref hyperlocal.Ref, want ...string) {
	w.t.Helper()
	if got := w.shop.told(ref); fmt.Sprint(got) != fmt.Sprint(want) {
		w.t.Errorf("the owner was told %q, want %q", got, want)
	}
}

// journal stands for the ledger: every posting balances, every reference counts once.
type journal struct {
	mu   sync.Mutex
	seen map[string]hyperlocal.Posting
}

func (j *journal) Post(ctx context.Context, postings ...hyperlocal.Posting) error {
	if !hyperlocal.InTx(ctx) {
		return fmt.Errorf("posted outside a transaction")
	}
	for _, p := range postings {
		sums := make(map[string]int64)
		for _, e := range p.Entries {
			if e.Amount == 0 || strings.ToLower(e.Account) != e.Account {
				return fmt.Errorf("odd entry %+v", e)
			}
			sums[e.Asset] += e.Amount
		}
		for asset, sum := range sums {
			if sum != 0 {
				return fmt.Errorf("posting %s does not balance in %s", p.Reference, asset)
			}
		}
	}
	hyperlocal.AfterCommit(ctx, func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		for _, p := range postings {
			j.seen[string(p.Tenant)+" "+p.Reference] = p
		}
	})
	return nil
}

func (j *journal) balance(account string) int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	var sum int64
	for _, p := range j.seen {
		for _, e := range p.Entries {
			if e.Account == account {
				sum += e.Amount
			}
		}
	}
	return sum
}

// recorder is an outbox that also remembers what was committed.
type recorder struct {
	hyperlocal.Outbox
	mu  sync.Mutex
	all []hyperlocal.Envelope
}

func (r *recorder) Append(ctx context.Context, envelopes ...hyperlocal.Envelope) error {
	if err := r.Outbox.Append(ctx, envelopes...); err != nil {
		return err
	}
	hyperlocal.AfterCommit(ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.all = append(r.all, envelopes...)
	})
	return nil
}

func (r *recorder) names() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, e := range r.all {
		out = append(out, e.Name)
	}
	return out
}

func (r *recorder) count(name string) int {
	n := 0
	for _, got := range r.names() {
		if got == name {
			n++
		}
	}
	return n
}

// last decodes the payload of the last event of that name.
func (r *recorder) last(t *testing.T, name string, into any) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := len(r.all) - 1; i >= 0; i-- {
		if r.all[i].Name == name {
			if err := json.Unmarshal(r.all[i].Payload, into); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("no event %s was stored", name)
}

// wantReason fails unless err has the reason of the sentinel.
func wantReason(t *testing.T, err error, want *hyperlocal.Error) {
	t.Helper()
	if hyperlocal.ReasonOf(err) != want.Reason {
		t.Errorf("error is %v, want %s", err, want.Reason)
	}
}

func wantCode(t *testing.T, err error, want hyperlocal.Code) {
	t.Helper()
	if hyperlocal.CodeOf(err) != want {
		t.Errorf("error is %v with code %q, want code %q", err, hyperlocal.CodeOf(err), want)
	}
}

func wantOutcome(t *testing.T, f hyperlocal.PaymentFact, want hyperlocal.PaymentOutcome) {
	t.Helper()
	if f.Outcome != want {
		t.Errorf("%s is %s (%s %s), want %s", f.Verb, f.Outcome, f.Class, f.Code, want)
	}
}
