package hyperlocal

import "time"

// Posting is a double-entry transaction that a context asks the journal to write. Its
// entries sum to zero per asset.
type Posting struct {
	Tenant TenantID
	// Reference is unique per tenant: the same reference is written once. It is derived
	// from the fact that causes the posting, such as "capture/<id>".
	Reference string
	Kind      string    // what happened: "capture", "refund", "fee", "points_earned", ...
	Subject   Ref       // what it happened to
	Effective time.Time // when it happened in the world; recording time is the journal's own
	Reverses  string    // reference of the posting that this one corrects, or ""
	Actor     Actor
	Entries   []Entry
}

// Entry is one leg of a posting. Amount is in the smallest unit of the asset: positive is a
// debit, negative is a credit.
type Entry struct {
	Account string // path of lower-case segments, such as "clearing/sandbox"
	Asset   string // currency code, or another asset such as "POINTS"
	Amount  int64
}

// Debit and Credit spell the sign out.
func Debit(account string, m Money) Entry {
	return Entry{Account: account, Asset: string(m.Currency()), Amount: m.Amount()}
}

// Credit is the negative leg of an amount.
func Credit(account string, m Money) Entry {
	return Entry{Account: account, Asset: string(m.Currency()), Amount: -m.Amount()}
}

// AccountRef names an account of a tenant's journal, for ports that take accounts of several
// tenants in one batch.
type AccountRef struct {
	Tenant  TenantID
	Account string
}
