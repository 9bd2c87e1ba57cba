package paymenttest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

const (
	charge    = hyperlocal.VerbCharge
	authorize = hyperlocal.VerbAuthorize
	capture   = hyperlocal.VerbCapture
	void      = hyperlocal.VerbVoid
	refund    = hyperlocal.VerbRefund

	succeeded  = hyperlocal.OutcomeSucceeded
	declined   = hyperlocal.OutcomeDeclined
	unknown    = hyperlocal.OutcomeUnknown
	processing = hyperlocal.OutcomeProcessing
	pending    = hyperlocal.OutcomePending
	action     = hyperlocal.OutcomeAction
)

var errCrash = errors.New("the process died here")

func payCases() []testCase {
	return []testCase{
		{"charge", chargeSucceeds},
		{"fee", feeIsPosted},
		{"declines", chargeIsDeclined},
		{"retry is another attempt of the same intent", retryAttempt},
		{"same reference", sameReference},
		{"same reference at once", sameReferenceAtOnce},
		{"bad commands", badCommands},
		{"network inside a transaction", networkInside},
		{"joins the outer transaction", joinsOuter},
		{"refused owner leaves nothing", refusedOwner},
		{"caller leaves", callerLeaves},
		{"tenants", tenants},
		{"batch", batch},
		{"currencies", currencies},
		{"facts and totals over several intents", severalIntents},
	}
}

func chargeSucceeds(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	op := w.begin(command(charge, order, gbp(1999), "pay/1", "ok"))
	if f := w.status(op.ID); f.Outcome != processing || f.Captured != gbp(0) {
		t.Errorf("before the call: %+v", f)
	}
	if in := w.intents(order); len(in) != 1 || in[0].Allocations[0].Charging != 1999 || in[0].Amount() != gbp(1999) {
		t.Errorf("intents before the call: %+v", in)
	}
	f, err := w.pay.Execute(t.Context(), tenant, op.ID)
	if err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, f, succeeded)
	w.wantTotals(f, 0, 1999, 0)
	if f.Intent != op.Intent || f.Operation != op.ID || f.Reference != "pay/1" || f.Owner != order || f.Amount != gbp(1999) {
		t.Errorf("fact %+v does not belong to %+v", f, op)
	}
	w.wantTold(order, "charge succeeded")
	if got := w.events.names(); len(got) != 1 || got[0] != "payment.captured" {
		t.Errorf("events %v", got)
	}
	var ev payment.PaymentCaptured
	w.events.last(t, "payment.captured", &ev)
	if ev.Operation != op.ID || ev.Captured != gbp(1999) || len(ev.Owners) != 1 || ev.Owners[0] != order {
		t.Errorf("event %+v", ev)
	}
	stored := w.operation(op.ID)
	if w.books.balance("clearing/"+stored.Gateway) != 1999-stored.Fee.Amount() || w.books.balance("sales/m1") != -1999 {
		t.Errorf("books: clearing %d, sales %d", w.books.balance("clearing/"+stored.Gateway), w.books.balance("sales/m1"))
	}
	if stored.Key != "intent/"+op.Intent+"/attempt/1/charge" || !stored.NextAt.IsZero() || stored.Provider == "" {
		t.Errorf("stored operation %+v", stored)
	}
	for range 3 { // whoever asks again is told the same and charges nothing
		again, err := w.pay.Execute(t.Context(), tenant, op.ID)
		if err != nil || again != f {
			t.Errorf("again: %+v, %v; want %+v", again, err, f)
		}
	}
	w.wantTold(order, "charge succeeded")
	w.audit(true, order)
}

func feeIsPosted(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	f := w.run(command(charge, order, gbp(10000), "pay/1", "ok"))
	op := w.operation(f.Operation)
	fees := w.books.balance("fees/" + w.bank.Gateway.Name())
	if fees != op.Fee.Amount() {
		t.Errorf("fees account is %d, the operation says %v", fees, op.Fee)
	}
	w.audit(true, order)
}

