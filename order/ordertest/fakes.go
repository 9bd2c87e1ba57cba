package ordertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// errMisuse is returned when the service uses a port against its contract.
var errMisuse = errors.New("ordertest: the port was used against its contract")

// staged keeps a value of T: the committed one, and what open transactions have done to it.
// It is what makes a stand-in transactional.
type staged[T any] struct {
	mu        sync.Mutex
	committed T
	open      map[hyperlocal.TxState]*pending[T]
	clone     func(T) T
}

// pending is a transaction's own view, and the changes that led to it.
type pending[T any] struct {
	view    T
	changes []func(*T)
}

// look runs fn on the value that ctx sees; fn changes nothing.
func (s *staged[T]) look(ctx context.Context, fn func(*T)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if tx := hyperlocal.TxFrom(ctx); tx != nil && s.open[tx] != nil {
		fn(&s.open[tx].view)
		return
	}
	fn(&s.committed)
}

// change runs fn on the value that ctx sees, and again on the committed one when the
// transaction commits, because others may have committed meanwhile.
func (s *staged[T]) change(ctx context.Context, fn func(*T)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tx := hyperlocal.TxFrom(ctx)
	if tx == nil {
		fn(&s.committed)
		return
	}
	mine := s.open[tx]
	if mine == nil {
		if s.open == nil {
			s.open = make(map[hyperlocal.TxState]*pending[T])
		}
		mine = &pending[T]{view: s.clone(s.committed)}
		s.open[tx] = mine
		tx.AfterCommit(func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, change := range mine.changes {
				change(&s.committed)
			}
			delete(s.open, tx)
		})
	}
	mine.changes = append(mine.changes, fn)
	fn(&mine.view)
}

// level is what a stock item has.
type level struct{ onHand, reserved int64 }

type stockItem struct {
	tenant   hyperlocal.TenantID
	item     hyperlocal.ItemID
	location hyperlocal.LocationID
}

type stockState struct {
	levels    map[stockItem]level
	open      map[hyperlocal.TenantRef][]hyperlocal.ItemQuantity // reservations
	committed map[hyperlocal.TenantRef][]hyperlocal.ItemQuantity
	returned  map[string]bool
}

func cloneStock(s stockState) stockState {
	c := stockState{
		levels: make(map[stockItem]level), open: make(map[hyperlocal.TenantRef][]hyperlocal.ItemQuantity),
		committed: make(map[hyperlocal.TenantRef][]hyperlocal.ItemQuantity), returned: make(map[string]bool),
	}
	maps.Copy(c.levels, s.levels)
	maps.Copy(c.open, s.open)
	maps.Copy(c.committed, s.committed)
	maps.Copy(c.returned, s.returned)
	return c
}

// ErrNoStock is what the stand-in for inventory refuses with.
var ErrNoStock = hyperlocal.NewError(hyperlocal.CodeExhausted, "ordertest/no_stock", "there is not enough of it")

// Stock stands in for inventory. Transactions that overlap do not see each other's
// reservations, so it is no test of overselling.
type Stock struct {
	s staged[stockState]
	// Fail, if set, is asked before CommitReserved, ReleaseReserved and Return.
	Fail func(what string) error
}

// NewStock returns an empty stock.
func NewStock() *Stock {
	return &Stock{s: staged[stockState]{committed: cloneStock(stockState{}), clone: cloneStock}}
}

// Put sets what is on hand.
func (s *Stock) Put(t hyperlocal.TenantID, item hyperlocal.ItemID, location hyperlocal.LocationID, onHand int64) {
	s.s.change(context.Background(), func(v *stockState) { v.levels[stockItem{t, item, location}] = level{onHand: onHand} })
}

// Level returns what is on hand and how much of it is reserved.
func (s *Stock) Level(t hyperlocal.TenantID, item hyperlocal.ItemID, location hyperlocal.LocationID) (onHand, reserved int64) {
	s.s.look(context.Background(), func(v *stockState) {
		l := v.levels[stockItem{t, item, location}]
		onHand, reserved = l.onHand, l.reserved
	})
	return onHand, reserved
}

// Rank implements hyperlocal.Participant.
func (s *Stock) Rank() hyperlocal.Rank { return hyperlocal.RankStock }

// Decide implements hyperlocal.Participant.
func (s *Stock) Decide(ctx context.Context, batch []hyperlocal.Placement) (hyperlocal.Decision, error) {
	if !hyperlocal.InTx(ctx) {
		return nil, fmt.Errorf("%w: Decide outside a transaction", errMisuse)
	}
	d := &decision{stock: s, batch: batch, levels: make(map[stockItem]level)}
	s.s.look(ctx, func(v *stockState) {
		for _, p := range batch {
			for _, it := range p.Items {
				k := stockItem{p.Tenant, it.Item, it.Location}
				d.levels[k] = v.levels[k]
			}
		}
	})
	return d, nil
}

type decision struct {
	stock  *Stock
	batch  []hyperlocal.Placement
	levels map[stockItem]level
	taken  []int
}

func (d *decision) need(i int) map[stockItem]int64 {
	need := make(map[stockItem]int64)
	for _, it := range d.batch[i].Items {
		need[stockItem{d.batch[i].Tenant, it.Item, it.Location}] += it.Quantity.Value()
	}
	return need
}

// Check implements hyperlocal.Decision.
func (d *decision) Check(i int) error {
	for k, n := range d.need(i) {
		if l := d.levels[k]; l.onHand-l.reserved < n {
			return ErrNoStock.With("item", k.item)
		}
	}
	return nil
}

