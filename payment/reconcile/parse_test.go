package reconcile

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/hyperlocal-sdk/hyperlocal"
)

func money(t *testing.T, text string, c hyperlocal.Currency) hyperlocal.Money {
	t.Helper()
	m, err := hyperlocal.ParseMoney(text, c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// readAll returns the lines before the end or an error.
func readAll(lines Lines) ([]Line, error) {
	var all []Line
	for {
		l, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, l)
	}
}

type wantLine struct {
	number                     int
	id                         string
	kind                       Kind
	payment                    string
	references                 string // joined by blanks
	currency                   hyperlocal.Currency
	gross, fee, net, presented string
	at                         string
}

func check(t *testing.T, got []Line, want []wantLine) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d: %+v", len(got), len(want), got)
	}
	for i, w := range want {
		g := got[i]
		if g.Number != w.number || g.ID != w.id || g.Kind != w.kind || g.Payment != w.payment ||
			strings.Join(g.References, " ") != w.references || g.Gross != money(t, w.gross, w.currency) ||
			g.Fee != money(t, w.fee, w.currency) || g.Net != money(t, w.net, w.currency) ||
			g.At.Format(time.RFC3339) != w.at || g.Presented.String() != w.presented {
			t.Errorf("line %d is\n%+v\nwant\n%+v", i, g, w)
		}
	}
}

const stripeHeader = "balance_transaction_id,created_utc,created,available_on_utc,currency,gross,fee,net,reporting_category,source_id," +
	"description,customer_facing_amount,customer_facing_currency,charge_id,payment_intent_id,payment_metadata[idempotency_key]"

// As Stripe delivers it: a byte order mark, CRLF, quotes, line feeds in texts, zero-decimal and
// three-decimal currencies, negative amounts.
const stripeFile = "\ufeff" + stripeHeader + "\r\n" +
	"txn_1,2026-03-02 09:30:01,2026-03-02 10:30:01,2026-03-04 00:00:00,gbp,10.00,0.34,9.66,charge,ch_1,\"Milk, \"\"fresh\"\"\r\nand bread\",10.00,gbp,ch_1,pi_1,intent/1\r\n" +
	"txn_2,2026-03-02 09:31:00,,,jpy,500.00,20,480.00,charge,ch_2,,,,ch_2,,\r\n" +
	"\r\n" +
	"txn_3,2026-03-02 09:32,,,kwd,-1.234,0,-1.234,refund,re_1,x,-1.234,kwd,ch_1,pi_1,intent/1\r\n" +
	"txn_4,2026-03-02 09:33:00,,,eur,-11.50,0.00,-11.50,refund,re_2,x,10.00,gbp,ch_3,pi_3,\r\n" +
	"txn_5,2026-03-03 00:00:00,,,gbp,-100.00,0.25,-100.25,payout,po_1,,,,,,\r\n" +
	"txn_6,2026-03-03 00:00:00,,,gbp,-10.00,15.00,-25.00,dispute,dp_1,,,,ch_1,pi_1,\r\n" +
	"txn_7,2026-03-03 00:00:00,,,gbp,-2.00,0.00,-2.00,fee,,,,,,,\r\n" +
	"txn_8,2026-03-03 00:00:00,,,gbp,3.00,0.00,3.00,refund_failure,re_9,,,,ch_1,pi_1,"

func TestStripeBalance(t *testing.T) {
	t.Parallel()
	got, err := readAll(StripeBalance(strings.NewReader(stripeFile), Limits{}))
	if err != nil {
		t.Fatal(err)
	}
	check(t, got, []wantLine{
		{2, "txn_1", KindCharge, "pi_1", "intent/1 ch_1 pi_1", "GBP", "10", "0.34", "9.66", "", "2026-03-02T09:30:01Z"},
		{4, "txn_2", KindCharge, "ch_2", "ch_2", "JPY", "500", "20", "480", "", "2026-03-02T09:31:00Z"},
		{6, "txn_3", KindRefund, "pi_1", "re_1 ch_1 pi_1", "KWD", "-1.234", "0", "-1.234", "", "2026-03-02T09:32:00Z"},
		{7, "txn_4", KindRefund, "pi_3", "re_2 ch_3 pi_3", "EUR", "-11.5", "0", "-11.5", "-10.00 GBP", "2026-03-02T09:33:00Z"},
		{8, "txn_5", KindPayout, "", "po_1", "GBP", "-100", "0.25", "-100.25", "", "2026-03-03T00:00:00Z"},
		{9, "txn_6", KindDispute, "pi_1", "dp_1 ch_1 pi_1", "GBP", "-10", "15", "-25", "", "2026-03-03T00:00:00Z"},
		{10, "txn_7", KindFee, "", "", "GBP", "-2", "0", "-2", "", "2026-03-03T00:00:00Z"},
		{11, "txn_8", KindAdjustment, "pi_1", "re_9 ch_1 pi_1", "GBP", "3", "0", "3", "", "2026-03-03T00:00:00Z"},
	})
}

