package reconcile

import (
	"io"
	"strings"
	"time"
)

// stripeColumns are those of the report balance_change_from_activity.itemized, and of the
// export of all activity in the dashboard, which names some of them otherwise. Further columns,
// such as other metadata, are passed over.
//
// Source: https://docs.stripe.com/reports/report-types and https://docs.stripe.com/reports/reporting-categories
var stripeColumns = map[string][]string{
	"id":           {"balance_transaction_id", "id"},
	"category":     {"reporting_category", "type"},
	"gross":        {"gross", "amount"},
	columnFee:      {columnFee},
	"net":          {"net"},
	columnCurrency: {columnCurrency},
	"at":           {"created_utc", "created (utc)"},
	"source":       {"", "source_id", "source"},
	"charge":       {"", "charge_id"},
	"payment":      {"", "payment_intent_id", "payment_intent"},
	"refund":       {"", "refund_id"},
	"key":          {"", "payment_metadata[idempotency_key]", "idempotency_key (metadata)"},
	"back":         {"", "refund_metadata[idempotency_key]"},
	"intent":       {"", "payment_metadata[intent]", "intent (metadata)"},

	"presented":          {"", "customer_facing_amount", "customer facing amount"},
	"presented_currency": {"", "customer_facing_currency", "customer facing currency"},
}

// stripeKinds maps reporting categories, and the older types, to kinds. What is not here is an
// adjustment.
var stripeKinds = map[string]Kind{
	"charge": KindCharge, "payment": KindCharge,
	"refund": KindRefund, "payment_refund": KindRefund,
	columnFee: KindFee, "stripe_fee": KindFee, "network_cost": KindFee, "tax": KindFee, "stripe_fx_fee": KindFee, "tax_fee": KindFee,
	"dispute": KindDispute, "dispute_reversal": KindDispute,
	"payout": KindPayout, "payout_reversal": KindPayout, "payout_cancel": KindPayout, "payout_failure": KindPayout,
}

// StripeBalance reads Stripe's balance transactions as CSV: the report
// balance_change_from_activity.itemized with at least balance_transaction_id, created_utc,
// reporting_category, currency, gross, fee and net. Ask for source_id, charge_id and
// payment_intent_id too, and for customer_facing_amount and customer_facing_currency where
// Stripe converts; without them lines are matched by amount and time alone.
//
// Amounts are in major units and times in UTC.
func StripeBalance(r io.Reader, limits Limits) Lines {
	return &stripe{in: newRecords(r, limits)}
}

type stripe struct {
	in      *records
	columns *columns
}

// Next implements [Lines].
func (s *stripe) Next() (Line, error) {
	cells, line, err := s.in.fields()
	if err != nil {
		return Line{}, headless(s.columns, err)
	}
	if s.columns == nil {
		if s.columns, err = newColumns(line, cells, stripeColumns); err != nil {
			return Line{}, err
		}
		if cells, line, err = s.in.fields(); err != nil {
			return Line{}, err
		}
	}
	r := s.columns.row(line, cells, strings.TrimSpace)
	currency := r.currency(columnCurrency)
	l := Line{
		Number: line, ID: r.text("id"), Kind: stripeKinds[r.text("category")], Payment: r.text("payment"),
		Gross: r.money("gross", currency), Fee: r.money(columnFee, currency), Net: r.money("net", currency),
		At: r.time("at", time.UTC, time.DateTime, "2006-01-02 15:04", time.RFC3339),
	}
	if l.Kind == "" {
		l.Kind = KindAdjustment
	}
	if l.Payment == "" {
		l.Payment = r.text("charge")
	}
	// The charge of a refund tells which payment, not which refund, so it comes last.
	keys := []string{r.text("key")}
	if l.Kind == KindRefund {
		keys = []string{r.text("back")}
	}
	l.References = references(append(keys, r.text("refund"), r.text("source"), r.text("charge"), r.text("payment"), r.text("intent"))...)
	if text := r.text("presented"); text != "" && r.err == nil {
		if facing := r.currency("presented_currency"); r.err == nil && facing != currency {
			l.Presented = r.money("presented", facing)
			if l.Presented.Sign() > 0 && l.Gross.Sign() < 0 {
				l.Presented = r.neg(l.Presented)
			}
		}
	}
	return r.checked(l)
}

// headless tells an empty file from the end of one.
func headless(c *columns, err error) error {
	if c == nil && err == io.EOF { //nolint:errorlint // our own reader returns it bare
		return ErrHeader.With("line", 1)
	}
	return err
}
