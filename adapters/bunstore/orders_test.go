package bunstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// populate sets every field below v to something that is not its zero value, each different.
func populate(v reflect.Value, n *int64) {
	*n++
	switch v.Interface().(type) {
	case hyperlocal.Money:
		m, _ := hyperlocal.NewMoney(*n, "GBP")
		v.Set(reflect.ValueOf(m))
		return
	case hyperlocal.Quantity:
		v.Set(reflect.ValueOf(hyperlocal.Pieces(1000 + *n)))
		return
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 1, 1, 0, 0, 0, 123456000+int(*n)*1000, time.UTC)))
		return
	case json.RawMessage:
		v.Set(reflect.ValueOf(json.RawMessage(fmt.Sprintf(`{"n":%d,"text":"žluťoučký 🐎"}`, *n))))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("text-%d", *n))
	case reflect.Int, reflect.Int64:
		v.SetInt(*n)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		populate(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			populate(v.Index(i), n)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			populate(v.Field(i), n)
		}
	default:
		panic("populate does not know " + v.Type().String())
	}
}

func fullOrder(tenant hyperlocal.TenantID) order.Order {
	var o order.Order
	n := int64(0)
	populate(reflect.ValueOf(&o).Elem(), &n)
	ids := hyperlocal.RandomIDs{}
	o.ID, o.Tenant, o.Currency, o.Version = order.ID(ids.NewID()), tenant, "GBP", 1
	o.Number = o.Number + "-" + ids.Letters(12, hyperlocal.UnambiguousAlphabet)
	o.External.Reference = string(o.ID)
	o.Captured, _ = o.Refunded.Add(o.Refunded) // refunded <= captured
	return o
}

// equal compares what was read with what was written; JSON may be spelled another way.
func equal(t *testing.T, want, got any) {
	t.Helper()
	a, b := spell(t, want), spell(t, got)
	if !reflect.DeepEqual(a, b) {
		t.Errorf("read\n%+v\nwant\n%+v", b, a)
	}
}

func spell(t *testing.T, v any) any {
	t.Helper()
	c := reflect.New(reflect.TypeOf(v)).Elem()
	c.Set(reflect.ValueOf(v))
	compact(t, c)
	return c.Interface()
}

func compact(t *testing.T, v reflect.Value) {
	t.Helper()
	if raw, ok := v.Interface().(json.RawMessage); ok {
		if raw == nil {
			return
		}
		var b bytes.Buffer
		if err := json.Compact(&b, raw); err != nil {
			t.Fatal(err)
		}
		v.Set(reflect.ValueOf(json.RawMessage(b.Bytes())))
		return
	}
	switch v.Interface().(type) {
	case hyperlocal.Money, hyperlocal.Quantity, time.Time:
		return
	}
	switch v.Kind() {
	case reflect.Slice:
		if v.Len() == 0 {
			return
		}
		c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(c, v)
		for i := range c.Len() {
			compact(t, c.Index(i))
		}
		v.Set(c)
	case reflect.Struct:
		for i := range v.NumField() {
			compact(t, v.Field(i))
		}
	}
}