func chargeIsDeclined(t *testing.T, h Harness) {
	w := open(t, h)
	for _, c := range []struct {
		method string
		class  hyperlocal.DeclineClass
	}{
		{"decline:hard", hyperlocal.DeclineHard},
		{"decline:soft", hyperlocal.DeclineSoft},
		{"decline:invalid", hyperlocal.DeclineInvalid},
		{"rate_limited", hyperlocal.DeclineRateLimited},
		{"provider_down", hyperlocal.DeclineProviderDown},
		{"no such token", hyperlocal.DeclineInvalid},
	} {
		order := newOrder()
		f := w.run(command(charge, order, gbp(500), "pay/1", c.method))
		wantOutcome(t, f, declined)
		if f.Class != c.class || f.Code == "" {
			t.Errorf("%s: class %q code %q, want class %q", c.method, f.Class, f.Code, c.class)
		}
		if c.class == hyperlocal.DeclineRateLimited && f.RetryAfter <= 0 {
			t.Errorf("%s: the provider's wish to wait is lost", c.method)
		}
		w.wantTotals(f, 0, 0, 0)
		w.wantTold(order, "charge declined")
		w.audit(true, order)
	}
	if n := w.events.count("payment.failed"); n != 6 {
		t.Errorf("%d failures were told, want 6", n)
	}
	if len(w.moved()) != 0 {
		t.Errorf("the bank moved %v", w.moved())
	}
}

func retryAttempt(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	var intents, keys []string
	for i, want := range []hyperlocal.PaymentOutcome{declined, declined, succeeded} {
		f := w.run(command(charge, order, gbp(700), "pay/"+string(rune('1'+i)), "decline:soft:2"))
		wantOutcome(t, f, want)
		intents, keys = append(intents, f.Intent), append(keys, w.operation(f.Operation).Key)
	}
	if intents[0] != intents[1] || intents[1] != intents[2] {
		t.Errorf("attempts went to different intents: %v", intents)
	}
	if !strings.HasSuffix(keys[0], "/attempt/1/charge") || !strings.HasSuffix(keys[2], "/attempt/3/charge") {
		t.Errorf("keys %v", keys)
	}
	w.wantTold(order, "charge declined", "charge declined", "charge succeeded")
	w.audit(true, order)
	// What is due may change between attempts.
	second := newOrder()
	w.run(command(charge, second, gbp(900), "pay/1", "decline:soft"))
	f := w.run(command(charge, second, gbp(400), "pay/2", "ok"))
	w.wantTotals(f, 0, 400, 0)
	if in := w.intents(second); len(in) != 1 || in[0].Amount() != gbp(400) {
		t.Errorf("intent %+v", in)
	}
}

func sameReference(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	c := command(charge, order, gbp(1200), "pay/1", "ok")
	first := w.begin(c)
	if again := w.begin(c); again != first {
		t.Errorf("the same reference gave %+v, want %+v", again, first)
	}
	if f, err := w.pay.Execute(t.Context(), tenant, first.ID); err != nil || f.Outcome != succeeded {
		t.Fatalf("%+v, %v", f, err)
	}
	if again := w.begin(c); again != first {
		t.Errorf("the same reference gave %+v, want %+v", again, first)
	}
	ops, err := w.pay.Begin(t.Context(), c, c)
	if err != nil || ops[0] != first || ops[1] != first {
		t.Errorf("%+v, %v", ops, err)
	}
	c.Amount = gbp(1300)
	_, err = w.pay.Begin(t.Context(), c)
	wantReason(t, err, payment.ErrReferenceConflict)
	// A hard decline of a charge is not repeated under its reference.
	bad := newOrder()
	d := command(charge, bad, gbp(1), "pay/1", "decline:soft")
	w.run(d)
	w.run(d)
	if got := w.shop.told(bad); len(got) != 1 {
		t.Errorf("the owner was told %v", got)
	}
	w.audit(true, order, bad)
	twins, err := w.pay.Begin(t.Context(), command(charge, newOrder(), gbp(5), "pay/1", "ok"), command(charge, newOrder(), gbp(6), "pay/1", "ok"))
	if err != nil || twins[0].ID == twins[1].ID {
		t.Errorf("references are per owner: %+v, %v", twins, err)
	}
}

func sameReferenceAtOnce(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	c := command(charge, order, gbp(1200), "pay/1", "ok")
	const n = 12
	ids := make([]string, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			ops, err := w.pay.Begin(t.Context(), c)
			if err != nil {
				t.Errorf("Begin: %v", err)
				return
			}
			ids[i] = ops[0].ID
			if _, err := w.pay.Execute(t.Context(), tenant, ops[0].ID); err != nil {
				t.Errorf("Execute: %v", err)
			}
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("one reference became several operations: %v", ids)
		}
	}
	if moved := w.moved(); len(moved) != 1 {
		t.Errorf("the bank moved %v", moved)
	}
	wantOutcome(t, w.status(ids[0]), succeeded)
	w.wantTold(order, "charge succeeded")
	w.audit(true, order)
}

