package memstore

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

type paymentMovementKey struct {
	payment.Key
	owner hyperlocal.Ref
}

type paymentWebhookKey struct {
	tenant         hyperlocal.TenantID
	gateway, event string
}

type paymentKeyKey struct {
	tenant       hyperlocal.TenantID
	gateway, key string
}

type paymentTables struct {
	intents     *table[payment.Key, payment.Intent]
	byOwner     *table[hyperlocal.TenantRef, []string] // ids of intents
	operations  *table[payment.Key, payment.Operation]
	byReference *table[payment.ReferenceKey, string]
	byKey       *table[paymentKeyKey, string]
	movements   *table[paymentMovementKey, payment.Movement]
	webhooks    *table[paymentWebhookKey, payment.Webhook]
	due         *table[payment.Key, time.Time]       // operations with a NextAt
	pending     *table[paymentWebhookKey, time.Time] // webhooks to process
}

func newPaymentTables() *paymentTables {
	return &paymentTables{
		intents:     newTable[payment.Key, payment.Intent](),
		byOwner:     newTable[hyperlocal.TenantRef, []string](),
		operations:  newTable[payment.Key, payment.Operation](),
		byReference: newTable[payment.ReferenceKey, string](),
		byKey:       newTable[paymentKeyKey, string](),
		movements:   newTable[paymentMovementKey, payment.Movement](),
		webhooks:    newTable[paymentWebhookKey, payment.Webhook](),
		due:         newTable[payment.Key, time.Time](),
		pending:     newTable[paymentWebhookKey, time.Time](),
	}
}

// Payments is the store of the payment context.
type Payments struct {
	db *DB
	t  *paymentTables
}

// Payments returns the store of the payment context.
func (db *DB) Payments() *Payments { return &Payments{db: db, t: part(db, newPaymentTables)} }

var _ payment.Store = (*Payments)(nil)

// TxScope implements [hyperlocal.Scoped].
func (s *Payments) TxScope() hyperlocal.Scope { return s.db.TxScope() }

// Lock implements [payment.Store].
func (s *Payments) Lock(ctx context.Context, owners ...hyperlocal.TenantRef) ([]payment.Intent, error) {
	t, err := s.db.must(ctx)
	if err != nil {
		return nil, err
	}
	if err := t.lock(hyperlocal.RankIntent); err != nil {
		return nil, err
	}
	var found []payment.Intent
	err = s.db.read(ctx, func() error { found = s.of(owners); return nil })
	slices.SortFunc(found, func(a, b payment.Intent) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.ID, b.ID))
	})
	return found, err
}

// Intents implements [payment.Reader].
func (s *Payments) Intents(ctx context.Context, owners ...hyperlocal.TenantRef) (found []payment.Intent, err error) {
	err = s.db.read(ctx, func() error { found = s.of(owners); return nil })
	slices.SortFunc(found, func(a, b payment.Intent) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Tenant, b.Tenant))
	})
	return found, err
}

func (s *Payments) of(owners []hyperlocal.TenantRef) []payment.Intent {
	var found []payment.Intent
	seen := make(map[payment.Key]bool)
	for _, o := range owners {
		ids, _ := s.t.byOwner.get(o)
		for _, id := range ids {
			k := payment.Key{Tenant: o.Tenant, ID: id}
			if in, ok := s.t.intents.get(k); ok && !seen[k] {
				seen[k] = true
				in.Allocations = slices.Clone(in.Allocations)
				found = append(found, in)
			}
		}
	}
	return found
}

var errPaymentAmounts = hyperlocal.NewError(hyperlocal.CodeInternal, "payment/broken_invariant",
	"the amounts of an intent contradict each other")

// SaveIntents implements [payment.Store].
func (s *Payments) SaveIntents(ctx context.Context, intents []payment.Intent) error {
	t, err := s.db.must(ctx)
	if err != nil {
		return err
	}
	for _, in := range intents {
		k := payment.Key{Tenant: in.Tenant, ID: in.ID}
		old, ok := s.t.intents.get(k)
		switch {
		case in.Version == 1 && ok, in.Version > 1 && (!ok || old.Version != in.Version-1):
			return payment.ErrStale.With("intent", in.ID)
		}
		for _, a := range in.Allocations {
			if !a.Valid() {
				return errPaymentAmounts.With("intent", in.ID)
			}
		}
		in.Allocations = slices.Clone(in.Allocations)
		s.t.intents.put(t, k, in)
		if ok {
			continue
		}
		for _, a := range in.Allocations {
			ref := hyperlocal.TenantRef{Tenant: in.Tenant, Ref: a.Owner}
			ids, _ := s.t.byOwner.get(ref)
			s.t.byOwner.put(t, ref, append(slices.Clip(ids), in.ID))
		}
	}
	return nil
}