// A text that nobody reads tells all the same that the file is not what it should be.
func TestStripeNotUTF8(t *testing.T) {
	t.Parallel()
	_, err := readAll(StripeBalance(strings.NewReader(strings.Replace(stripeFile, ",x,-1.234", ",\xff,-1.234", 1)), Limits{}))
	wantAt(t, err, ErrMalformed, 6)
}

// The export of the dashboard names its columns otherwise.
func TestStripeExport(t *testing.T) {
	t.Parallel()
	got, err := readAll(StripeBalance(strings.NewReader(
		`"id","Type","Source","Amount","Fee","Net","Currency","Created (UTC)","Available On (UTC)"`+"\n"+
			`"txn_1","payment_refund","pyr_1","-4.00","0.00","-4.00","eur","2026-03-02 09:30","2026-03-02 09:30"`), Limits{}))
	if err != nil {
		t.Fatal(err)
	}
	check(t, got, []wantLine{{2, "txn_1", KindRefund, "", "pyr_1", "EUR", "-4", "0", "-4", "", "2026-03-02T09:30:00Z"}})
}

const alipayFile = "#支付宝业务明细查询\n#账号：[20880012345678900156]\n#-----业务明细列表-----\n" +
	"支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）," +
	"集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注\r\n" +
	"2026030222001\t,N0001\t,交易     ,牛奶,2026-03-02 00:15:00,2026-03-02 00:15:08,,,,,buy***,10.00\t,9.90\t,0.00,0.00,0.00,0.10,0.00,,0.00,0.00,\t,-0.06\t,0.00,\r\n" +
	"2026030222001\t,N0001\t,退款     ,牛奶,2026-03-02 01:00:00,2026-03-02 01:00:01,,,,,buy***,-4.00,-4.00,0.00,0.00,0.00,0.00,0.00,,0.00,0.00,R0001\t,0.02,0.00,\r\n" +
	"#-----业务明细列表结束-----\n#交易合计：1笔\n"

func alipayLines() []wantLine {
	return []wantLine{
		{5, "2026030222001/charge", KindCharge, "2026030222001", "N0001 2026030222001", "CNY", "9.90", "0.06", "9.84", "", "2026-03-01T16:15:08Z"},
		{6, "2026030222001/refund/R0001", KindRefund, "2026030222001", "R0001 2026030222001 N0001", "CNY", "-4", "-0.02", "-3.98", "", "2026-03-01T17:00:01Z"},
	}
}

func TestAlipayTrade(t *testing.T) {
	t.Parallel()
	gbk, err := simplifiedchinese.GBK.NewEncoder().String(alipayFile)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"gbk": gbk, "utf-8 with a mark": "\ufeff" + alipayFile} {
		got, err := readAll(AlipayTrade(strings.NewReader(text), Limits{}))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		check(t, got, alipayLines())
	}
	shared := strings.Replace(alipayFile, "-0.06\t,0.00", "-0.06\t,-1.00", 1)
	_, err = readAll(AlipayTrade(strings.NewReader("\ufeff"+shared), Limits{}))
	wantAt(t, err, ErrMalformed, 5)
	_, err = readAll(AlipayTrade(strings.NewReader(alipayFile), Limits{})) // UTF-8 without a mark is not GBK
	wantAt(t, err, ErrHeader, 4)
}

const wechatFile = "\ufeff交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额," +
	"微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注\r\n" +
	"`2026-03-02 08:01:02,`wx1,`1900000109,`0,`WEB,`4200001,`N0001,`oUp,`JSAPI,`SUCCESS,`OTHERS,`CNY,`7.00,`0.00,`0,`0,`0.00,`0.00,`,`,`牛奶,面包,`a,`0.04000,`0.60%,`7.00,`0.00,`\r\n" +
	"`2026-03-02 08:03:04,`wx1,`1900000109,`0,`WEB,`4200001,`N0001,`oUp,`JSAPI,`REFUND,`OTHERS,`CNY,`0.00,`0.00,`5000001,`R0001,`3.00,`0.00,`ORIGINAL,`SUCCESS,`牛奶,`a,`-0.02000,`0.60%,`0.00,`3.00,`\r\n" +
	"`2026-03-02 08:05:00,`wx1,`1900000109,`0,`WEB,`4200001,`N0001,`oUp,`JSAPI,`REFUND,`OTHERS,`CNY,`0.00,`0.00,`5000002,`R0002,`1.00,`0.00,`ORIGINAL,`CHANGE,`牛奶,`a,`0.00000,`0.60%,`0.00,`1.00,`\r\n" +
	"总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\r\n" +
	"`3,`7.00,`4.00,`0.00,`0.02000,`7.00,`4.00\r\n"

