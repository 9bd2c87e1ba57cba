package inventory

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// LevelChanged is what every event of a level tells: how it stands after the transaction. It
// is embedded in each event below, so a consumer that missed some can still act on one.
type LevelChanged struct {
	Item     hyperlocal.ItemID     `json:"item"`
	Location hyperlocal.LocationID `json:"location"`
	OnHand   hyperlocal.Quantity   `json:"on_hand"`
	Reserved hyperlocal.Quantity   `json:"reserved"`
	Version  int64                 `json:"version"`
	At       time.Time             `json:"at"` // effective time of the change
}

// The events. A reservation and its commit emit none: what happens to an order is told by
// the order's own events, and a hot item would drown its readers.
type (
	// StockItemSet tells that an item became known at a location, or its settings changed.
	StockItemSet struct {
		LevelChanged
		Mode           Mode                `json:"mode"`
		BackorderLimit hyperlocal.Quantity `json:"backorder_limit"`
		LowAt          hyperlocal.Quantity `json:"low_at"`
	}
	// StockReceived tells that units arrived.
	StockReceived struct {
		LevelChanged
		Quantity hyperlocal.Quantity `json:"quantity"`
	}
	// StockWrittenOff tells that units are gone without having been sold.
	StockWrittenOff struct {
		LevelChanged
		Quantity hyperlocal.Quantity `json:"quantity"` // > 0
	}
	// StockTransferred tells that units left for, or came from, another location.
	StockTransferred struct {
		LevelChanged
		Quantity hyperlocal.Quantity   `json:"quantity"` // negative where they left
		Other    hyperlocal.LocationID `json:"other"`
	}
	// StockAdjusted tells that a count put the level right.
	StockAdjusted struct {
		LevelChanged
		Delta hyperlocal.Quantity `json:"delta"`
	}
	// StockReturned tells that committed units came back.
	StockReturned struct {
		LevelChanged
		Quantity hyperlocal.Quantity `json:"quantity"`
		Owner    hyperlocal.Ref      `json:"owner"`
	}
	// StockLow tells that what is available fell to the threshold or below: once, and again
	// only after the level has been above the threshold.
	StockLow struct {
		LevelChanged
		LowAt hyperlocal.Quantity `json:"low_at"`
	}
	// StockHoldExpired tells that a hold ran out and its units are free again.
	StockHoldExpired struct {
		LevelChanged
		Quantity hyperlocal.Quantity `json:"quantity"`
		Owner    hyperlocal.Ref      `json:"owner"`
	}
	// StockRepaired tells that a level or its movements did not add up and were put right.
	StockRepaired struct {
		LevelChanged
		OnHandBefore   hyperlocal.Quantity `json:"on_hand_before"`
		ReservedBefore hyperlocal.Quantity `json:"reserved_before"`
		Keep           Keep                `json:"keep"`
	}
)

// EventName is "<context>.<past participle>"; every version is 1.
func (StockItemSet) EventName() string     { return "inventory.item_set" }
func (StockReceived) EventName() string    { return "inventory.received" }
func (StockWrittenOff) EventName() string  { return "inventory.written_off" }
func (StockTransferred) EventName() string { return "inventory.transferred" }
func (StockAdjusted) EventName() string    { return "inventory.adjusted" }
func (StockReturned) EventName() string    { return "inventory.returned" }
func (StockLow) EventName() string         { return "inventory.low" }
func (StockHoldExpired) EventName() string { return "inventory.hold_expired" }
func (StockRepaired) EventName() string    { return "inventory.repaired" }

// EventVersion of everything that embeds LevelChanged.
func (LevelChanged) EventVersion() int { return 1 }

// Events lists one value of every event of this context, for catalogues and decoders.
func Events() []hyperlocal.Event {
	return []hyperlocal.Event{
		StockItemSet{}, StockReceived{}, StockWrittenOff{}, StockTransferred{}, StockAdjusted{},
		StockReturned{}, StockLow{}, StockHoldExpired{}, StockRepaired{},
	}
}

// Ref returns the reference under which events name the level: "stock/<item>/<location>", or
// a digest where that is too long for a reference or could be read in two ways.
func (k Key) Ref() hyperlocal.Ref {
	id := string(k.Item) + "/" + string(k.Location)
	if len(id) > hyperlocal.MaxRefID || strings.Contains(string(k.Item), "/") {
		sum := sha256.Sum256([]byte(string(k.Item) + "\x00" + string(k.Location)))
		id = "sha256:" + hex.EncodeToString(sum[:])
	}
	return hyperlocal.NewRef("stock", id)
}