// InsertOperations implements [payment.Store].
func (s *Payments) InsertOperations(ctx context.Context, operations []payment.Operation) error {
	t, err := s.db.must(ctx)
	if err != nil {
		return err
	}
	for _, op := range operations {
		ref := payment.ReferenceKey{Tenant: op.Tenant, Owner: op.Owner, Verb: op.Verb, Reference: op.Reference}
		if _, taken := s.t.byReference.get(ref); taken {
			return hyperlocal.ErrTxRetry.With("reference", op.Reference)
		}
		if _, taken := s.t.operations.get(payment.Key{Tenant: op.Tenant, ID: op.ID}); taken {
			return payment.ErrStale.With("operation", op.ID)
		}
		s.t.byReference.put(t, ref, op.ID)
		s.putOperation(t, op)
	}
	return nil
}

// SaveOperations implements [payment.Store].
func (s *Payments) SaveOperations(ctx context.Context, operations []payment.Operation) error {
	t, err := s.db.must(ctx)
	if err != nil {
		return err
	}
	for _, op := range operations {
		old, ok := s.t.operations.get(payment.Key{Tenant: op.Tenant, ID: op.ID})
		if !ok || old.Version != op.Version-1 {
			return payment.ErrStale.With("operation", op.ID)
		}
		s.t.byKey.del(t, paymentKeyKey{old.Tenant, old.Gateway, old.Key})
		s.putOperation(t, op)
	}
	return nil
}

func (s *Payments) putOperation(t *tx, op payment.Operation) {
	k := payment.Key{Tenant: op.Tenant, ID: op.ID}
	op.Shares = slices.Clone(op.Shares)
	s.t.operations.put(t, k, op)
	s.t.byKey.put(t, paymentKeyKey{op.Tenant, op.Gateway, op.Key}, op.ID)
	if op.NextAt.IsZero() {
		s.t.due.del(t, k)
		return
	}
	s.t.due.put(t, k, op.NextAt)
}

// AppendMovements implements [payment.Store].
func (s *Payments) AppendMovements(ctx context.Context, movements []payment.Movement) error {
	t, err := s.db.must(ctx)
	if err != nil {
		return err
	}
	for _, m := range movements {
		k := paymentMovementKey{payment.Key{Tenant: m.Tenant, ID: m.Operation}, m.Owner}
		if _, taken := s.t.movements.get(k); taken {
			return payment.ErrStale.With("operation", m.Operation)
		}
		s.t.movements.put(t, k, m)
	}
	return nil
}

// Lease implements [payment.Store].
func (s *Payments) Lease(ctx context.Context, tenant hyperlocal.TenantID, id string, now, until time.Time) (payment.Operation, bool, error) {
	t, err := s.db.must(ctx)
	if err != nil {
		return payment.Operation{}, false, err
	}
	op, ok := s.t.operations.get(payment.Key{Tenant: tenant, ID: id})
	if !ok || op.Outcome != hyperlocal.OutcomeProcessing || op.NextAt.IsZero() || op.NextAt.After(now) {
		return payment.Operation{}, false, nil
	}
	s.lease(t, op, until)
	return cloneOperation(op), true, nil
}

func (s *Payments) lease(t *tx, op payment.Operation, until time.Time) {
	op.NextAt, op.Sent = until, true
	s.putOperation(t, op)
}

