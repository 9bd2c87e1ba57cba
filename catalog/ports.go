package catalog

import (
	"context"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Store keeps shops and products. Writes join the transaction of ctx and fail with code
// internal outside one. Reads outside a transaction see committed data. Something missing is
// left out of a result, never an error.
//
// Whoever changes a merchant's products holds the lock on its shop, so the store needs no
// other lock; its checks of versions and SKUs are the second net.
type Store interface {
	// InsertShop queues a new shop; ErrShopExists if the merchant has one.
	InsertShop(ctx context.Context, shop Shop) error
	// LockShop locks the merchant's shop until the end of the transaction and returns it;
	// false if there is none.
	LockShop(ctx context.Context, tenant hyperlocal.TenantID, merchant hyperlocal.Ref) (Shop, bool, error)
	// SaveShop queues a changed shop. The row must still have version Version-1, else the
	// transaction fails with ErrStale.
	SaveShop(ctx context.Context, shop Shop) error
	// InsertProducts queues new products with variants and prices, in a constant number of
	// statements. ErrSKUTaken if a SKU is in use.
	InsertProducts(ctx context.Context, products []Product) error
	// SaveProducts queues changed products of one merchant: heads, changed and added
	// variants, and their prices as they shall be, in a constant number of statements. The
	// rows must still have version Version-1, else the transaction fails with ErrStale.
	SaveProducts(ctx context.Context, products []Product) error

	Reader
}

// Reader is the reading part of Store. Products come with variants and prices, in at most
// three statements whatever their number.
type Reader interface {
	// Shops returns the shops of these merchants, in any order.
	Shops(ctx context.Context, tenant hyperlocal.TenantID, merchants ...hyperlocal.Ref) ([]Shop, error)
	// ListShops returns shops by (name without regard to case, merchant).
	ListShops(ctx context.Context, tenant hyperlocal.TenantID, f ShopFilter, p hyperlocal.PageRequest) (hyperlocal.Page[Shop], error)
	// Products returns the products with these ids, in any order.
	Products(ctx context.Context, tenant hyperlocal.TenantID, ids ...ProductID) ([]Product, error)
	// ProductsBySKU returns the merchant's products that have variants with these SKUs, whole,
	// in any order.
	ProductsBySKU(ctx context.Context, tenant hyperlocal.TenantID, merchant hyperlocal.Ref, skus ...string) ([]Product, error)
	// ListProducts returns products by (TitleKey, ID).
	ListProducts(ctx context.Context, tenant hyperlocal.TenantID, f Filter, p hyperlocal.PageRequest) (hyperlocal.Page[Product], error)
	// Sellables returns what an offer is made of for the merchant's variants, in any order, in
	// one statement.
	Sellables(ctx context.Context, tenant hyperlocal.TenantID, merchant hyperlocal.Ref, variants ...VariantID) ([]Sellable, error)
}

// Filter selects products; zero fields select everything.
type Filter struct {
	Merchant hyperlocal.Ref `json:"merchant,omitzero"`
	State    State          `json:"state,omitempty"`
	// TitlePrefix is what the title begins with, without regard to case.
	TitlePrefix string `json:"title_prefix,omitempty"`
}

// ShopFilter selects shops; the zero value selects all.
type ShopFilter struct {
	OnlyOpen bool `json:"only_open,omitempty"`
}

// Sellable is a variant without its prices, together with all that decides whether and for
// how much it can be bought.
type Sellable struct {
	Variant  Variant
	Title    string // the product's
	Kind     Kind
	State    State
	Open     bool             // the shop is
	Priced   bool             // there is a price in the shop's currency
	Price    hyperlocal.Money // zero unless Priced
	Currency hyperlocal.Currency
}
