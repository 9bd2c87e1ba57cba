package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
)

// me stands for the caller in the path of a customer.
const me = "me"

// lotView is a lot of points as the edge shows it.
type lotView struct {
	ID         string         `json:"id"`
	Source     hyperlocal.Ref `doc:"What earned them." json:"source"`
	Earned     int64          `json:"earned"`
	Remaining  int64          `json:"remaining"`
	Expired    int64          `json:"expired"`
	Shortfall  int64          `doc:"Could not be taken back; what comes in next makes up for it." json:"shortfall"`
	ActiveFrom time.Time      `doc:"Spendable from here on." json:"active_from"`
	ExpiresAt  time.Time      `doc:"Left out if never." json:"expires_at,omitzero"`
	UpdatedAt  time.Time      `json:"updated_at"`
}

func viewLot(l loyalty.Lot) lotView {
	return lotView{
		ID: l.ID, Source: l.Source, Earned: l.Earned, Remaining: l.Remaining, Expired: l.Expired, Shortfall: l.Shortfall,
		ActiveFrom: l.ActiveFrom, ExpiresAt: l.ExpiresAt, UpdatedAt: l.UpdatedAt,
	}
}

// CustomerPath names a customer in a path.
type CustomerPath struct {
	Customer string `doc:"The customer's id; me for the caller." maxLength:"128" path:"customer"`
}

type (
	pointsOutput struct{ Body loyalty.Balance }
	lotList      struct {
		Items []lotView `json:"items"`
		Next  string    `doc:"The cursor of the next page; left out on the last." json:"next,omitempty"`
	}
	lotsInput struct {
		CustomerPath
		PageParams
		Open bool `doc:"Only lots with points left." query:"open"`
	}
	lotsOutput struct{ Body lotList }
)

func (a *api) pointsOperations() {
	register(a, operation{
		id: "getPoints", method: http.MethodGet, path: "/v1/customers/{customer}/points", tag: tagPoints,
		summary: "Read what points a customer holds", access: shoppers, errors: []int{http.StatusNotFound},
	}, a.getPoints)
	register(a, operation{
		id: "listPointLots", method: http.MethodGet, path: "/v1/customers/{customer}/points/lots", tag: tagPoints,
		summary: "List the lots that the points come from, newest first", access: shoppers, errors: []int{http.StatusNotFound},
	}, a.listLots)
}

// member returns the customer that a path names, if the caller may look at its points.
func member(c caller, id string) (hyperlocal.Ref, error) {
	if id == me || id == c.Actor.ID {
		return c.customer(), nil
	}
	if !c.admin() {
		return hyperlocal.Ref{}, ErrNotFound
	}
	return hyperlocal.NewRef(CustomerKind, id), nil
}

func (a *api) getPoints(ctx context.Context, c caller, in *CustomerPath) (*pointsOutput, error) {
	m, err := member(c, in.Customer)
	if err != nil {
		return nil, err
	}
	b, err := a.Loyalty.Balance(ctx, c.Tenant, m)
	if err != nil {
		return nil, err
	}
	return &pointsOutput{Body: b}, nil
}

func (a *api) listLots(ctx context.Context, c caller, in *lotsInput) (*lotsOutput, error) {
	m, err := member(c, in.Customer)
	if err != nil {
		return nil, err
	}
	page, err := a.Loyalty.Lots(ctx, c.Tenant, m, loyalty.LotFilter{Open: in.Open}, in.request())
	if err != nil {
		return nil, err
	}
	out := &lotsOutput{}
	out.Body.Items, out.Body.Next = pageOf(page, viewLot)
	return out, nil
}