func badCommands(t *testing.T, h Harness) {
	w := open(t, h)
	good := command(charge, newOrder(), gbp(100), "pay/1", "ok")
	for name, c := range map[string]struct {
		change func(c *hyperlocal.PaymentCommand)
		code   hyperlocal.Code
	}{
		"no tenant":         {func(c *hyperlocal.PaymentCommand) { c.Tenant = "" }, hyperlocal.CodeInvalid},
		"no owner":          {func(c *hyperlocal.PaymentCommand) { c.Owner = hyperlocal.Ref{} }, hyperlocal.CodeInvalid},
		"foreign owner":     {func(c *hyperlocal.PaymentCommand) { c.Owner.Kind = "booking" }, hyperlocal.CodePrecondition},
		"no merchant":       {func(c *hyperlocal.PaymentCommand) { c.Merchant = hyperlocal.Ref{} }, hyperlocal.CodeInvalid},
		"no actor":          {func(c *hyperlocal.PaymentCommand) { c.Actor = hyperlocal.Actor{} }, hyperlocal.CodeInvalid},
		"no reference":      {func(c *hyperlocal.PaymentCommand) { c.Reference = "" }, hyperlocal.CodeInvalid},
		"long reference":    {func(c *hyperlocal.PaymentCommand) { c.Reference = strings.Repeat("x", 200) }, hyperlocal.CodeInvalid},
		"NUL":               {func(c *hyperlocal.PaymentCommand) { c.Reference = "a\x00b" }, hyperlocal.CodeInvalid},
		"odd verb":          {func(c *hyperlocal.PaymentCommand) { c.Verb = "steal" }, hyperlocal.CodeInvalid},
		"zero":              {func(c *hyperlocal.PaymentCommand) { c.Amount = gbp(0) }, hyperlocal.CodeInvalid},
		"negative":          {func(c *hyperlocal.PaymentCommand) { c.Amount = gbp(-5) }, hyperlocal.CodeInvalid},
		"no amount":         {func(c *hyperlocal.PaymentCommand) { c.Amount = hyperlocal.Money{} }, hyperlocal.CodeInvalid},
		"unknown gateway":   {func(c *hyperlocal.PaymentCommand) { c.Gateway = "nowhere" }, hyperlocal.CodeNotFound},
		"odd gateway":       {func(c *hyperlocal.PaymentCommand) { c.Gateway = "No Where" }, hyperlocal.CodeInvalid},
		"long method":       {func(c *hyperlocal.PaymentCommand) { c.Method = strings.Repeat("x", 300) }, hyperlocal.CodeInvalid},
		"card number":       {func(c *hyperlocal.PaymentCommand) { c.Method = "4242 4242 4242 4242" }, hyperlocal.CodeInvalid},
		"refund nothing":    {func(c *hyperlocal.PaymentCommand) { c.Verb = refund }, hyperlocal.CodePrecondition},
		"capture nothing":   {func(c *hyperlocal.PaymentCommand) { c.Verb = capture }, hyperlocal.CodePrecondition},
		"void nothing":      {func(c *hyperlocal.PaymentCommand) { c.Verb = void }, hyperlocal.CodePrecondition},
		"refund of zero":    {func(c *hyperlocal.PaymentCommand) { c.Verb, c.Amount = refund, gbp(0) }, hyperlocal.CodeInvalid},
		"half an owner":     {func(c *hyperlocal.PaymentCommand) { c.Owner.ID = "" }, hyperlocal.CodeInvalid},
		"half a merchant":   {func(c *hyperlocal.PaymentCommand) { c.Merchant.ID = "" }, hyperlocal.CodeInvalid},
		"upper-case tenant": {func(c *hyperlocal.PaymentCommand) { c.Tenant = "SHOP" }, hyperlocal.CodeInvalid},
	} {
		bad := good
		c.change(&bad)
		// The good command in front of it must not be stored either.
		_, err := w.pay.Begin(t.Context(), good, bad)
		if hyperlocal.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want code %s", name, err, c.code)
		}
	}
	if in := w.intents(good.Owner); len(in) != 0 {
		t.Errorf("a refused batch left %+v", in)
	}
	if ops, err := w.pay.Begin(t.Context()); err != nil || len(ops) != 0 {
		t.Errorf("no commands: %v, %v", ops, err)
	}
	_, err := w.pay.Execute(t.Context(), tenant, "not an id")
	wantCode(t, err, hyperlocal.CodeNotFound)
	_, err = w.pay.Execute(t.Context(), tenant, hyperlocal.RandomIDs{}.NewID())
	wantReason(t, err, payment.ErrNotFound)
	_, err = w.pay.Status(t.Context(), tenant, hyperlocal.RandomIDs{}.NewID())
	wantReason(t, err, payment.ErrNotFound)
}