func migrated(t *testing.T, d Dialect, opts ...Option) *Store {
	t.Helper()
	s := openEmpty(t, d, opts...)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func insertAll(t *testing.T, s *Store, orders ...order.Order) {
	t.Helper()
	if err := s.WithinTx(t.Context(), func(ctx context.Context) error { return s.Orders().Insert(ctx, orders) }); err != nil {
		t.Fatal(err)
	}
}

func TestEveryFieldOfAnOrderSurvives(t *testing.T) {
	t.Parallel()
	for _, d := range dialects {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			s := migrated(t, d)
			want := fullOrder("acme")
			for i := range reflect.ValueOf(want).NumField() {
				if reflect.ValueOf(want).Field(i).IsZero() {
					t.Fatalf("the test leaves %s empty", reflect.TypeOf(want).Field(i).Name)
				}
			}
			for i := range want.Lines {
				want.Lines[i].N = i + 1
			}
			for i := range want.Adjustments {
				want.Adjustments[i].N = i + 1
			}
			other := fullOrder("umbrella") // another tenant may use the same id, number and reference
			other.ID, other.Number, other.External = want.ID, want.Number, want.External
			for i := range other.Lines {
				other.Lines[i].N = i + 1
			}
			for i := range other.Adjustments {
				other.Adjustments[i].N = i + 1
			}
			insertAll(t, s, want, other)

			got, err := s.Orders().Get(t.Context(), "acme", want.ID)
			if err != nil || len(got) != 1 {
				t.Fatalf("got %d orders, %v", len(got), err)
			}
			equal(t, want, got[0])
			byRef, err := s.Orders().ByExternal(t.Context(), "acme", want.External, want.External)
			if err != nil || len(byRef) != 1 {
				t.Fatalf("by external reference: %d orders, %v", len(byRef), err)
			}
			equal(t, want, byRef[0])

			changed := want
			err = s.WithinTx(t.Context(), func(ctx context.Context) error {
				locked, err := s.Orders().Lock(ctx, []order.Key{{Tenant: "acme", ID: order.ID(hyperlocal.RandomIDs{}.NewID())}, {Tenant: "acme", ID: want.ID}})
				if err != nil {
					return err
				}
				if locked[0].ID != "" {
					t.Error("a missing order is not zero")
				}
				changed = locked[1]
				bare := want
				bare.Note, bare.Contact = "", nil
				equal(t, bare, changed)
				changed.State, changed.PaymentStatus, changed.Version = order.Ready, order.PaymentPaid, 2
				changed.NextActionAt, changed.NextAction, changed.Attempts = time.Time{}, "", 9
				changed.PaidWith = order.PaymentChoice{Gateway: "g", Method: "m"}
				changed.UpdatedAt = changed.UpdatedAt.Add(time.Microsecond)
				changed.Lines[1].Returned++
				return s.Orders().Save(ctx, []order.Order{changed})
			})
			if err != nil {
				t.Fatal(err)
			}
			changed.Note, changed.Contact = want.Note, want.Contact
			got, err = s.Orders().Get(t.Context(), "acme", want.ID)
			if err != nil || len(got) != 1 {
				t.Fatalf("got %d orders, %v", len(got), err)
			}
			equal(t, changed, got[0])
			untouched, err := s.Orders().Get(t.Context(), "umbrella", want.ID)
			if err != nil || len(untouched) != 1 {
				t.Fatalf("got %d orders, %v", len(untouched), err)
			}
			equal(t, other, untouched[0])

			if n, err := s.Orders().Erase(t.Context(), "acme", want.Customer); err != nil || n != 1 {
				t.Fatalf("erased %d, %v", n, err)
			}
			got, err = s.Orders().Get(t.Context(), "acme", want.ID)
			if err != nil || got[0].Contact != nil || got[0].Note != "" || got[0].PaidWith.Method != "" {
				t.Fatalf("personal data is left: %+v, %v", got, err)
			}
		})
	}
}

func TestEveryFieldOfACreditSurvives(t *testing.T) {
	t.Parallel()
	for _, d := range dialects {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			s := migrated(t, d)
			o := fullOrder("acme")
			for i := range o.Lines {
				o.Lines[i].N = i + 1
			}
			o.Adjustments = nil
			insertAll(t, s, o)
			ids := hyperlocal.RandomIDs{}
			var want order.Credit
			n := int64(0)
			populate(reflect.ValueOf(&want).Elem(), &n)
			want.ID, want.Tenant = ids.NewID(), "acme"
			for i := range want.Refunds {
				r := &want.Refunds[i]
				r.ID, r.Tenant, r.Order, r.Credit, r.Operation, r.Version = ids.NewID(), "acme", o.ID, want.ID, ids.NewID(), 1
			}
			insert := func() error {
				return s.WithinTx(t.Context(), func(ctx context.Context) error { return s.Orders().InsertCredit(ctx, want) })
			}
			if err := insert(); err != nil {
				t.Fatal(err)
			}
			got, ok, err := s.Orders().CreditByExternal(t.Context(), "acme", want.External)
			if err != nil || !ok {
				t.Fatalf("got %v, %v", ok, err)
			}
			equal(t, want, got)
			if got, ok, err = s.Orders().GetCredit(t.Context(), "acme", want.ID); err != nil || !ok {
				t.Fatalf("got %v, %v", ok, err)
			}
			equal(t, want, got)
			if _, ok, err = s.Orders().GetCredit(t.Context(), "umbrella", want.ID); ok || err != nil {
				t.Fatalf("another tenant's credit: %v, %v", ok, err)
			}
			again := want
			want.ID = ids.NewID()
			want.Refunds = nil
			if err := insert(); !errors.Is(err, order.ErrExternalTaken) {
				t.Fatalf("the same reference again: %v, want ErrExternalTaken", err)
			}
			due, next, err := s.Orders().DueRefunds(t.Context(), again.Refunds[0].NextActionAt, 10)
			if err != nil || len(due) != 1 || !next.Equal(again.Refunds[1].NextActionAt) {
				t.Fatalf("due: %d, next %v, %v", len(due), next, err)
			}
		})
	}
}

func TestNumbersAndReferencesAreUnique(t *testing.T) {
	t.Parallel()
	for _, d := range dialects {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			s := migrated(t, d)
			plain := func() order.Order {
				o := fullOrder("acme")
				o.Lines, o.Adjustments = nil, nil
				return o
			}
			first := plain()
			insertAll(t, s, first)
			sameNumber, sameReference := plain(), plain()
			sameNumber.Number, sameReference.External = first.Number, first.External
			for want, o := range map[error]order.Order{order.ErrNumberTaken: sameNumber, order.ErrExternalTaken: sameReference} {
				err := s.WithinTx(t.Context(), func(ctx context.Context) error { return s.Orders().Insert(ctx, []order.Order{o}) })
				if !errors.Is(err, want) {
					t.Errorf("got %v, want %v", err, want)
				}
			}
		})
	}
}

