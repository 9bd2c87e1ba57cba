package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
)

// availabilityAge is how old an answer about what there is can be: a sale says nothing to
// those who look on, so the answer goes out of date by time.
const availabilityAge = time.Second

// What a shopper is told of a variant.
const (
	availableNow = "available"
	runningLow   = "low"
	soldOut      = "sold_out"
)

// variantAvailability says whether a variant can be had.
type variantAvailability struct {
	ID     catalog.VariantID    `json:"id"`
	SKU    string               `json:"sku"`
	Status string               `doc:"low: there is some, and not much. What is not counted is available."                  enum:"available,low,sold_out" json:"status"`
	Left   *hyperlocal.Quantity `doc:"What can still be ordered, backorders included; said only when the status is low."  json:"left,omitempty"`
}

type availabilityView struct {
	Product  catalog.ProductID     `json:"product"`
	Variants []variantAvailability `json:"variants"`
}

type availabilityOutput struct{ Body availabilityView }

func (a *api) availabilityOperations() {
	register(a, operation{
		id: "getAvailability", method: http.MethodGet, path: "/v1/products/{product}/availability", tag: tagCatalogue,
		summary: "Read what can be had of a product, at most a second old", access: known,
		shared: &shared{about: aboutProduct, age: availabilityAge}, errors: []int{http.StatusNotFound},
	}, a.getAvailability)
}

func (a *api) getAvailability(ctx context.Context, c caller, in *productInput) (*availabilityOutput, error) {
	p, err := a.published(ctx, c, in.Product)
	if err != nil {
		return nil, err
	}
	keys := make([]inventory.Key, 0, len(p.Variants))
	for _, v := range p.Variants {
		if v.Stocked {
			keys = append(keys, inventory.Key{Tenant: c.Tenant, Item: v.Item, Location: v.Location})
		}
	}
	found, err := a.Stock.Levels(ctx, keys...)
	if err != nil {
		return nil, err
	}
	levels := make(map[inventory.Key]inventory.Level, len(found))
	for _, l := range found {
		levels[l.Key()] = l
	}
	out := &availabilityOutput{Body: availabilityView{Product: p.ID, Variants: make([]variantAvailability, len(p.Variants))}}
	for i, v := range p.Variants {
		out.Body.Variants[i] = variantAvailability{ID: v.ID, SKU: v.SKU, Status: availableNow}
		if v.Stocked {
			l, ok := levels[inventory.Key{Tenant: c.Tenant, Item: v.Item, Location: v.Location}]
			out.Body.Variants[i].tell(l, ok)
		}
	}
	return out, nil
}

// tell says what a level means for a shopper. An item that nobody has set up cannot be ordered.
func (v *variantAvailability) tell(l inventory.Level, ok bool) {
	if ok && !l.Mode.Guarded() {
		return
	}
	left, err := l.Available().Add(l.BackorderLimit)
	switch {
	case !ok || err != nil || left.Value() <= 0:
		v.Status = soldOut
	case l.Low():
		v.Status, v.Left = runningLow, &left
	}
}

// recently names the present moment, for answers that are true for that long.
func recently(age time.Duration) string {
	return "@" + strconv.FormatInt(hyperlocal.Stopwatch().UnixNano()/int64(age), 36)
}
