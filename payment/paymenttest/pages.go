package paymenttest

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

func pageCases() []testCase {
	return []testCase{
		{"operations", pagedOperations},
		{"operations by filter", filteredOperations},
		{"webhooks", pagedWebhooks},
		{"foreign cursors", foreignCursors},
	}
}

func pagedOperations(t *testing.T, h Harness) {
	ctx := t.Context()
	const n = 23
	ops := stored(t, h, func(i int, op *payment.Operation) {
		op.CreatedAt = monday.Add(time.Duration(i/3) * time.Microsecond) // ties, told apart by id
	}, n)
	want := make([]string, 0, n)
	slices.SortFunc(ops, func(a, b payment.Operation) int {
		if c := b.CreatedAt.Compare(a.CreatedAt); c != 0 {
			return c
		}
		return compare(b.ID, a.ID)
	})
	for _, op := range ops {
		want = append(want, op.ID)
	}
	var got []string
	cursor := ""
	for page := range 10 {
		p, err := h.Store.ListOperations(ctx, tenant, payment.OperationFilter{}, hyperlocal.PageRequest{Limit: 5, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		for _, op := range p.Items {
			got = append(got, op.ID)
		}
		if page == 1 { // rows that come in while somebody pages shift nothing
			in := fullIntent(newOrder())
			newer := fullOperation(in)
			newer.CreatedAt = monday.Add(time.Hour)
			tx(t, h, func(ctx context.Context) error {
				return errors.Join(h.Store.SaveIntents(ctx, []payment.Intent{in}), h.Store.InsertOperations(ctx, []payment.Operation{newer}))
			})
		}
		if cursor = p.Next; cursor == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("paged through\n%v\nwant\n%v", got, want)
	}
	for _, bad := range []int{-1, 201} {
		_, err := h.Store.ListOperations(ctx, tenant, payment.OperationFilter{}, hyperlocal.PageRequest{Limit: bad})
		wantCode(t, err, hyperlocal.CodeInvalid)
	}
}

func filteredOperations(t *testing.T, h Harness) {
	ops := stored(t, h, func(i int, op *payment.Operation) {
		op.Attention = ""
		if i == 2 {
			op.Outcome = declined
		}
		if i == 3 {
			op.Attention = "x"
		}
	}, 5)
	for name, c := range map[string]struct {
		filter payment.OperationFilter
		want   []int
	}{
		"all":             {payment.OperationFilter{}, []int{4, 3, 2, 1, 0}},
		"owner":           {payment.OperationFilter{Owner: ops[1].Owner}, []int{1}},
		"intent":          {payment.OperationFilter{Intent: ops[4].Intent}, []int{4}},
		"outcome":         {payment.OperationFilter{Outcome: declined}, []int{2}},
		"attention":       {payment.OperationFilter{Attention: true}, []int{3}},
		"all of it":       {payment.OperationFilter{Owner: ops[3].Owner, Intent: ops[3].Intent, Outcome: unknown, Attention: true}, []int{3}},
		"nothing":         {payment.OperationFilter{Owner: ops[3].Owner, Intent: ops[2].Intent}, nil},
		"another outcome": {payment.OperationFilter{Outcome: succeeded}, nil},
	} {
		page, err := h.Store.ListOperations(t.Context(), tenant, c.filter, hyperlocal.PageRequest{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for _, op := range page.Items {
			got = append(got, op.ID)
		}
		var want []string
		for _, i := range c.want {
			want = append(want, ops[i].ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func pagedWebhooks(t *testing.T, h Harness) {
	var want []string
	for i := range 11 {
		w := fullWebhook()
		w.Event, w.ReceivedAt = "evt-"+strconv.Itoa(100-i), monday.Add(time.Duration(i/2)*time.Second)
		tx(t, h, func(ctx context.Context) error {
			_, err := h.Store.InsertWebhook(ctx, w)
			return err
		})
	}
	// Newest first, ties by event id from the last.
	want = []string{"evt-90", "evt-92", "evt-91", "evt-94", "evt-93", "evt-96", "evt-95", "evt-98", "evt-97", "evt-99", "evt-100"}
	var got []string
	cursor := ""
	for range 10 {
		p, err := h.Store.ListWebhooks(t.Context(), tenant, payment.WebhookPending, hyperlocal.PageRequest{Limit: 3, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range p.Items {
			got = append(got, w.Event)
		}
		if cursor = p.Next; cursor == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("paged through %v, want %v", got, want)
	}
	p, err := h.Store.ListWebhooks(t.Context(), tenant, payment.WebhookFailed, hyperlocal.PageRequest{})
	if err != nil || len(p.Items) != 0 {
		t.Errorf("%v, %v", p, err)
	}
}

func foreignCursors(t *testing.T, h Harness) {
	stored(t, h, func(int, *payment.Operation) {}, 3)
	for range 2 {
		w := fullWebhook()
		tx(t, h, func(ctx context.Context) error {
			_, err := h.Store.InsertWebhook(ctx, w)
			return err
		})
	}
	ctx := t.Context()
	page, err := h.Store.ListOperations(ctx, tenant, payment.OperationFilter{}, hyperlocal.PageRequest{Limit: 1})
	if err != nil || page.Next == "" {
		t.Fatalf("%+v, %v", page, err)
	}
	hooks, err := h.Store.ListWebhooks(ctx, tenant, "", hyperlocal.PageRequest{Limit: 1})
	if err != nil || hooks.Next == "" {
		t.Fatalf("%+v, %v", hooks, err)
	}
	_, err = h.Store.ListOperations(ctx, other, payment.OperationFilter{}, hyperlocal.PageRequest{Cursor: page.Next})
	wantReason(t, err, hyperlocal.ErrCursor)
	_, err = h.Store.ListOperations(ctx, tenant, payment.OperationFilter{Attention: true}, hyperlocal.PageRequest{Cursor: page.Next})
	wantReason(t, err, hyperlocal.ErrCursor)
	_, err = h.Store.ListOperations(ctx, tenant, payment.OperationFilter{}, hyperlocal.PageRequest{Cursor: hooks.Next})
	wantReason(t, err, hyperlocal.ErrCursor)
	_, err = h.Store.ListWebhooks(ctx, tenant, "", hyperlocal.PageRequest{Cursor: page.Next})
	wantReason(t, err, hyperlocal.ErrCursor)
	_, err = h.Store.ListWebhooks(ctx, tenant, "", hyperlocal.PageRequest{Cursor: "garbage"})
	wantReason(t, err, hyperlocal.ErrCursor)
}
