package catalog

import "github.com/hyperlocal-sdk/hyperlocal"

// Errors of this context.
var (
	ErrShopNotFound    = hyperlocal.NewError(hyperlocal.CodeNotFound, "catalog/shop_not_found", "there is no such shop")
	ErrProductNotFound = hyperlocal.NewError(hyperlocal.CodeNotFound, "catalog/product_not_found", "there is no such product")
	ErrVariantNotFound = hyperlocal.NewError(hyperlocal.CodeNotFound, "catalog/variant_not_found", "there is no such variant")
	ErrShopExists      = hyperlocal.NewError(hyperlocal.CodeAlreadyExists, "catalog/shop_exists", "the merchant has a shop already")
	ErrSKUTaken        = hyperlocal.NewError(hyperlocal.CodeAlreadyExists, "catalog/sku_taken",
		"another variant of the merchant has this SKU")
	// ErrStale carries the present version in its field "version".
	ErrStale = hyperlocal.NewError(hyperlocal.CodeConflict, "catalog/stale", "it has changed; read it again")
	// ErrRepeatedSKU: an import names the SKU twice with different content; the first row counts.
	ErrRepeatedSKU = hyperlocal.NewError(hyperlocal.CodeInvalid, "catalog/repeated_sku",
		"an earlier row of this import has the same SKU and other content")

	// Why a variant cannot be bought now.
	ErrShopClosed = hyperlocal.NewError(hyperlocal.CodePrecondition, "catalog/shop_closed", "the shop is closed")
	ErrNotForSale = hyperlocal.NewError(hyperlocal.CodePrecondition, "catalog/not_for_sale", "the product is not for sale")
	ErrNoPrice    = hyperlocal.NewError(hyperlocal.CodePrecondition, "catalog/no_price",
		"the variant has no price in the shop's currency")
)

func invalid(field, message string) *hyperlocal.Error {
	return hyperlocal.Invalid("catalog", field, message)
}
