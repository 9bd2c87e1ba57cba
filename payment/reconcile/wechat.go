package reconcile

import (
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// wechatColumns are those of the trade bill.
//
// Source: the header of the file that GET /v3/bill/tradebill leads to.
var wechatColumns = map[string][]string{
	"at":           {"交易时间"},
	"transaction":  {"微信订单号"},
	"order":        {"商户订单号"},
	"state":        {"交易状态"},
	columnCurrency: {"货币种类"},
	"settled":      {"应结订单金额"},
	"refund":       {"微信退款单号"},
	"request":      {"商户退款单号"},
	"refunded":     {"退款金额"},
	"refund_state": {"退款状态"},
	columnFee:      {"手续费"},
}

var wechatTotals = map[string][]string{
	"count": {"总交易单数"}, "settled": {"应结订单总金额"}, "refunded": {"退款总金额"}, columnFee: {"手续费总金额"},
}

// WeChatTrade reads WeChat Pay's trade bill (bill_type=ALL): UTF-8, every cell behind a
// backquote, amounts in yuan, times in UTC+8, and two lines with totals at the end, which are
// checked. A refund that was closed or went wrong moved nothing and is passed over.
//
// Gross is what is settled: 应结订单金额 of a payment, 退款金额 of a refund. The fee is 手续费,
// negative when it is given back.
func WeChatTrade(r io.Reader, limits Limits) Lines {
	return &wechat{in: newRecords(r, limits), sums: make(map[string]hyperlocal.Money)}
}

type wechat struct {
	in      *records
	columns *columns
	done    bool
	count   int64
	sums    map[string]hyperlocal.Money // by column of the totals
	mixed   bool                        // several currencies: one figure cannot sum them
}

// Next implements [Lines].
func (w *wechat) Next() (Line, error) {
	for !w.done {
		text, line, err := w.in.text()
		if err == io.EOF && w.columns != nil { //nolint:errorlint // our own reader returns it bare
			return Line{}, ErrTotals.With("line", line).WithMessage("the totals at the end of the statement are missing; download it again")
		}
		if err != nil {
			return Line{}, headless(w.columns, err)
		}
		if strings.TrimSpace(text) == "" {
			continue
		}
		if w.columns == nil {
			if w.columns, err = newColumns(line, strings.Split(text, ","), wechatColumns); err != nil {
				return Line{}, err
			}
			continue
		}
		if !strings.HasPrefix(text, "`") {
			if err := w.check(line, text); err != nil {
				return Line{}, err
			}
			w.done = true
			break
		}
		l, moved, err := w.line(w.columns.row(line, backquoted(text), strings.TrimSpace))
		if err != nil || moved {
			return l, err
		}
	}
	return Line{}, io.EOF
}

// backquoted cuts a line whose cells begin with a backquote; they may hold commas.
func backquoted(text string) []string {
	cells := strings.Split(strings.TrimPrefix(text, "`"), ",`")
	return cells
}

func (w *wechat) line(r *row) (l Line, moved bool, err error) {
	currency := r.currency(columnCurrency)
	l = Line{
		Number: r.line, Payment: r.text("transaction"), Gross: r.money("settled", currency), Fee: r.money(columnFee, currency),
		At: r.time("at", china, time.DateTime),
	}
	refunded := r.money("refunded", currency)
	if r.err != nil {
		return Line{}, false, r.err
	}
	w.count++
	w.add(columnFee, l.Fee, r)
	w.add("settled", l.Gross, r)
	w.add("refunded", refunded, r)
	if l.Payment == "" {
		r.fail("transaction", nil)
	}
	switch state := r.text("state"); state {
	case "SUCCESS":
		l.Kind, l.ID = KindCharge, l.Payment+"/charge"
		l.References = references(r.text("order"), l.Payment)
	case "REFUND", "REVOKED":
		switch r.text("refund_state") {
		case "FAIL", "CHANGE", "CLOSED", "ABNORMAL":
			return Line{}, false, r.err
		}
		l.Kind, l.ID = KindRefund, l.Payment+"/refund/"+r.text("refund")
		l.Gross = r.neg(refunded)
		l.References = references(r.text("request"), r.text("refund"), l.Payment, r.text("order"))
	default:
		r.fail("state", nil)
	}
	l.Net = r.sub(l.Gross, l.Fee)
	l, err = r.checked(l)
	return l, true, err
}

func (w *wechat) add(column string, m hyperlocal.Money, r *row) {
	sum, ok := w.sums[column]
	if !ok {
		w.sums[column] = m
		return
	}
	if sum.Currency() != m.Currency() {
		w.mixed = true
		return
	}
	sum, err := sum.Add(m)
	if err != nil {
		r.fail(column, err)
	}
	w.sums[column] = sum
}

// check compares the bill with its totals: text is their header, their values follow.
func (w *wechat) check(line int, text string) error {
	c, err := newColumns(line, strings.Split(text, ","), wechatTotals)
	if err != nil {
		return err
	}
	values, line, err := w.in.text()
	if err == io.EOF { //nolint:errorlint // our own reader returns it bare
		return ErrTotals.With("line", line)
	}
	if err != nil {
		return err
	}
	r := c.row(line, backquoted(values), strings.TrimSpace)
	count, err := strconv.ParseInt(r.text("count"), 10, 64)
	if err != nil {
		r.fail("count", err)
	}
	if r.err == nil && count != w.count {
		return ErrTotals.With("line", line).With("field", "count")
	}
	for column, sum := range w.sums {
		if m := r.money(column, sum.Currency()); r.err == nil && m != sum && !w.mixed {
			return ErrTotals.With("line", line).With("field", column)
		}
	}
	return r.err
}