// LeaseDue implements [payment.Store].
func (s *Payments) LeaseDue(ctx context.Context, now, until time.Time, limit int) (due []payment.Operation, next time.Time, err error) {
	t, err := s.db.must(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	for k, at := range s.t.due.all() {
		if op, ok := s.t.operations.get(k); ok && !at.After(now) {
			due = append(due, cloneOperation(op))
			continue
		}
		next = earliest(next, at)
	}
	slices.SortFunc(due, func(a, b payment.Operation) int {
		return cmp.Or(a.NextAt.Compare(b.NextAt), cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.ID, b.ID))
	})
	if len(due) > limit {
		next = earliest(next, due[limit].NextAt)
		due = due[:limit]
	}
	for _, op := range due {
		s.lease(t, op, until)
	}
	return due, next, nil
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

func cloneOperation(op payment.Operation) payment.Operation {
	op.Shares = slices.Clone(op.Shares)
	return op
}

// Operations implements [payment.Reader].
func (s *Payments) Operations(ctx context.Context, tenant hyperlocal.TenantID, ids ...string) (found []payment.Operation, err error) {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	err = s.db.read(ctx, func() error {
		for _, id := range ids {
			if op, ok := s.t.operations.get(payment.Key{Tenant: tenant, ID: id}); ok {
				found = append(found, cloneOperation(op))
			}
		}
		return nil
	})
	return found, err
}

// ByReference implements [payment.Reader].
func (s *Payments) ByReference(ctx context.Context, keys ...payment.ReferenceKey) (found []payment.Operation, err error) {
	err = s.db.read(ctx, func() error {
		seen := make(map[payment.ReferenceKey]bool, len(keys))
		for _, k := range keys {
			id, ok := s.t.byReference.get(k)
			if !ok || seen[k] {
				continue
			}
			seen[k] = true
			op, _ := s.t.operations.get(payment.Key{Tenant: k.Tenant, ID: id})
			found = append(found, cloneOperation(op))
		}
		return nil
	})
	return found, err
}

// ByKey implements [payment.Reader].
func (s *Payments) ByKey(ctx context.Context, tenant hyperlocal.TenantID, gateway, key string) (op payment.Operation, ok bool, err error) {
	err = s.db.read(ctx, func() error {
		var id string
		if id, ok = s.t.byKey.get(paymentKeyKey{tenant, gateway, key}); ok {
			op, ok = s.t.operations.get(payment.Key{Tenant: tenant, ID: id})
			op = cloneOperation(op)
		}
		return nil
	})
	return op, ok, err
}

// ListOperations implements [payment.Reader].
func (s *Payments) ListOperations(ctx context.Context, tenant hyperlocal.TenantID, f payment.OperationFilter, p hyperlocal.PageRequest) (hyperlocal.Page[payment.Operation], error) {
	var page hyperlocal.Page[payment.Operation]
	filter := []any{"operations", tenant, f}
	size, err := p.Size()
	if err != nil {
		return page, err
	}
	after, err := hyperlocal.DecodeCursor(filter, p.Cursor, 2)
	if err != nil {
		return page, err
	}
	order := func(a, b payment.Operation) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
	}
	var from payment.Operation
	if after != nil {
		if from.CreatedAt, err = microTime(after[0]); err != nil {
			return page, err
		}
		from.ID = after[1]
	}
	var all []payment.Operation
	err = s.db.read(ctx, func() error {
		for k, op := range s.t.operations.all() {
			switch {
			case k.Tenant != tenant,
				!f.Owner.IsZero() && op.Owner != f.Owner,
				f.Intent != "" && op.Intent != f.Intent,
				f.Outcome != "" && op.Outcome != f.Outcome,
				f.Attention && op.Attention == "",
				after != nil && order(op, from) <= 0:
				continue
			}
			all = append(all, cloneOperation(op))
		}
		return nil
	})
	if err != nil {
		return page, err
	}
	slices.SortFunc(all, order)
	if len(all) > size {
		all = all[:size]
		last := all[size-1]
		if page.Next, err = hyperlocal.EncodeCursor(filter, microText(last.CreatedAt), last.ID); err != nil {
			return page, err
		}
	}
	page.Items = all
	return page, nil
}

func microText(t time.Time) string { return strconv.FormatInt(t.UnixMicro(), 10) }

func microTime(text string) (time.Time, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, hyperlocal.ErrCursor.WithCause(err)
	}
	return time.UnixMicro(n).UTC(), nil
}

// Movements implements [payment.Reader].
func (s *Payments) Movements(ctx context.Context, tenant hyperlocal.TenantID, intent string) (found []payment.Movement, err error) {
	err = s.db.read(ctx, func() error {
		for k, m := range s.t.movements.all() {
			if k.Tenant == tenant && m.Intent == intent {
				found = append(found, m)
			}
		}
		return nil
	})
	slices.SortFunc(found, func(a, b payment.Movement) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Operation, b.Operation),
			cmp.Compare(a.Owner.Kind, b.Owner.Kind), cmp.Compare(a.Owner.ID, b.Owner.ID))
	})
	return found, err
}