func networkInside(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	op := w.begin(command(charge, order, gbp(100), "pay/1", "ok"))
	err := h.Tx.WithinTx(t.Context(), func(ctx context.Context) error {
		_, err := w.pay.Execute(ctx, tenant, op.ID)
		return err
	})
	wantReason(t, err, hyperlocal.ErrNetworkInTx)
	err = h.Tx.WithinTx(t.Context(), func(ctx context.Context) error {
		_, _, err := w.pay.RunDue(ctx, 1)
		return err
	})
	wantReason(t, err, hyperlocal.ErrNetworkInTx)
	if len(w.moved()) != 0 {
		t.Error("money moved inside a transaction")
	}
}

func joinsOuter(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	var op hyperlocal.PaymentOperation
	err := h.Tx.WithinTx(t.Context(), func(ctx context.Context) error {
		ops, err := w.pay.Begin(ctx, command(charge, order, gbp(100), "pay/1", "ok"))
		if err != nil {
			return err
		}
		op = ops[0]
		return errCrash
	})
	if !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	if _, err := w.pay.Execute(t.Context(), tenant, op.ID); hyperlocal.CodeOf(err) != hyperlocal.CodeNotFound {
		t.Errorf("an operation that was rolled back can be executed: %v", err)
	}
	if in := w.intents(order); len(in) != 0 {
		t.Errorf("rolled back, and yet %+v", in)
	}
	err = h.Tx.WithinTx(t.Context(), func(ctx context.Context) error {
		ops, err := w.pay.Begin(ctx, command(charge, order, gbp(100), "pay/1", "ok"))
		if err != nil {
			return err
		}
		op = ops[0]
		facts, err := w.pay.Status(ctx, tenant, op.ID) // seen by the transaction itself
		if err == nil && facts[0].Outcome != processing {
			t.Errorf("inside: %+v", facts)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	f, err := w.pay.Execute(t.Context(), tenant, op.ID)
	if err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, f, succeeded)
	w.audit(true, order)
}

func refusedOwner(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	op := w.begin(command(charge, order, gbp(100), "pay/1", "ok"))
	w.shop.on(func(context.Context, hyperlocal.PaymentFact) error { return errCrash })
	_, err := w.pay.Execute(t.Context(), tenant, op.ID)
	wantReason(t, err, payment.ErrNotRecorded)
	f := w.status(op.ID)
	wantOutcome(t, f, processing)
	w.wantTotals(f, 0, 0, 0)
	if len(w.events.names()) != 0 || w.books.balance("sales/m1") != 0 {
		t.Errorf("half of it was recorded: %v", w.events.names())
	}
	// As long as the owner refuses, the janitor keeps trying, and then calls a person.
	for range 20 {
		w.clock.Advance(20 * time.Hour)
		_, _, _ = w.pay.RunDue(t.Context(), 10)
	}
	if got := w.operation(op.ID); got.Attention != payment.ReasonNotRecordable || !got.NextAt.IsZero() {
		t.Errorf("operation %+v", got)
	}
	if n := w.events.count("payment.needs_attention"); n != 1 {
		t.Errorf("a person was called %d times", n)
	}
	w.shop.on(nil)
	if err := w.pay.Recheck(t.Context(), tenant, op.ID); err != nil {
		t.Fatal(err)
	}
	w.due()
	wantOutcome(t, w.status(op.ID), succeeded)
	if len(w.moved()) != 1 {
		t.Errorf("the bank moved %v", w.moved())
	}
	w.audit(true, order)
}

func callerLeaves(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	op := w.begin(command(charge, order, gbp(100), "pay/1", "ok"))
	gone, leave := context.WithCancel(t.Context())
	leave()
	_, err := w.pay.Execute(gone, tenant, op.ID)
	wantCode(t, err, hyperlocal.CodeDeadline)
	if len(w.moved()) != 0 {
		t.Error("money moved for a caller who had left before")
	}
	if _, err := w.pay.Begin(gone, command(charge, order, gbp(1), "pay/2", "ok")); err == nil {
		t.Error("Begin with a cancelled context succeeded")
	}
	f, err := w.pay.Execute(t.Context(), tenant, op.ID)
	if err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, f, succeeded)
	// Who leaves while the gateway is being asked stops nothing.
	second := newOrder()
	op = w.begin(command(charge, second, gbp(100), "pay/1", "ok"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w.crashWith(func(string) error { cancel(); return nil })
	if f, err = w.pay.Execute(ctx, tenant, op.ID); err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, f, succeeded)
	w.audit(true, order, second)
}

func tenants(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	mine := w.run(command(charge, order, gbp(100), "pay/1", "ok"))
	theirs := command(charge, order, gbp(250), "pay/1", "ok")
	theirs.Tenant = other
	ops, err := w.pay.Begin(t.Context(), theirs)
	if err != nil {
		t.Fatal(err)
	}
	f, err := w.pay.Execute(t.Context(), other, ops[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	w.wantTotals(f, 0, 250, 0)
	w.wantTotals(w.status(mine.Operation), 0, 100, 0)
	_, err = w.pay.Status(t.Context(), other, mine.Operation)
	wantReason(t, err, payment.ErrNotFound)
	_, err = w.pay.Execute(t.Context(), other, mine.Operation)
	wantReason(t, err, payment.ErrNotFound)
	wantReason(t, w.pay.Recheck(t.Context(), other, mine.Operation), payment.ErrNotFound)
	if ms, err := w.pay.Movements(t.Context(), other, mine.Intent); err != nil || len(ms) != 0 {
		t.Errorf("movements of another tenant: %v, %v", ms, err)
	}
	c := command(refund, order, gbp(150), "r/1", "")
	_, err = w.pay.Begin(t.Context(), c) // 250 were captured, but elsewhere
	wantReason(t, err, payment.ErrRefundTooMuch)
}

func batch(t *testing.T, h Harness) {
	w := open(t, h)
	var commands []hyperlocal.PaymentCommand
	var owners []hyperlocal.Ref
	for i := range 40 {
		owners = append(owners, newOrder())
		commands = append(commands, command(charge, owners[i], gbp(int64(100+i)), "pay/1", "ok"))
	}
	ops, err := w.pay.Begin(t.Context(), commands...)
	if err != nil {
		t.Fatal(err)
	}
	for i, op := range ops {
		if op.Owner != owners[i] || op.Amount != commands[i].Amount {
			t.Fatalf("operation %d is %+v, want one of %+v", i, op, commands[i])
		}
	}
	w.clock.Advance(2 * time.Minute) // nobody came to execute them
	if n := w.due(); n != len(ops) {
		t.Errorf("the janitor worked on %d, want %d", n, len(ops))
	}
	ids := make([]string, len(ops))
	for i, op := range ops {
		ids[i] = op.ID
	}
	facts, err := w.pay.Status(t.Context(), tenant, ids...)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range facts {
		if f.Operation != ids[i] || f.Outcome != succeeded || f.Captured != commands[i].Amount {
			t.Errorf("fact %d: %+v", i, f)
		}
	}
	if got := len(w.moved()); got != len(ops) {
		t.Errorf("the bank moved %d times", got)
	}
	w.audit(true, owners...)
	_, err = w.pay.Begin(t.Context(), make([]hyperlocal.PaymentCommand, payment.MaxBatch+1)...)
	wantCode(t, err, hyperlocal.CodeInvalid)
}

func currencies(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	for i, c := range []hyperlocal.Currency{"JPY", "GBP", "KWD"} { // 0, 2 and 3 decimals
		m, err := hyperlocal.NewMoney(12345, c)
		if err != nil {
			t.Fatal(err)
		}
		cmd := command(charge, order, m, "pay/"+string(c), "ok")
		f := w.run(cmd)
		wantOutcome(t, f, succeeded)
		if f.Captured != m {
			t.Errorf("%s: captured %v; totals are per currency", c, f.Captured)
		}
		if n := len(w.intents(order)); n != i+1 {
			t.Errorf("%d intents, want %d", n, i+1)
		}
	}
	jpy, _ := hyperlocal.NewMoney(12346, "JPY")
	_, err := w.pay.Begin(t.Context(), command(refund, order, jpy, "r/1", ""))
	wantReason(t, err, payment.ErrRefundTooMuch)
}

func severalIntents(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	w.run(command(charge, order, gbp(600), "pay/1", "ok"))
	f := w.run(command(charge, order, gbp(400), "pay/2", "ok"))
	w.wantTotals(f, 0, 1000, 0)
	if n := len(w.intents(order)); n != 2 {
		t.Errorf("%d intents, want 2: money moved under the first", n)
	}
	_, err := w.pay.Begin(t.Context(), command(refund, order, gbp(700), "r/1", ""))
	wantReason(t, err, payment.ErrSpansIntents)
	_, err = w.pay.Begin(t.Context(), command(refund, order, gbp(1001), "r/1", ""))
	wantReason(t, err, payment.ErrRefundTooMuch)
	f = w.run(command(refund, order, gbp(600), "r/1", ""))
	w.wantTotals(f, 0, 1000, 600)
	f = w.run(command(refund, order, gbp(400), "r/2", ""))
	w.wantTotals(f, 0, 1000, 1000)
	w.audit(true, order)
}