func TestWeChatTrade(t *testing.T) {
	t.Parallel()
	got, err := readAll(WeChatTrade(strings.NewReader(wechatFile), Limits{}))
	if err != nil {
		t.Fatal(err)
	}
	check(t, got, []wantLine{
		{2, "4200001/charge", KindCharge, "4200001", "N0001 4200001", "CNY", "7", "0.04", "6.96", "", "2026-03-02T00:01:02Z"},
		{3, "4200001/refund/5000001", KindRefund, "4200001", "R0001 5000001 4200001 N0001", "CNY", "-3", "-0.02", "-2.98", "", "2026-03-02T00:03:04Z"},
	})
	lines := strings.SplitAfter(wechatFile, "\n")
	for name, c := range map[string]struct {
		text string
		want *hyperlocal.Error
		line int
	}{
		"a payment is lost":        {lines[0] + strings.Join(lines[2:], ""), ErrTotals, 5},
		"the count is wrong":       {strings.Replace(wechatFile, "`3,`7.00", "`4,`7.00", 1), ErrTotals, 6},
		"an amount is changed":     {strings.Replace(wechatFile, "`CNY,`7.00", "`CNY,`8.00", 1), ErrTotals, 6},
		"a fee is changed":         {strings.Replace(wechatFile, "`0.04000", "`0.05000", 1), ErrTotals, 6},
		"cut off before totals":    {strings.Join(lines[:4], ""), ErrTotals, 4},
		"cut off in totals":        {strings.Join(lines[:5], ""), ErrTotals, 5},
		"finer than a fen":         {strings.Replace(wechatFile, "`0.04000", "`0.04001", 1), ErrMalformed, 2},
		"an unknown state":         {strings.Replace(wechatFile, "`SUCCESS,`OTHERS", "`ODD,`OTHERS", 1), ErrMalformed, 2},
		"no backquote in the line": {strings.Replace(wechatFile, "`2026-03-02 08:03", "2026-03-02 08:03", 1), ErrHeader, 3},
	} {
		_, err := readAll(WeChatTrade(strings.NewReader(c.text), Limits{}))
		t.Log(name)
		wantAt(t, err, c.want, c.line)
	}
}

func wantAt(t *testing.T, err error, want *hyperlocal.Error, line int) {
	t.Helper()
	e, ok := errors.AsType[*hyperlocal.Error](err)
	if !ok || e.Reason != want.Reason || e.Fields["line"] != strconv.Itoa(line) || e.Code != want.Code {
		t.Errorf("got %v, want %s at line %d", err, want.Reason, line)
	}
}

