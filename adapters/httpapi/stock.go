package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
)

// levelView is a stock level as the edge shows it.
type levelView struct {
	Item           hyperlocal.ItemID     `json:"item"`
	Location       hyperlocal.LocationID `json:"location"`
	Mode           inventory.Mode        `enum:"none,track_only,reserve_on_order,reserve_on_cart"          json:"mode"`
	OnHand         hyperlocal.Quantity   `doc:"What lies there, reserved units included."                  json:"on_hand"`
	Reserved       hyperlocal.Quantity   `doc:"Promised and not yet gone."                                 json:"reserved"`
	Available      hyperlocal.Quantity   `doc:"On hand and not reserved; negative is what is owed."        json:"available"`
	BackorderLimit hyperlocal.Quantity   `doc:"How much more than what is on hand may be reserved."        json:"backorder_limit"`
	LowAt          *hyperlocal.Quantity  `doc:"At and below which the level is low; left out for never."   json:"low_at,omitempty"`
	Low            bool                  `json:"low"`
	Version        int64                 `doc:"State it when the level is adjusted."                       json:"version"`
	UpdatedAt      time.Time             `json:"updated_at"`
}

func viewLevel(l inventory.Level) levelView {
	view := levelView{
		Item: l.Item, Location: l.Location, Mode: l.Mode, OnHand: l.OnHand, Reserved: l.Reserved, Available: l.Available(),
		BackorderLimit: l.BackorderLimit, Low: l.Low(), Version: l.Version, UpdatedAt: l.UpdatedAt,
	}
	if l.LowAt.IsValid() {
		view.LowAt = &l.LowAt
	}
	return view
}

// countedLine says what was counted.
type countedLine struct {
	Item     string              `holds:"code"                                        json:"item"     maxLength:"128" minLength:"1"`
	Location string              `holds:"code"                                        json:"location" maxLength:"128" minLength:"1"`
	OnHand   hyperlocal.Quantity `doc:"What there is, reserved units included."       json:"on_hand"`
	Version  int64               `doc:"The level's when it was read for the count."   json:"version"  minimum:"1"`
}

// receivedLine says what has arrived.
type receivedLine struct {
	Item     string               `holds:"code" json:"item"     maxLength:"128" minLength:"1"`
	Location string               `holds:"code" json:"location" maxLength:"128" minLength:"1"`
	Quantity hyperlocal.Quantity  `json:"quantity"`
	External *hyperlocal.External `doc:"Makes the line repeatable: recorded before, it does nothing." json:"external,omitempty"`
}

// stockDone is the answer to a command on stock.
type stockDone struct {
	Levels   []levelView `doc:"As the command left them."              json:"levels"`
	Applied  int         `doc:"Lines that were new."                   json:"applied"`
	Repeated int         `doc:"Lines that had been recorded before."   json:"repeated"`
}

type (
	adjustBody struct {
		Lines  []countedLine `json:"lines" maxItems:"5000" minItems:"1"`
		Reason string        `json:"reason,omitempty" maxLength:"500"`
	}
	receiveBody struct {
		Lines  []receivedLine `json:"lines" maxItems:"5000" minItems:"1"`
		Reason string         `json:"reason,omitempty" maxLength:"500"`
	}
	levelList struct {
		Items []levelView `json:"items"`
		Next  string      `doc:"The cursor of the next page; left out on the last." json:"next,omitempty"`
	}
	levelsInput struct {
		PageParams
		Item     string `doc:"Only this item." maxLength:"128" query:"item"`
		Location string `doc:"Only there. Those who work for a merchant see the merchant's location, and name it if there are several." maxLength:"128" query:"location"`
		Low      bool   `doc:"Only what is running low." query:"low"`
	}
	levelsOutput struct{ Body levelList }
	adjustInput  struct {
		RequiredKey
		Body adjustBody
	}
	receiveInput struct {
		OptionalKey
		Body receiveBody
	}
	stockOutput struct {
		Replayed string `doc:"true when an earlier request with the same key did it." header:"Idempotency-Replayed"`
		Body     stockDone
	}
)