// Take implements hyperlocal.Decision.
func (d *decision) Take(i int) {
	for k, n := range d.need(i) {
		l := d.levels[k]
		l.reserved += n
		d.levels[k] = l
	}
	d.taken = append(d.taken, i)
}

// Apply implements hyperlocal.Decision.
func (d *decision) Apply(ctx context.Context) error {
	d.stock.s.change(ctx, func(v *stockState) {
		for _, i := range d.taken {
			p := d.batch[i]
			if len(p.Items) == 0 {
				continue
			}
			v.open[hyperlocal.TenantRef{Tenant: p.Tenant, Ref: p.Order}] = p.Items
			for k, n := range d.need(i) {
				l := v.levels[k]
				l.reserved += n
				v.levels[k] = l
			}
		}
	})
	return nil
}

func (s *Stock) fail(ctx context.Context, what string) error {
	if !hyperlocal.InTx(ctx) {
		return fmt.Errorf("%w: %s outside a transaction", errMisuse, what)
	}
	if s.Fail == nil {
		return nil
	}
	return s.Fail(what)
}

// CommitReserved implements order.Stock.
func (s *Stock) CommitReserved(ctx context.Context, _ time.Time, _ hyperlocal.Actor, owners ...hyperlocal.TenantRef) error {
	if err := s.fail(ctx, "commit"); err != nil {
		return err
	}
	s.s.change(ctx, func(v *stockState) {
		for _, o := range owners {
			for _, it := range v.open[o] {
				k := stockItem{o.Tenant, it.Item, it.Location}
				l := v.levels[k]
				l.onHand, l.reserved = l.onHand-it.Quantity.Value(), l.reserved-it.Quantity.Value()
				v.levels[k] = l
				v.committed[o] = append(slices.Clip(v.committed[o]), it)
			}
			delete(v.open, o)
		}
	})
	return nil
}

// ReleaseReserved implements order.Stock.
func (s *Stock) ReleaseReserved(ctx context.Context, _ time.Time, _ hyperlocal.Actor, _ string, owners ...hyperlocal.TenantRef) error {
	if err := s.fail(ctx, "release"); err != nil {
		return err
	}
	s.s.change(ctx, func(v *stockState) {
		for _, o := range owners {
			for _, it := range v.open[o] {
				k := stockItem{o.Tenant, it.Item, it.Location}
				l := v.levels[k]
				l.reserved -= it.Quantity.Value()
				v.levels[k] = l
			}
			delete(v.open, o)
		}
	})
	return nil
}

// Return implements order.Stock.
func (s *Stock) Return(ctx context.Context, returns ...hyperlocal.StockReturn) error {
	if err := s.fail(ctx, "return"); err != nil {
		return err
	}
	s.s.change(ctx, func(v *stockState) {
		for _, r := range returns {
			name := string(r.Tenant) + " " + r.Owner.String() + " " + r.Reference
			if v.returned[name] {
				continue
			}
			v.returned[name] = true
			for _, it := range r.Items {
				k := stockItem{r.Tenant, it.Item, it.Location}
				l := v.levels[k]
				l.onHand += it.Quantity.Value()
				v.levels[k] = l
			}
		}
	})
	return nil
}

// Journal stands in for the ledger: it remembers the postings of committed transactions.
type Journal struct{ s staged[[]hyperlocal.Posting] }

// NewJournal returns an empty journal.
func NewJournal() *Journal {
	return &Journal{s: staged[[]hyperlocal.Posting]{clone: slices.Clone[[]hyperlocal.Posting]}}
}

// Post implements order.Journal.
func (j *Journal) Post(ctx context.Context, postings ...hyperlocal.Posting) error {
	if !hyperlocal.InTx(ctx) {
		return fmt.Errorf("%w: Post outside a transaction", errMisuse)
	}
	for _, p := range postings {
		sums := make(map[string]int64)
		for _, e := range p.Entries {
			sums[e.Asset] += e.Amount
		}
		for asset, sum := range sums {
			if sum != 0 {
				return fmt.Errorf("%w: posting %s is off by %d %s", errMisuse, p.Reference, sum, asset)
			}
		}
	}
	j.s.change(ctx, func(v *[]hyperlocal.Posting) { *v = append(*v, postings...) })
	return nil
}

// Postings returns what was posted.
func (j *Journal) Postings() []hyperlocal.Posting {
	var all []hyperlocal.Posting
	j.s.look(context.Background(), func(v *[]hyperlocal.Posting) { all = slices.Clone(*v) })
	return all
}

// Offers stands in for the catalogue.
type Offers map[hyperlocal.Ref]order.Offer

// ErrNoOffer is what the stand-in for the catalogue says of a variant that it does not have.
var ErrNoOffer = hyperlocal.NewError(hyperlocal.CodeNotFound, "ordertest/no_offer", "there is no such variant")

// Offers implements order.Offers.
func (o Offers) Offers(ctx context.Context, _ hyperlocal.TenantID, _ hyperlocal.Ref, variants []hyperlocal.Ref) ([]order.Offer, error) {
	if hyperlocal.InTx(ctx) {
		return nil, fmt.Errorf("%w: Offers inside the placing transaction", errMisuse)
	}
	answers := make([]order.Offer, len(variants))
	for i, v := range variants {
		offer, ok := o[v]
		if !ok {
			offer = order.Offer{Variant: v, Err: ErrNoOffer}
		}
		answers[i] = offer
	}
	return answers, nil
}
