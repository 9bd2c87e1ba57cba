package ledgertest

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
)

var postCases = []testCase{
	{"a posting is stored whole", func(f *fixture) {
		p := hyperlocal.Posting{
			Tenant: f.tenant, Reference: "Erfassung/Ä-🧾", Kind: "capture", Subject: hyperlocal.NewRef("order", "№ 7/ü"),
			Effective: time.Date(2011, 12, 9, 12, 50, 0, 654321987, time.FixedZone("", 3600)), Actor: actor,
			Entries: []hyperlocal.Entry{
				{Account: "clearing/sandbox", Asset: "GBP", Amount: 1999},
				{Account: "sales/Köln 1", Asset: "GBP", Amount: -1500},
				{Account: "tips/Köln 1", Asset: "GBP", Amount: -499},
				{Account: "points/issued", Asset: "POINTS", Amount: 19},
				{Account: member, Asset: "POINTS", Amount: -19},
			},
		}
		f.check(f.books.Post(f.ctx, p))
		fix := p
		fix.Reference, fix.Reverses, fix.Entries = "fix", p.Reference, []hyperlocal.Entry{
			{Account: "tips/Köln 1", Asset: "GBP", Amount: 99}, {Account: "clearing/sandbox", Asset: "GBP", Amount: -99},
		}
		f.check(f.books.Post(f.ctx, fix))
		stored, err := f.books.Transactions(f.ctx, f.tenant, "fix", "nobody", p.Reference, "fix")
		f.check(err)
		if len(stored) != 2 {
			f.Fatalf("%d postings are stored, want 2", len(stored))
		}
		for i, p := range []hyperlocal.Posting{fix, p} {
			got := stored[i]
			if !hyperlocal.ValidID(got.ID) || len(got.Fingerprint) == 0 {
				f.Fatalf("stored without id or fingerprint: %+v", got)
			}
			got.ID, got.Fingerprint = "", nil
			want := ledger.Transaction{
				Tenant: f.tenant, Reference: p.Reference, Kind: p.Kind, Subject: p.Subject, Actor: p.Actor, Reverses: p.Reverses,
				Effective: time.Date(2011, 12, 9, 11, 50, 0, 654321000, time.UTC), Recorded: f.clock.Now(), Entries: p.Entries,
			}
			if !reflect.DeepEqual(got, want) {
				f.Fatalf("stored\n%+v, want\n%+v", got, want)
			}
		}
		f.stands("clearing/sandbox", "GBP", 1900)
		f.stands("tips/Köln 1", "GBP", -400)
		f.stands(member, "POINTS", -19)
		f.sound()
	}},
	{"without an effective time it is now", func(f *fixture) {
		f.check(f.books.Post(f.ctx, f.sale(1, 5)))
		got, err := f.books.Transaction(f.ctx, f.tenant, "sale/1")
		f.check(err)
		if !got.Effective.Equal(f.clock.Now()) {
			f.Fatalf("effective is %v", got.Effective)
		}
	}},
	{"a reference is written once", func(f *fixture) {
		first := f.many(f.sale(1, 500))[0]
		again := f.sale(1, 500)
		slices.Reverse(again.Entries)
		again.Effective, again.Actor = f.clock.Now().Add(-time.Hour), hyperlocal.Actor{Kind: "admin", ID: "eve"}
		f.clock.advance(time.Minute)
		r := f.many(again, again)
		if !r[0].Replayed || r[0].Transaction != first.Transaction || r[0] != r[1] {
			f.Fatalf("answers are %+v, the first was %+v", r, first)
		}
		f.stands("sales/m1", "GBP", -500)
		for name, change := range map[string]func(*hyperlocal.Posting){
			"kind":     func(p *hyperlocal.Posting) { p.Kind = "gift" },
			"subject":  func(p *hyperlocal.Posting) { p.Subject = hyperlocal.NewRef("order", "1") },
			"reverses": func(p *hyperlocal.Posting) { p.Reverses = "sale/2" },
			"amount":   func(p *hyperlocal.Posting) { p.Entries[0].Amount, p.Entries[1].Amount = 501, -501 },
			"account":  func(p *hyperlocal.Posting) { p.Entries[0].Account = "clearing/other" },
			"asset":    func(p *hyperlocal.Posting) { p.Entries[0].Asset, p.Entries[1].Asset = "EUR", "EUR" },
		} {
			p := f.sale(1, 500)
			change(&p)
			err := f.books.Post(f.ctx, p)
			if !errors.Is(err, ledger.ErrReferenceConflict) || !hyperlocal.IsCode(err, hyperlocal.CodeAlreadyExists) {
				f.Fatalf("another %s: error is %v", name, err)
			}
		}
		f.stands("sales/m1", "GBP", -500)
		f.sound()
	}},
	{"references repeat within a batch", func(f *fixture) {
		r := f.many(f.sale(1, 5), f.sale(1, 5), f.sale(1, 6), f.earn("x", 10), f.spend("y", 11), f.spend("y", 11), f.spend("y", 10))
		if r[0].Replayed || !r[1].Replayed || r[1].Transaction != r[0].Transaction {
			f.Fatalf("twins are answered %+v and %+v", r[0], r[1])
		}
		f.want(r[2].Err, ledger.ErrReferenceConflict)
		f.want(r[4].Err, ledger.ErrInsufficient)
		f.want(r[5].Err, ledger.ErrInsufficient)
		if r[6].Err != nil { // a refused posting leaves its reference free
			f.Fatal(r[6].Err)
		}
		f.stands("sales/m1", "GBP", -5)
		f.stands(member, "POINTS", 0)
		f.sound()
	}},
	{"a refused posting fails no neighbour", func(f *fixture) {
		bad := f.sale(2, 7)
		bad.Entries[0].Amount++
		r := f.many(f.sale(1, 5), bad, f.spend("s", 1), f.sale(3, 5))
		f.want(r[1].Err, ledger.ErrUnbalanced)
		f.want(r[2].Err, ledger.ErrInsufficient)
		for _, i := range []int{0, 3} {
			if r[i].Err != nil || !hyperlocal.ValidID(r[i].Transaction) {
				f.Fatalf("neighbour %d: %+v", i, r[i])
			}
		}
		if e := r[2].Err.(*hyperlocal.Error); e.Fields["reference"] != "s" || e.Fields["account"] != member { //nolint:errorlint // results are not wrapped
			f.Fatalf("the refusal names %v", e.Fields)
		}
		f.stands("sales/m1", "GBP", -10)
		f.sound()
	}},
	{"Post writes all or nothing", func(f *fixture) {
		f.want(f.books.Post(f.ctx, f.sale(1, 5), f.spend("s", 1), f.sale(2, 5)), ledger.ErrInsufficient)
		f.want(f.books.Post(f.ctx, f.sale(1, 5), hyperlocal.Posting{Tenant: f.tenant}), hyperlocal.Invalid("ledger", "reference", ""))
		f.stands("sales/m1", "GBP", 0)
		if found, err := f.books.Transactions(f.ctx, f.tenant, "sale/1", "s", "sale/2"); err != nil || len(found) > 0 {
			f.Fatalf("left behind: %v %v", found, err)
		}
		f.check(f.books.Post(f.ctx))
		f.check(f.books.Post(f.ctx, f.sale(1, 5), f.sale(2, 5)))
		f.stands("sales/m1", "GBP", -10)
	}},
	{"bad input", badInput},
	{"a correction names what exists", func(f *fixture) {
		lost := f.sale(2, 5)
		lost.Reverses = "sale/1"
		f.want(f.books.Post(f.ctx, lost), ledger.ErrReversesUnknown)
		r := f.many(f.sale(1, 5), lost)
		if r[1].Err != nil { // also one that is written just before it
			f.Fatal(r[1].Err)
		}
	}},
	{"reversing", func(f *fixture) {
		p := f.sale(1, 500)
		p.Subject = hyperlocal.NewRef("order", "1")
		f.check(f.books.Post(f.ctx, p))
		c := ledger.ReverseCommand{Tenant: f.tenant, Reference: "sale/1", Actor: actor, At: f.clock.Now().Add(-time.Hour)}
		first, err := f.books.Reverse(f.ctx, c)
		f.check(err)
		again, err := f.books.Reverse(f.ctx, c)
		f.check(err)
		if first.Replayed || !again.Replayed || first.Transaction != again.Transaction {
			f.Fatalf("answers are %+v and %+v", first, again)
		}
		f.stands("sales/m1", "GBP", 0)
		got, err := f.books.Transaction(f.ctx, f.tenant, ledger.ReverseReference("sale/1"))
		f.check(err)
		if got.Reverses != "sale/1" || got.Subject != p.Subject || !got.Effective.Equal(c.At) || got.Kind != ledger.KindReversal {
			f.Fatalf("the reversal is %+v", got)
		}
		c.Reference = got.Reference
		if _, err := f.books.Reverse(f.ctx, c); err != nil { // and back
			f.Fatal(err)
		}
		f.stands("sales/m1", "GBP", -500)
		c.Reference = "nobody"
		_, err = f.books.Reverse(f.ctx, c)
		f.want(err, ledger.ErrNotFound)
		f.check(f.books.Post(f.ctx, f.earn("e", 10), f.spend("s", 4)))
		c.Reference = "e"
		_, err = f.books.Reverse(f.ctx, c)
		f.want(err, ledger.ErrInsufficient)
		f.stands(member, "POINTS", -6)
		f.sound()
	}},
	{"what has a long reference is reversed too", func(f *fixture) {
		want := int64(0)
		for _, length := range []int{ledger.MaxReference - 8, ledger.MaxReference - 7, ledger.MaxReference} {
			for _, last := range []string{"a", "b"} { // they differ at their very end
				p := f.sale(1, 500)
				p.Reference = strings.Repeat("x", length-1) + last
				f.check(f.books.Post(f.ctx, p))
				want -= 500
				c := ledger.ReverseCommand{Tenant: f.tenant, Reference: p.Reference, Actor: actor}
				for range 30 { // back, and forth, and back
					first, err := f.books.Reverse(f.ctx, c)
					f.check(err)
					again, err := f.books.Reverse(f.ctx, c)
					f.check(err)
					if first.Replayed || !again.Replayed || first.Transaction != again.Transaction {
						f.Fatalf("answers are %+v and %+v", first, again)
					}
					got, err := f.books.Transaction(f.ctx, f.tenant, ledger.ReverseReference(c.Reference))
					f.check(err)
					if got.Reverses != c.Reference || got.ID != first.Transaction {
						f.Fatalf("the reversal is %+v", got)
					}
					c.Reference = got.Reference
				}
				f.stands("sales/m1", "GBP", want)
			}
		}
		f.sound()
	}},
}