func TestOneOfTwoWritersWins(t *testing.T) {
	t.Parallel()
	for _, d := range dialects {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			s := migrated(t, d)
			o := fullOrder("acme")
			o.Lines, o.Adjustments = nil, nil
			insertAll(t, s, o)
			o.Version = 2
			var won, lost atomic.Int32
			var wg sync.WaitGroup
			for range 16 {
				wg.Go(func() {
					switch err := s.WithinTx(t.Context(), func(ctx context.Context) error { return s.Orders().Save(ctx, []order.Order{o}) }); {
					case err == nil:
						won.Add(1)
					case errors.Is(err, order.ErrStale):
						lost.Add(1)
					default:
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if won.Load() != 1 || lost.Load() != 15 {
				t.Fatalf("%d won, %d lost", won.Load(), lost.Load())
			}
		})
	}
}

func TestStatementsPerCall(t *testing.T) {
	t.Parallel()
	for _, d := range dialects {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			var sent atomic.Int64
			s := migrated(t, d, WithQueryHook(func(string) { sent.Add(1) }))
			counted := func(f func() error) int64 {
				t.Helper()
				sent.Store(0)
				if err := f(); err != nil {
					t.Fatal(err)
				}
				return sent.Load()
			}
			batch := func(n int) []order.Order {
				out := make([]order.Order, n)
				for i := range out {
					out[i] = fullOrder("acme")
					for j := range out[i].Lines {
						out[i].Lines[j].N, out[i].Adjustments[j].N = j+1, j+1
					}
				}
				return out
			}
			insert := func(n int) int64 {
				orders := batch(n)
				return counted(func() error {
					return s.WithinTx(t.Context(), func(ctx context.Context) error { return s.Orders().Insert(ctx, orders) })
				})
			}
			one, many := insert(1), insert(150)
			if one != many {
				t.Errorf("inserting 1 order takes %d statements, 150 take %d", one, many)
			}
			if limit := map[Dialect]int64{Postgres: 3, SQLite: 6}[d]; one > limit {
				t.Errorf("inserting takes %d statements, more than %d", one, limit)
			}
			for _, limit := range []int{1, 150} {
				n := counted(func() error {
					page, err := s.Orders().List(t.Context(), "acme", order.Filter{}, hyperlocal.PageRequest{Limit: limit})
					if err == nil && len(page.Items) != limit {
						err = fmt.Errorf("%d orders", len(page.Items))
					}
					return err
				})
				if n > 3 {
					t.Errorf("a page of %d takes %d statements", limit, n)
				}
			}
		})
	}
}

func TestPagesDoNotShift(t *testing.T) {
	t.Parallel()
	for _, d := range dialects {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			s := migrated(t, d)
			at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
			add := func(n int, at time.Time) {
				orders := make([]order.Order, n)
				for i := range orders {
					orders[i] = fullOrder("acme")
					orders[i].Lines, orders[i].Adjustments, orders[i].Contact = nil, nil, nil
					orders[i].PlacedAt = at.Add(time.Duration(i/3) * time.Microsecond) // three at a time share an instant
				}
				insertAll(t, s, orders...)
			}
			add(30, at)
			seen := map[order.ID]bool{}
			cursor, filter := "", order.Filter{PlacedFrom: at, PlacedTo: at.Add(time.Hour)}
			for pages := 0; ; pages++ {
				page, err := s.Orders().List(t.Context(), "acme", filter, hyperlocal.PageRequest{Limit: 7, Cursor: cursor})
				if err != nil {
					t.Fatal(err)
				}
				for i := range page.Items {
					if seen[page.Items[i].ID] {
						t.Fatalf("order %s is on two pages", page.Items[i].ID)
					}
					seen[page.Items[i].ID] = true
					if i > 0 && page.Items[i].PlacedAt.After(page.Items[i-1].PlacedAt) {
						t.Fatal("the list is not newest first")
					}
				}
				if cursor = page.Next; cursor == "" {
					break
				}
				if _, err := s.Orders().List(t.Context(), "acme", order.Filter{}, hyperlocal.PageRequest{Cursor: cursor}); !errors.Is(err, hyperlocal.ErrCursor) {
					t.Fatalf("a cursor of another filter: %v", err)
				}
				add(2, at.Add(time.Minute)) // newer ones do not shift what follows
			}
			if len(seen) != 30 {
				t.Fatalf("%d of 30 orders were listed", len(seen))
			}
		})
	}
}
