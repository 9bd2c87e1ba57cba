package catalog

import (
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// MerchantKind is the kind of every merchant's reference.
const MerchantKind = "merchant"

// MaxName bounds the name of a shop, in bytes.
const MaxName = 200

// Merchant returns the reference of the merchant with this id.
func Merchant(id string) hyperlocal.Ref { return hyperlocal.NewRef(MerchantKind, id) }

// Shop is what a merchant sells from. A merchant has one, and its reference is the key.
type Shop struct {
	Tenant    hyperlocal.TenantID   `json:"tenant"`
	Merchant  hyperlocal.Ref        `json:"merchant"`
	Name      string                `json:"name"`
	Currency  hyperlocal.Currency   `json:"currency"` // what its offers are in; fixed for ever
	Location  hyperlocal.LocationID `json:"location"` // where new variants are stocked unless said otherwise
	Open      bool                  `json:"open"`     // a closed shop offers nothing
	Version   int64                 `json:"version"`
	CreatedAt time.Time             `json:"created_at"`
	UpdatedAt time.Time             `json:"updated_at"`
}

func (s Shop) validate() error {
	if err := checkMerchant(s.Merchant); err != nil {
		return err
	}
	if err := required("name", s.Name, MaxName); err != nil {
		return err
	}
	if !s.Currency.Valid() {
		return invalid("currency", "a shop has a currency of ISO 4217")
	}
	return required("location", string(s.Location), hyperlocal.MaxRefID)
}

func checkMerchant(r hyperlocal.Ref) error {
	if r.Kind != MerchantKind {
		return invalid("merchant", `a merchant is referred to as "merchant/<id>"`)
	}
	return r.Validate()
}

// required refuses text that is empty, begins or ends with white space, is long or unprintable.
func required(field, text string, limit int) error {
	if text == "" || strings.TrimSpace(text) != text {
		return invalid(field, "the text is empty or has white space around it")
	}
	return hyperlocal.CheckText("catalog", field, text, limit)
}
