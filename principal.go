package hyperlocal

import "slices"

// Actor is who did something, as history and audit store it.
type Actor struct {
	Kind string `json:"kind"` // "shopper", "merchant", "admin", "system", "courier", ...
	ID   string `json:"id"`
}

// System returns the actor for what a part of the software does on its own.
func System(part string) Actor { return Actor{Kind: "system", ID: part} }

// Validate refuses an actor without kind or id: every command has a doer.
func (a Actor) Validate() error {
	if a.Kind == "" || a.ID == "" {
		return Invalid("actor", "actor", "a command names its actor: kind and id")
	}
	if err := CheckText("actor", "kind", a.Kind, MaxRefKind); err != nil {
		return err
	}
	return CheckText("actor", "id", a.ID, MaxRefID)
}

// Scopes that the HTTP edge asks for. A host may add its own.
const (
	ScopeShop     = "shop"     // read the catalogue, place, pay and read one's own orders
	ScopeMerchant = "merchant" // work the orders and stock of one merchant
	ScopeAdmin    = "admin"    // everything within the tenant
)

// Principal is who is asking, as the host's authentication established it.
type Principal struct {
	Tenant   TenantID
	Actor    Actor
	Merchant string // the merchant that a merchant's principal works for, else ""
	Scopes   []string
}

// Has reports whether the principal holds the scope.
func (p Principal) Has(scope string) bool { return slices.Contains(p.Scopes, scope) }
