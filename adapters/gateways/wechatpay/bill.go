package wechatpay

import (
	"context"
	"crypto/sha1" //nolint:gosec // it is the only digest that WeChat Pay announces a bill with
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// billHosts serve bills, besides the host of BaseURL.
var billHosts = []string{"api.mch.weixin.qq.com", "api2.mch.weixin.qq.com"}

// TradeBill writes the trade bill of a day, "2026-11-21" in China, to w: every paid and refunded
// order as the CSV that WeChat Pay delivers, with a line of titles, lines of values behind
// grave accents, and two lines of sums. The column 商户订单号 holds the provider's reference of a
// charge, 商户退款单号 that of a refund.
//
// The digest is known at the end only: after an error, what was written is to be thrown away.
// A bill is at most Config.MaxBill long and takes as long as ctx allows.
//
// Errors: invalid for a bad day; ErrNoBill; ErrBillNotReady; ErrBill; ErrRefused; what w
// returns; those of a call.
func (g *Gateway) TradeBill(ctx context.Context, tenant hyperlocal.TenantID, day string, w io.Writer) error {
	if hyperlocal.InTx(ctx) {
		return hyperlocal.ErrNetworkInTx
	}
	if _, err := time.Parse(time.DateOnly, day); err != nil {
		return hyperlocal.Invalid("wechatpay", "day", "a day is written 2026-11-21")
	}
	a, err := g.account(tenant)
	if err != nil {
		return err
	}
	var made struct {
		HashType    string `json:"hash_type"`
		HashValue   string `json:"hash_value"`
		DownloadURL string `json:"download_url"`
	}
	err = g.call(ctx, a, http.MethodGet, "/v3/bill/tradebill?bill_date="+day+"&bill_type=ALL", nil, &made)
	switch {
	case says(err, "NO_STATEMENT_EXIST"):
		return ErrNoBill
	case says(err, "STATEMENT_CREATING"):
		return ErrBillNotReady
	case err != nil:
		return plain(err)
	}
	from, err := url.Parse(made.DownloadURL)
	if err != nil || made.HashType != "SHA1" || !g.servesBills(from) {
		return ErrAnswer.WithMessage("the bill is announced with a digest or at a host that is not known here")
	}
	return g.download(ctx, a, from, made.HashValue, w)
}

// servesBills reports whether a bill may be fetched from there. The request carries our
// signature, so it goes to WeChat Pay alone.
func (g *Gateway) servesBills(u *url.URL) bool {
	if !safeURL(u) {
		return false
	}
	if u.Scheme == g.base.Scheme && strings.EqualFold(u.Host, g.base.Host) {
		return true
	}
	return slices.ContainsFunc(billHosts, func(host string) bool { return strings.EqualFold(u.Host, host) })
}

// download fetches a bill. Its answer is not signed: the signed announcement has its digest.
func (g *Gateway) download(ctx context.Context, a *Account, from *url.URL, want string, w io.Writer) error {
	res, err := g.sendTo(ctx, a, http.MethodGet, from.Scheme+"://"+from.Host, from.RequestURI(), nil)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return ErrBill.With("status", res.StatusCode).WithRetryAfter(retryAfter(res, g.clock.Now()))
	}
	sum := sha1.New() //nolint:gosec // as above
	noted := &noting{w: io.MultiWriter(sum, w)}
	n, err := io.Copy(noted, io.LimitReader(res.Body, g.maxBill+1))
	switch {
	case noted.err != nil:
		return noted.err
	case err != nil:
		return ErrBill.WithCause(bare(err))
	case n > g.maxBill:
		return ErrBill.WithMessage("the bill is longer than Config.MaxBill; throw away what was written")
	case !strings.EqualFold(hex.EncodeToString(sum.Sum(nil)), want):
		return ErrBill
	}
	return nil
}

// noting tells errors of the writer from those of the connection.
type noting struct {
	w   io.Writer
	err error
}

func (c *noting) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.err = err
	return n, err
}
