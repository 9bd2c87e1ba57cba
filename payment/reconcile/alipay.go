package reconcile

import (
	"bufio"
	"bytes"
	"io"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// china is the zone of the times in Chinese bills; it knows no summer time.
var china = time.FixedZone("UTC+8", 8*60*60)

// alipayColumns are those of the trade bill.
//
// Source: the header of the file that alipay.data.dataservice.bill.downloadurl.query leads to.
var alipayColumns = map[string][]string{
	"trade":    {"支付宝交易号"},
	"order":    {"商户订单号"},
	"business": {"业务类型"},
	"created":  {"创建时间"},
	"done":     {"完成时间"},
	"received": {"商家实收（元）", "商家实收(元)"},
	"request":  {"退款批次号/请求号", "退款批次号"},
	columnFee:  {"服务费（元）", "服务费(元)"},
	"split":    {"分润（元）", "分润(元)"},
}

// AlipayTrade reads Alipay's trade bill (bill_type=trade, the file 业务明细 in the archive):
// GBK, comment lines that begin with #, cells padded with tabs, amounts in yuan, times in
// UTC+8. A file with a byte order mark of UTF-8 is taken for UTF-8.
//
// Gross is what the merchant received (商家实收), the fee is 服务费 with its sign turned round.
// A line with a share for others (分润) is refused: our books do not know it. The bill has no
// ids of its own, so a line is told by trade number, kind and refund number.
func AlipayTrade(r io.Reader, limits Limits) Lines {
	in := bufio.NewReader(r)
	var text io.Reader = in
	if mark, err := in.Peek(len(byteOrderMark)); err != nil || !bytes.Equal(mark, byteOrderMark) {
		text = simplifiedchinese.GB18030.NewDecoder().Reader(in) // contains GBK
	}
	return &alipay{in: newRecords(text, limits)}
}

type alipay struct {
	in      *records
	columns *columns
}

// Next implements [Lines].
func (a *alipay) Next() (Line, error) {
	for {
		text, line, err := a.in.text()
		if err != nil {
			return Line{}, headless(a.columns, err)
		}
		if strings.HasPrefix(text, "#") {
			continue
		}
		if strings.TrimSpace(text) == "" {
			continue
		}
		cells, ok := splitCSV(text)
		if !ok {
			return Line{}, ErrMalformed.With("line", line)
		}
		if a.columns == nil {
			if a.columns, err = newColumns(line, cells, alipayColumns); err != nil {
				return Line{}, err
			}
			continue
		}
		return a.line(a.columns.row(line, cells, strings.TrimSpace))
	}
}

func (a *alipay) line(r *row) (Line, error) {
	l := Line{Number: r.line, Payment: r.text("trade"), Gross: r.money("received", "CNY")}
	l.Fee = r.neg(r.money(columnFee, "CNY"))
	column := "done"
	if r.text(column) == "" {
		column = "created"
	}
	l.At = r.time(column, china, time.DateTime)
	if !r.money("split", "CNY").IsZero() {
		r.fail("split", nil)
	}
	if l.Payment == "" {
		r.fail("trade", nil)
	}
	switch r.text("business") {
	case "交易":
		l.Kind = KindCharge
		l.References = references(r.text("order"), l.Payment)
		l.ID = l.Payment + "/charge"
	case "退款":
		l.Kind = KindRefund
		l.References = references(r.text("request"), l.Payment, r.text("order"))
		l.ID = l.Payment + "/refund/" + r.text("request")
		if l.Gross.Sign() > 0 {
			l.Gross = r.neg(l.Gross)
		}
	default:
		l.Kind = KindAdjustment
		l.References = references(l.Payment, r.text("order"))
		l.ID = l.Payment + "/other/" + strconv.Itoa(r.line)
	}
	l.Net = r.sub(l.Gross, l.Fee)
	return r.checked(l)
}