func badInput(f *fixture) {
	long := strings.Repeat("x", 256)
	for name, change := range map[string]func(*hyperlocal.Posting){
		"invalid_id":        func(p *hyperlocal.Posting) { p.Tenant = "Acme" },
		"invalid_reference": func(p *hyperlocal.Posting) { p.Reference = long },
		"invalid_kind":      func(p *hyperlocal.Posting) { p.Kind = "" },
		"invalid_reverses":  func(p *hyperlocal.Posting) { p.Reverses = p.Reference },
		"invalid_actor":     func(p *hyperlocal.Posting) { p.Actor = hyperlocal.Actor{Kind: "admin"} },
		"invalid_effective": func(p *hyperlocal.Posting) { p.Effective = time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"invalid_entries":   func(p *hyperlocal.Posting) { p.Entries = p.Entries[:1] },
		"invalid_account":   func(p *hyperlocal.Posting) { p.Entries[0].Account = "/clearing" },
		"invalid_asset":     func(p *hyperlocal.Posting) { p.Entries[0].Asset = "gbp" },
		"invalid_amount":    func(p *hyperlocal.Posting) { p.Entries[0].Amount = 0 },
		"unbalanced":        func(p *hyperlocal.Posting) { p.Entries[0].Asset = "EUR" },
		"overflow": func(p *hyperlocal.Posting) {
			p.Entries = append(p.Entries, hyperlocal.Entry{Account: "a", Asset: "GBP", Amount: math.MaxInt64},
				hyperlocal.Entry{Account: "b", Asset: "GBP", Amount: -math.MaxInt64})
		},
		"invalid_subject_id": func(p *hyperlocal.Posting) { p.Subject = hyperlocal.NewRef("order", "\x00") },
		"invalid_bytes":      func(p *hyperlocal.Posting) { p.Entries[0].Account = "sales/\xff" },
		"minimum":            func(p *hyperlocal.Posting) { p.Entries[0].Amount = math.MinInt64 },
	} {
		p := f.sale(1, 5)
		change(&p)
		r := f.many(p, f.sale(2, 5))
		if !hyperlocal.IsCode(r[0].Err, hyperlocal.CodeInvalid) {
			f.Fatalf("%s: error is %v", name, r[0].Err)
		}
		if reason := hyperlocal.ReasonOf(r[0].Err); strings.HasPrefix(reason, "ledger/") && !strings.Contains(name, "bytes") &&
			name != "minimum" && reason != "ledger/"+name {
			f.Fatalf("%s: reason is %s", name, reason)
		}
		if r[1].Err != nil {
			f.Fatalf("%s: the neighbour failed: %v", name, r[1].Err)
		}
	}
	_, err := f.books.PostMany(f.ctx, make([]hyperlocal.Posting, ledger.MaxBatch+1))
	f.wantReason(err, hyperlocal.CodeInvalid, "ledger/invalid_batch")
	f.stands("sales/m1", "GBP", -5)
	f.sound()
}
