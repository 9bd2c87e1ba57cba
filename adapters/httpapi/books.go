package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
)

// postingView is a posting of the journal as the edge shows it.
type postingView struct {
	ID        string           `json:"id"`
	Reference string           `doc:"Unique; names the fact behind it." json:"reference"`
	Kind      string           `json:"kind"`
	Subject   hyperlocal.Ref   `json:"subject,omitzero"`
	Effective time.Time        `doc:"When it happened." json:"effective"`
	Recorded  time.Time        `doc:"When it was written." json:"recorded"`
	Reverses  string           `doc:"Reference of the posting that it corrects." json:"reverses,omitempty"`
	Actor     hyperlocal.Actor `json:"actor"`
	Entries   []entryView      `doc:"They sum to zero for each asset." json:"entries"`
}

// entryView is one leg of a posting.
type entryView struct {
	Account string `json:"account"`
	Asset   string `doc:"A currency code, or another asset such as POINTS." json:"asset"`
	Amount  int64  `doc:"In the smallest unit of the asset; positive is a debit, negative a credit." json:"amount"`
}

func viewPosting(t ledger.Transaction) postingView {
	view := postingView{
		ID: t.ID, Reference: t.Reference, Kind: t.Kind, Subject: t.Subject, Effective: t.Effective, Recorded: t.Recorded,
		Reverses: t.Reverses, Actor: t.Actor, Entries: make([]entryView, len(t.Entries)),
	}
	for i, e := range t.Entries {
		view.Entries[i] = entryView{Account: e.Account, Asset: e.Asset, Amount: e.Amount}
	}
	return view
}

// accountView is an account with its balance.
type accountView struct {
	Account string `json:"account"`
	Asset   string `json:"asset"`
	Amount  int64  `doc:"Debits minus credits." json:"amount"`
}

func viewAccount(b ledger.Balance) accountView {
	return accountView{Account: b.Account.Path, Asset: b.Account.Asset, Amount: b.Amount}
}

type (
	postingList struct {
		Items []postingView `json:"items"`
		Next  string        `doc:"The cursor of the next page; left out on the last." json:"next,omitempty"`
	}
	accountList struct {
		Items []accountView `json:"items"`
		Next  string        `doc:"The cursor of the next page; left out on the last." json:"next,omitempty"`
	}
	totalList struct {
		Items []ledger.Total `json:"items"`
	}
	journalInput struct {
		PageParams
		Account string    `doc:"Only postings with an entry on this account." maxLength:"255" query:"account"`
		Asset   string    `doc:"With account: only entries in this asset." maxLength:"16" query:"asset"`
		Subject string    `doc:"Only about this, as kind/id." maxLength:"161" query:"subject"`
		From    time.Time `doc:"Happened then or later." query:"from"`
		To      time.Time `doc:"Happened before then." query:"to"`
	}
	accountsInput struct {
		PageParams
		Prefix string `doc:"Only accounts that begin so." maxLength:"255" query:"prefix"`
	}
	journalOutput  struct{ Body postingList }
	accountsOutput struct{ Body accountList }
	trialOutput    struct{ Body totalList }
)

func (a *api) bookOperations() {
	register(a, operation{
		id: "listJournal", method: http.MethodGet, path: "/v1/journal", tag: tagBooks,
		summary: "List postings with their entries, newest first", access: admins,
	}, a.listJournal)
	register(a, operation{
		id: "listAccounts", method: http.MethodGet, path: "/v1/accounts", tag: tagBooks, summary: "List accounts with their balances", access: admins,
	}, a.listAccounts)
	register(a, operation{
		id: "getTrialBalance", method: http.MethodGet, path: "/v1/trial-balance", tag: tagBooks,
		summary: "Add up all accounts: debits equal credits for each asset", access: admins,
	}, a.getTrialBalance)
}

func (a *api) listJournal(ctx context.Context, c caller, in *journalInput) (*journalOutput, error) {
	subject, err := hyperlocal.ParseRef(in.Subject)
	if err != nil {
		return nil, err
	}
	page, err := a.Ledger.Journal(ctx, c.Tenant, ledger.Filter{
		Account: in.Account, Asset: in.Asset, Subject: subject, EffectiveFrom: in.From, EffectiveTo: in.To,
	}, in.request())
	if err != nil {
		return nil, err
	}
	out := &journalOutput{}
	out.Body.Items, out.Body.Next = pageOf(page, viewPosting)
	return out, nil
}

func (a *api) listAccounts(ctx context.Context, c caller, in *accountsInput) (*accountsOutput, error) {
	page, err := a.Ledger.Accounts(ctx, c.Tenant, in.Prefix, in.request())
	if err != nil {
		return nil, err
	}
	out := &accountsOutput{}
	out.Body.Items, out.Body.Next = pageOf(page, viewAccount)
	return out, nil
}

func (a *api) getTrialBalance(ctx context.Context, c caller, _ *noInput) (*trialOutput, error) {
	totals, err := a.Ledger.TrialBalance(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	if totals == nil {
		totals = []ledger.Total{}
	}
	return &trialOutput{Body: totalList{Items: totals}}, nil
}