func TestRefusedLines(t *testing.T) {
	t.Parallel()
	row := func(change ...string) string {
		cells := strings.Split("1,charge,p,r,k,GBP,10.00,0.30,9.70,2026-03-02T09:30:00Z", ",")
		for i := 0; i < len(change); i += 2 {
			at, _ := strconv.Atoi(change[i])
			cells[at] = change[i+1]
		}
		return SandboxHeader + "\n" + strings.Join(cells, ",")
	}
	for name, c := range map[string]struct {
		text   string
		limits Limits
		want   *hyperlocal.Error
		line   int
	}{
		"empty":                 {"", Limits{}, ErrHeader, 1},
		"only a mark":           {"\ufeff", Limits{}, ErrHeader, 1},
		"a column is missing":   {strings.Replace(row(), "net", "nett", 1), Limits{}, ErrHeader, 1},
		"a cell too many":       {row() + ",x", Limits{}, ErrMalformed, 2},
		"net is wrong":          {row("8", "9.71"), Limits{}, ErrArithmetic, 2},
		"net overflows":         {row("6", "-92233720368547758.08", "7", "0.01", "8", "92233720368547758.07"), Limits{}, ErrArithmetic, 2},
		"amount out of range":   {row("6", "92233720368547758.08"), Limits{}, ErrMalformed, 2},
		"amount too fine":       {row("6", "10.001"), Limits{}, ErrMalformed, 2},
		"amount with an e":      {row("6", "1e1"), Limits{}, ErrMalformed, 2},
		"unknown currency":      {row("5", "ZZZ"), Limits{}, ErrMalformed, 2},
		"no time":               {row("9", ""), Limits{}, ErrMalformed, 2},
		"time before 1970":      {row("9", "1969-12-31T23:59:59Z"), Limits{}, hyperlocal.Invalid("reconcile", "at", ""), 2},
		"no id":                 {row("0", ""), Limits{}, hyperlocal.Invalid("reconcile", "id", ""), 2},
		"unknown kind":          {row("1", "gift"), Limits{}, hyperlocal.Invalid("reconcile", "kind", ""), 2},
		"long id":               {row("0", strings.Repeat("i", MaxReference+1)), Limits{}, ErrMalformed, 2},
		"control character":     {row("3", "a\x00b"), Limits{}, ErrMalformed, 2},
		"not UTF-8":             {row("3", "a\xff"), Limits{}, ErrMalformed, 2},
		"an open quote":         {row("3", `"a`), Limits{}, ErrMalformed, 2},
		"a quote in a cell":     {row("3", `a"b"`), Limits{}, ErrMalformed, 2},
		"text behind a quote":   {row("3", `"a"b`), Limits{}, ErrMalformed, 2},
		"a long line":           {row("3", strings.Repeat("r", 200)), Limits{MaxLine: 100}, ErrLineTooLong, 2},
		"a quote without end":   {row("3", `"`+strings.Repeat("\n", 200)), Limits{MaxLine: 100}, ErrLineTooLong, 103},
		"too many lines":        {row() + strings.Repeat("\n", 3), Limits{MaxLines: 3}, ErrTooManyLines, 4},
		"a line far too long":   {SandboxHeader + "\n" + strings.Repeat("x", 1<<20), Limits{}, ErrLineTooLong, 2},
		"the header is endless": {strings.Repeat("x", 1<<20), Limits{}, ErrLineTooLong, 1},
	} {
		_, err := readAll(SandboxStatement(strings.NewReader(c.text), c.limits))
		t.Log(name)
		if name == "a quote without end" { // wherever the bound is met
			if hyperlocal.ReasonOf(err) != c.want.Reason {
				t.Errorf("%v", err)
			}
			continue
		}
		wantAt(t, err, c.want, c.line)
		if err != nil && strings.Contains(err.Error(), "2026-03-02") {
			t.Errorf("the error quotes the file: %v", err)
		}
	}
	if got, err := readAll(SandboxStatement(strings.NewReader(row()), Limits{})); err != nil || len(got) != 1 {
		t.Errorf("the line without a flaw: %v, %v", got, err)
	}
}

// endless is a file without an end: whoever keeps what it has read runs out of memory.
type endless struct{ left int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = "x,\"\n"[e.left%4]
		e.left++
	}
	return len(p), nil
}

func TestEndlessFile(t *testing.T) {
	t.Parallel()
	for name, format := range formats() {
		e := &endless{}
		if _, err := readAll(format(e, Limits{})); hyperlocal.CodeOf(err) != hyperlocal.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
		if e.left > 4<<20 {
			t.Errorf("%s read %d bytes before it gave up", name, e.left)
		}
	}
}

func formats() map[string]Format {
	return map[string]Format{
		"stripe": StripeBalance, "alipay": AlipayTrade, "wechat": WeChatTrade, "sandbox": SandboxStatement,
	}
}

// FuzzFormats checks that no file makes a format panic, run on without end, or return a line
// that is not valid; and that errors carry a code.
func FuzzFormats(f *testing.F) {
	gbk, err := simplifiedchinese.GBK.NewEncoder().String(alipayFile)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		stripeFile, alipayFile, gbk, wechatFile, SandboxHeader + "\n1,charge,p,r,k,GBP,10.00,0.30,9.70,2026-03-02T09:30:00Z\n", "\"\n\"\"", "`,`\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		for name, format := range formats() {
			lines, err := readAll(format(bytes.NewReader(file), Limits{MaxLines: 1000, MaxLine: 4096}))
			if err != nil && hyperlocal.ReasonOf(err) == "" {
				t.Errorf("%s: an error without a reason: %v", name, err)
			}
			last := 0
			for i := range lines {
				if err := lines[i].Validate(); err != nil || lines[i].Number <= last {
					t.Errorf("%s: line %+v, %v", name, lines[i], err)
				}
				last = lines[i].Number
			}
		}
	})
}
