package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
)

// shopView is a shop as the edge shows it.
type shopView struct {
	Merchant string                `json:"merchant"`
	Name     string                `json:"name"`
	Currency hyperlocal.Currency   `json:"currency"`
	Location hyperlocal.LocationID `json:"location"`
	Open     bool                  `doc:"A closed shop takes no orders." json:"open"`
	Version  int64                 `json:"version"`
}

func viewShop(s catalog.Shop) shopView {
	return shopView{Merchant: s.Merchant.ID, Name: s.Name, Currency: s.Currency, Location: s.Location, Open: s.Open, Version: s.Version}
}

// productView is a product as the edge shows it.
type productView struct {
	ID          catalog.ProductID `json:"id"`
	Merchant    string            `json:"merchant"`
	Title       string            `json:"title"`
	Description string            `json:"description,omitempty"`
	Kind        catalog.Kind      `enum:"goods,service,booking,ticket,deal,modifier" json:"kind"`
	State       catalog.State     `enum:"draft,active,archived"                      json:"state"`
	Version     int64             `json:"version"`
	UpdatedAt   time.Time         `json:"updated_at"`
	Variants    []variantView     `json:"variants"`
}

// variantView is what is bought.
type variantView struct {
	ID            catalog.VariantID     `doc:"What an order's line names." json:"id"`
	SKU           string                `json:"sku"`
	Title         string                `json:"title,omitempty"`
	Options       []catalog.Option      `json:"options,omitempty"`
	Stocked       bool                  `json:"stocked"`
	Item          hyperlocal.ItemID     `json:"item,omitempty"`
	Location      hyperlocal.LocationID `json:"location,omitempty"`
	PriceQuantity hyperlocal.Quantity   `doc:"What a price is for." json:"price_quantity"`
	Prices        []hyperlocal.Money    `json:"prices"`
}

func viewProduct(p catalog.Product) productView {
	view := productView{
		ID: p.ID, Merchant: p.Merchant.ID, Title: p.Title, Description: p.Description, Kind: p.Kind, State: p.State,
		Version: p.Version, UpdatedAt: p.UpdatedAt, Variants: make([]variantView, len(p.Variants)),
	}
	for i, v := range p.Variants {
		prices := v.Prices
		if prices == nil {
			prices = []hyperlocal.Money{}
		}
		view.Variants[i] = variantView{
			ID: v.ID, SKU: v.SKU, Title: v.Title, Options: v.Options, Stocked: v.Stocked, Item: v.Item, Location: v.Location,
			PriceQuantity: v.PriceQuantity, Prices: prices,
		}
	}
	return view
}

type shopList struct {
	Items []shopView `json:"items"`
	Next  string     `doc:"The cursor of the next page; left out on the last." json:"next,omitempty"`
}

type productList struct {
	Items []productView `json:"items"`
	Next  string        `doc:"The cursor of the next page; left out on the last." json:"next,omitempty"`
}

// ShopPath names a shop in a path.
type ShopPath struct {
	Merchant string `doc:"The merchant's id." maxLength:"128" path:"merchant"`
}

type (
	shopsOutput    struct{ Body shopList }
	productsOutput struct{ Body productList }
	productOutput  struct{ Body productView }
	shopOutput     struct{ Body shopView }
	shopsInput     struct {
		PageParams
		Open bool `doc:"Only shops that are open." query:"open"`
	}
	productsInput struct {
		ShopPath
		PageParams
		State string `doc:"Only in this state. Those who do not sell them see active products only." enum:"draft,active,archived" query:"state"`
		Title string `doc:"Only titles that begin so, without regard to case." maxLength:"300" query:"title"`
	}
	productInput struct {
		Product string `doc:"The product's id." maxLength:"36" path:"product"`
	}
)

func (a *api) catalogOperations() {
	register(a, operation{
		id: "listShops", method: http.MethodGet, path: "/v1/shops", tag: tagCatalogue, summary: "List shops by name", access: known,
		shared: &shared{about: aboutShops, open: true},
	}, a.listShops)
	register(a, operation{
		id: "getShop", method: http.MethodGet, path: "/v1/shops/{merchant}", tag: tagCatalogue, summary: "Read a shop", access: known,
		shared: &shared{about: aboutMerchant, open: true},
		errors: []int{http.StatusNotFound},
	}, a.getShop)
	register(a, operation{
		id: "listProducts", method: http.MethodGet, path: "/v1/shops/{merchant}/products", tag: tagCatalogue,
		summary: "List the products of a shop by title, with variants and prices", access: known, shared: &shared{about: aboutMerchant}, errors: []int{http.StatusNotFound},
	}, a.listProducts)
	register(a, operation{
		id: "getProduct", method: http.MethodGet, path: "/v1/products/{product}", tag: tagCatalogue,
		summary: "Read a product with its variants and prices", access: known, shared: &shared{about: aboutProduct}, errors: []int{http.StatusNotFound},
	}, a.getProduct)
}

func (a *api) listShops(ctx context.Context, c caller, in *shopsInput) (*shopsOutput, error) {
	page, err := a.Catalog.ListShops(ctx, c.Tenant, catalog.ShopFilter{OnlyOpen: in.Open}, in.request())
	if err != nil {
		return nil, err
	}
	out := &shopsOutput{}
	out.Body.Items, out.Body.Next = pageOf(page, viewShop)
	return out, nil
}

func (a *api) getShop(ctx context.Context, c caller, in *ShopPath) (*shopOutput, error) {
	shop, err := a.Catalog.GetShop(ctx, c.Tenant, catalog.Merchant(in.Merchant))
	if err != nil {
		return nil, err
	}
	return &shopOutput{Body: viewShop(shop)}, nil
}

func (a *api) listProducts(ctx context.Context, c caller, in *productsInput) (*productsOutput, error) {
	merchant := catalog.Merchant(in.Merchant)
	if _, err := a.Catalog.GetShop(ctx, c.Tenant, merchant); err != nil {
		return nil, err
	}
	state := catalog.State(in.State)
	if !c.sells(merchant) {
		if state != "" && state != catalog.Active {
			return &productsOutput{Body: productList{Items: []productView{}}}, nil
		}
		state = catalog.Active
	}
	page, err := a.Catalog.ListProducts(ctx, c.Tenant,
		catalog.Filter{Merchant: merchant, State: state, TitlePrefix: in.Title}, in.request())
	if err != nil {
		return nil, err
	}
	out := &productsOutput{}
	out.Body.Items, out.Body.Next = pageOf(page, viewProduct)
	return out, nil
}

func (a *api) getProduct(ctx context.Context, c caller, in *productInput) (*productOutput, error) {
	p, err := a.published(ctx, c, in.Product)
	if err != nil {
		return nil, err
	}
	return &productOutput{Body: viewProduct(p)}, nil
}

// published returns a product that the caller may see.
func (a *api) published(ctx context.Context, c caller, id string) (catalog.Product, error) {
	p, err := a.Catalog.GetProduct(ctx, c.Tenant, catalog.ProductID(id))
	if err == nil && p.State != catalog.Active && !c.sells(p.Merchant) {
		err = catalog.ErrProductNotFound.With("product", id)
	}
	return p, err
}

// sells reports whether the caller sees what a merchant has not published.
func (c caller) sells(merchant hyperlocal.Ref) bool {
	return c.admin() || c.works() && c.merchant() == merchant
}