func (a *api) stockOperations() {
	register(a, operation{
		id: "listStock", method: http.MethodGet, path: "/v1/stock", tag: tagStock, summary: "List stock levels by item and location",
		access: merchants, errors: []int{http.StatusNotFound},
	}, a.listStock)
	register(a, operation{
		id: "adjustStock", method: http.MethodPost, path: "/v1/stock/adjustments", tag: tagStock, summary: "Put levels right after a count",
		about:  "All lines or none. A level that has changed since it was read is answered with 409, reason inventory/stale, and its present version.",
		access: merchants, key: true, errors: []int{http.StatusNotFound, http.StatusConflict},
	}, a.adjustStock)
	register(a, operation{
		id: "receiveStock", method: http.MethodPost, path: "/v1/stock/receipts", tag: tagStock, summary: "Record goods that have arrived",
		about: "All lines or none.", access: merchants, errors: []int{http.StatusNotFound, http.StatusConflict},
	}, a.receiveStock)
}

func (a *api) listStock(ctx context.Context, c caller, in *levelsInput) (*levelsOutput, error) {
	f := inventory.LevelFilter{Item: hyperlocal.ItemID(in.Item), Location: hyperlocal.LocationID(in.Location), Low: in.Low}
	if !c.admin() && in.Location == "" {
		own, err := a.Locations(ctx, c.Tenant, c.merchant())
		if err != nil {
			return nil, err
		}
		switch len(own) {
		case 0:
			return nil, ErrNotFound
		case 1:
			f.Location = own[0]
		default:
			return nil, hyperlocal.Invalid("http", "location", "the merchant has several locations; name one")
		}
	}
	if ok, err := a.tends(ctx, c, f.Location); err != nil || !ok {
		return nil, refusal(err, ErrNotFound)
	}
	page, err := a.Stock.ListLevels(ctx, c.Tenant, f, in.request())
	if err != nil {
		return nil, err
	}
	out := &levelsOutput{}
	out.Body.Items, out.Body.Next = pageOf(page, viewLevel)
	return out, nil
}

func (a *api) adjustStock(ctx context.Context, c caller, in *adjustInput) (*stockOutput, error) {
	command := inventory.AdjustCommand{Tenant: c.Tenant, Actor: c.Actor, Key: in.Key, Reason: in.Body.Reason}
	for _, l := range in.Body.Lines {
		line := inventory.AdjustLine{
			Item: hyperlocal.ItemID(l.Item), Location: hyperlocal.LocationID(l.Location), OnHand: l.OnHand, Version: l.Version,
		}
		if err := a.mayMove(ctx, c, line.Item, line.Location); err != nil {
			return nil, err
		}
		command.Lines = append(command.Lines, line)
	}
	return doneStock(a.Stock.Adjust(ctx, command))
}

func (a *api) receiveStock(ctx context.Context, c caller, in *receiveInput) (*stockOutput, error) {
	command := inventory.StockCommand{Tenant: c.Tenant, Actor: c.Actor, Key: in.Key, Reason: in.Body.Reason}
	for _, l := range in.Body.Lines {
		line := inventory.StockLine{Item: hyperlocal.ItemID(l.Item), Location: hyperlocal.LocationID(l.Location), Quantity: l.Quantity}
		if l.External != nil {
			line.External = *l.External
		}
		if err := a.mayMove(ctx, c, line.Item, line.Location); err != nil {
			return nil, err
		}
		command.Lines = append(command.Lines, line)
	}
	return doneStock(a.Stock.Receive(ctx, command))
}

// mayMove answers for a location of somebody else as for an item that does not exist.
func (a *api) mayMove(ctx context.Context, c caller, item hyperlocal.ItemID, location hyperlocal.LocationID) error {
	if ok, err := a.tends(ctx, c, location); err != nil || !ok {
		return refusal(err, inventory.ErrUnknownItem.With("item", item).With("location", location))
	}
	return nil
}

// refusal is the error, or what stands for "not yours" when there is none.
func refusal(err error, no *hyperlocal.Error) error {
	if err != nil {
		return err
	}
	return no
}

func doneStock(r inventory.StockResult, err error) (*stockOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &stockOutput{Replayed: replayed(r.Replayed), Body: stockDone{Levels: make([]levelView, len(r.Levels)), Applied: r.Applied, Repeated: r.Repeated}}
	for i := range r.Levels {
		out.Body.Levels[i] = viewLevel(r.Levels[i])
	}
	return out, nil
}
