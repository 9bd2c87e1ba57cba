package alipay

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// The kinds of bill.
const (
	BillTrade    = "trade"        // payments and refunds, one line each
	BillAccounts = "signcustomer" // every movement of the seller's balance
)

// BillRequest names a bill.
type BillRequest struct {
	Kind string // BillTrade or BillAccounts
	Date string // a day, "2026-11-21", or a month, "2026-11", in UTC+8
}

// Bill returns a bill as Alipay delivers it: a ZIP file of CSV files in GBK, with lines of
// comments that begin with "#". Field 商户订单号 holds the [TradeNumber]. The file is held in
// memory and has at most Config.MaxBill bytes. It is fetched from a host of Config.BillHosts
// only, always over https unless the host is this machine.
//
// Errors: alipay/no_bill, alipay/bill_host, alipay/bill_too_large, alipay/refused, and those
// of any call. A bill can be asked for as often as one likes.
func (g *Gateway) Bill(ctx context.Context, tenant hyperlocal.TenantID, r BillRequest) ([]byte, error) {
	if err := outside(ctx); err != nil {
		return nil, err
	}
	a, err := g.account(tenant)
	if err != nil {
		return nil, err
	}
	if r.Kind != BillTrade && r.Kind != BillAccounts {
		return nil, hyperlocal.Invalid("alipay", "kind", "the kind of a bill is trade or signcustomer")
	}
	if !isDate(r.Date) {
		return nil, hyperlocal.Invalid("alipay", "date", "a bill is of a day, 2026-11-21, or of a month, 2026-11")
	}
	answer, err := g.call(ctx, a, "alipay.data.dataservice.bill.downloadurl.query",
		map[string]string{"bill_type": r.Kind, "bill_date": r.Date}, nil)
	switch {
	case err != nil:
		return nil, err
	case answer.done():
		return g.download(ctx, answer.BillDownloadURL)
	case strings.HasSuffix(strings.ToUpper(answer.SubCode), "BILL_NOT_EXIST"): // with the prefix isp. or without
		return nil, ErrNoBill.With("date", r.Date)
	}
	return nil, refusedQuestion(answer)
}

// isDate reports whether the text has the form of a day or a month.
func isDate(text string) bool {
	form := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return '0'
		}
		return r
	}, text)
	return form == "0000-00-00" || form == "0000-00"
}

// download fetches a bill. The address lets whoever has it read the bill, so it goes into no error.
func (g *Gateway) download(ctx context.Context, address string) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return nil, ErrBadAnswer.WithMessage("the bill has no address that can be called")
	}
	if !slices.Contains(g.billHosts, u.Host) {
		return nil, ErrBillHost.With("host", plain(u.Host))
	}
	if !isLoopback(u.Hostname()) {
		u.Scheme = "https" // Alipay writes http
	}
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return nil, ErrBadAnswer.WithMessage("the bill has no address that can be called")
	}
	resp, err := g.client.Do(req)
	if err != nil {
		return nil, failed(err)
	}
	defer func() { _ = resp.Body.Close() }()
	switch {
	case resp.StatusCode != http.StatusOK:
		return nil, ErrNoAnswer.With("status", resp.StatusCode).WithRetryAfter(g.retryAfter(resp.Header))
	case resp.ContentLength > g.maxBill:
		return nil, ErrBillTooLarge
	}
	bill, err := io.ReadAll(io.LimitReader(resp.Body, g.maxBill+1))
	switch {
	case err != nil:
		return nil, ErrNoAnswer.WithCause(err)
	case int64(len(bill)) > g.maxBill:
		return nil, ErrBillTooLarge
	case len(bill) == 0:
		return nil, ErrNoAnswer.WithMessage("the bill came empty; ask again")
	}
	return bill, nil
}
