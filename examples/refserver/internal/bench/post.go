package bench

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Post measures transfers in the ledger, Batch of them per commit, beside transfers of
// hand-written SQL. Calls are timed, transfers are counted.
func Post(ctx context.Context, o Options) (*Result, error) {
	if err := need("--batch", o.Batch, MaxBatch); err != nil {
		return nil, err
	}
	return within(ctx, &o, func(own *room) (*Result, error) { return own.post(ctx, &o) })
}

func (own *room) post(ctx context.Context, o *Options) (*Result, error) {
	o.tell("measuring the raw limit for %s", o.Duration)
	raw, err := own.rawTransfers(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("the raw workload: %w", err)
	}
	o.tell("measuring ours for %s", o.Duration)
	s, err := own.open(ctx, o)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if o.Bounded {
		if err := s.fund(ctx); err != nil {
			return nil, err
		}
	}
	folding, stop := context.WithCancel(ctx)
	folded := make(chan error, 1)
	go func() { folded <- s.fold(folding) }()
	transfer := transfers(o)
	ours, err := o.load().measured(s.meter).run(ctx, func(ctx context.Context, _ int, pick func(int) int) error {
		if o.Batch == 1 {
			return s.Ledger.Post(ctx, transfer(pick))
		}
		batch := make([]hyperlocal.Posting, o.Batch)
		for i := range batch {
			batch[i] = transfer(pick)
		}
		results, err := s.Ledger.PostMany(ctx, batch)
		for _, r := range results {
			if r.Err != nil {
				return r.Err
			}
		}
		return err
	})
	stop()
	if foldErr := <-folded; err == nil {
		err = foldErr
	}
	if err != nil {
		return nil, err
	}
	n := ours.Calls * o.Batch
	res := &Result{Unit: "transfers"}
	res.ours(ours)
	perSecond := ours.PerSecond() * float64(o.Batch)
	res.OursPerSecond = whole(perSecond)
	limit := strconv.Itoa(o.Batch) + " per commit"
	if !own.postgres() {
		limit += ", the same rows by one writer"
	}
	res.raw(limit, perSecond, raw.PerSecond()*float64(o.Batch))
	s.meter.costs(res, n)
	res.more("batch", Figure(strconv.Itoa(o.Batch)))
	return res, s.checkBooks(ctx)
}

// rawTransfers measures the limit of the database.
func (own *room) rawTransfers(ctx context.Context, o *Options) (*Sample, error) {
	if !own.postgres() {
		return own.rawLedgerSQLite(ctx, o)
	}
	conns, closeAll, err := own.connect(ctx, o.Clients)
	if err != nil {
		return nil, err
	}
	defer closeAll()
	if err := own.execute(ctx, rawLedgerTables); err != nil {
		return nil, err
	}
	if o.Batch == 1 {
		return own.rawLimit(ctx, o, rawTransferOne(conns, o.Items))
	}
	return own.rawLimit(ctx, o, rawTransferMany(conns, o.Items, o.Batch))
}

// points is an asset of which accounts below "points/customer" may not be overdrawn, see
// ledger.DefaultBounds.
const points = "POINTS"

// transfers returns postings from one account to another. Unbounded accounts are such as
// clearing and revenue, bounded ones what customers own.
func transfers(o *Options) func(pick func(int) int) hyperlocal.Posting {
	path, asset := "clearing/", "EUR"
	if o.Bounded {
		path, asset = "points/customer/", points
	}
	clock, ids := hyperlocal.SystemClock{}, hyperlocal.RandomIDs{}
	return func(pick func(int) int) hyperlocal.Posting {
		from, to := pair(pick, o.Items)
		reference := ids.NewID()
		return hyperlocal.Posting{
			Tenant: tenant, Reference: "transfer/" + reference, Kind: "transfer", Subject: hyperlocal.NewRef("transfer", reference),
			Effective: clock.Now(), Actor: hyperlocal.System("bench"),
			Entries: []hyperlocal.Entry{
				{Account: path + strconv.Itoa(from), Asset: asset, Amount: -10},
				{Account: path + strconv.Itoa(to), Asset: asset, Amount: 10},
			},
		}
	}
}

// fund gives every bounded account enough to be moved.
func (s *shop) fund(ctx context.Context) error {
	now := hyperlocal.SystemClock{}.Now()
	const part = 500
	for from := 0; from < Items; from += part {
		postings := make([]hyperlocal.Posting, part)
		for i := range part {
			n := strconv.Itoa(from + i)
			postings[i] = hyperlocal.Posting{
				Tenant: tenant, Reference: "opening/" + n, Kind: "points_earned", Effective: now, Actor: hyperlocal.System("bench"),
				Entries: []hyperlocal.Entry{
					{Account: "points/issued", Asset: points, Amount: plenty}, {Account: "points/customer/" + n, Asset: points, Amount: -plenty},
				},
			}
		}
		if err := s.Ledger.Post(ctx, postings...); err != nil {
			return err
		}
	}
	return nil
}

// fold does what the server's worker does all the while: it adds up what lies beside the
// balances. Otherwise a part of the work would be left for later.
func (s *shop) fold(ctx context.Context) error {
	const batch, idle = 100, 5 * time.Second // as in app.workers
	for ctx.Err() == nil {
		n, err := s.Ledger.Fold(ctx, batch)
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("folding: %w", err)
		}
		if n < batch {
			wait(ctx, idle)
		}
	}
	return nil
}

// checkBooks adds everything up.
func (s *shop) checkBooks(ctx context.Context) error {
	totals, err := s.Ledger.TrialBalance(ctx, tenant)
	if err != nil {
		return err
	}
	for _, total := range totals {
		if total.Debits != total.Credits {
			return fmt.Errorf("%w: debits and credits of %s are %d and %d", ErrInconsistent, total.Asset, total.Debits, total.Credits)
		}
	}
	return nil
}