// InsertWebhook implements [payment.WebhookStore].
func (s *Payments) InsertWebhook(ctx context.Context, w payment.Webhook) (bool, error) {
	t, err := s.db.must(ctx)
	if err != nil {
		return false, err
	}
	k := paymentWebhookKey{w.Tenant, w.Gateway, w.Event}
	if _, ok := s.t.webhooks.get(k); ok {
		return false, nil
	}
	w.Body = bytes.Clone(w.Body)
	s.putWebhook(t, k, w)
	return true, nil
}

// SaveWebhook implements [payment.WebhookStore].
func (s *Payments) SaveWebhook(ctx context.Context, w payment.Webhook) error {
	t, err := s.db.must(ctx)
	if err != nil {
		return err
	}
	k := paymentWebhookKey{w.Tenant, w.Gateway, w.Event}
	old, ok := s.t.webhooks.get(k)
	if !ok || old.State != payment.WebhookPending {
		return payment.ErrStale.With("event", w.Event)
	}
	w.Body, w.Notice, w.ReceivedAt = old.Body, old.Notice, old.ReceivedAt
	s.putWebhook(t, k, w)
	return nil
}

func (s *Payments) putWebhook(t *tx, k paymentWebhookKey, w payment.Webhook) {
	s.t.webhooks.put(t, k, w)
	if w.State != payment.WebhookPending {
		s.t.pending.del(t, k)
		return
	}
	s.t.pending.put(t, k, w.NextAt)
}

// DueWebhooks implements [payment.WebhookStore].
func (s *Payments) DueWebhooks(ctx context.Context, now time.Time, limit int) (due []payment.Webhook, next time.Time, err error) {
	err = s.db.read(ctx, func() error {
		for k, at := range s.t.pending.all() {
			w, ok := s.t.webhooks.get(k)
			if !ok || at.After(now) {
				next = earliest(next, at)
				continue
			}
			w.Body = bytes.Clone(w.Body)
			due = append(due, w)
		}
		return nil
	})
	slices.SortFunc(due, func(a, b payment.Webhook) int {
		return cmp.Or(a.ReceivedAt.Compare(b.ReceivedAt), cmp.Compare(a.Tenant, b.Tenant),
			cmp.Compare(a.Gateway, b.Gateway), cmp.Compare(a.Event, b.Event))
	})
	for len(due) > limit {
		next = earliest(next, due[len(due)-1].NextAt)
		due = due[:len(due)-1]
	}
	return due, next, err
}

// CountWebhooks implements [payment.WebhookStore].
func (s *Payments) CountWebhooks(ctx context.Context, tenant hyperlocal.TenantID, state payment.WebhookState) (n int, err error) {
	err = s.db.read(ctx, func() error {
		for k, w := range s.t.webhooks.all() {
			if k.tenant == tenant && w.State == state {
				n++
			}
		}
		return nil
	})
	return n, err
}

// ListWebhooks implements [payment.WebhookStore].
func (s *Payments) ListWebhooks(ctx context.Context, tenant hyperlocal.TenantID, state payment.WebhookState, p hyperlocal.PageRequest) (hyperlocal.Page[payment.Webhook], error) {
	var page hyperlocal.Page[payment.Webhook]
	filter := []any{"webhooks", tenant, state}
	size, err := p.Size()
	if err != nil {
		return page, err
	}
	after, err := hyperlocal.DecodeCursor(filter, p.Cursor, 3)
	if err != nil {
		return page, err
	}
	order := func(a, b payment.Webhook) int {
		return cmp.Or(b.ReceivedAt.Compare(a.ReceivedAt), cmp.Compare(b.Gateway, a.Gateway), cmp.Compare(b.Event, a.Event))
	}
	var from payment.Webhook
	if after != nil {
		if from.ReceivedAt, err = microTime(after[0]); err != nil {
			return page, err
		}
		from.Gateway, from.Event = after[1], after[2]
	}
	var all []payment.Webhook
	err = s.db.read(ctx, func() error {
		for k, w := range s.t.webhooks.all() {
			if k.tenant != tenant || (state != "" && w.State != state) || (after != nil && order(w, from) <= 0) {
				continue
			}
			w.Body = bytes.Clone(w.Body)
			all = append(all, w)
		}
		return nil
	})
	if err != nil {
		return page, err
	}
	slices.SortFunc(all, order)
	if len(all) > size {
		all = all[:size]
		last := all[size-1]
		if page.Next, err = hyperlocal.EncodeCursor(filter, microText(last.ReceivedAt), last.Gateway, last.Event); err != nil {
			return page, err
		}
	}
	page.Items = all
	return page, nil
}
