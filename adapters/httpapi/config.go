package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
	"github.com/hyperlocal-sdk/hyperlocal/order"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// Config is what the edge is made of. Authenticate and at least one service are required; the
// operations of a service that is nil do not exist.
type Config struct {
	Orders   *order.Service
	Stock    *inventory.Service // needs Locations or Catalog
	Catalog  *catalog.Service
	Payments *payment.Service // for webhooks; paying goes through Orders
	Loyalty  *loyalty.Service
	Ledger   *ledger.Service

	// Authenticate says who sends a request. It returns an error with code unauthenticated,
	// such as ErrUnauthenticated, when nobody is known to be asking; any other error is
	// answered as such an error is, a foreign one as a 500. It is not called for health checks
	// and webhooks. The kinds of actor are those of the order's transition table: "shopper",
	// "merchant", "courier", "admin".
	Authenticate func(*http.Request) (hyperlocal.Principal, error)
	// Challenge is the WWW-Authenticate header of a 401; "Bearer" by default.
	Challenge string
	// Ready reports why the server should get no requests now; nil means always ready.
	Ready func(ctx context.Context) error
	// Locations returns where a merchant keeps its stock; by default at its shop in Catalog.
	Locations func(ctx context.Context, tenant hyperlocal.TenantID, merchant hyperlocal.Ref) ([]hyperlocal.LocationID, error)
	// BeforePlace, if set, completes a shopper's order before it is placed: delivery fees,
	// taxes, what points are worth. What it adds counts for the idempotency key, so it depends
	// on the command alone and not on the time.
	BeforePlace func(ctx context.Context, p hyperlocal.Principal, c *order.PlaceCommand) error
	// PayLater lets shoppers place orders that are paid on delivery. Administrators always may.
	PayLater bool
	// TrustedOrigins are the sites, such as "https://shop.example", whose pages may request
	// changes from a browser beside our own.
	TrustedOrigins []string

	// Cache keeps the answers of the catalogue, which many ask for; nil: each is computed. It
	// has to be told of changes, see Affected.
	Cache     Cache
	Freshness Freshness // of answers of the catalogue, in the hands of others

	Logger *slog.Logger        // access and error log; nil means none
	IDs    hyperlocal.IDSource // names requests; RandomIDs by default
	Limits Limits
}

// Limits bound a request. Zero fields take the values of DefaultLimits.
type Limits struct {
	Timeout time.Duration // of a request, the calls to payment providers included
	Ready   time.Duration // of a readiness check
	Body    int64         // bytes of a body; 1 MiB is 5000 lines of 200 bytes, the most that an order has
	URL     int           // bytes of path and query
}

// DefaultLimits returns 60 seconds, 2 seconds, 1 MiB and 8 KiB.
func DefaultLimits() Limits {
	return Limits{Timeout: time.Minute, Ready: 2 * time.Second, Body: 1 << 20, URL: 8 << 10}
}

func (l *Limits) setDefaults() {
	d := DefaultLimits()
	if l.Timeout == 0 {
		l.Timeout = d.Timeout
	}
	if l.Ready == 0 {
		l.Ready = d.Ready
	}
	if l.Body == 0 {
		l.Body = d.Body
	}
	if l.URL == 0 {
		l.URL = d.URL
	}
}

// New returns the handler, or reports everything that is missing or wrong at once. It serves
// absolute paths, so it is mounted at the root of a host name.
//
// What only a server can do is left to it: http.Server's ReadHeaderTimeout, ReadTimeout,
// IdleTimeout and WriteTimeout, which must be longer than Limits.Timeout or the answer that the
// time is over is never sent; TLS, rate limits, and CORS if other sites are to call the API from browsers.
func New(c Config) (http.Handler, error) {
	c.Limits.setDefaults()
	c.Freshness.setDefaults()
	var wrong []error
	require := func(ok bool, field, message string) {
		if !ok {
			wrong = append(wrong, hyperlocal.Invalid("http", field, message))
		}
	}
	require(c.Authenticate != nil, "authenticate", "the edge needs to know who is asking")
	require(c.Orders != nil || c.Stock != nil || c.Catalog != nil || c.Payments != nil || c.Loyalty != nil || c.Ledger != nil,
		"services", "there is no service to offer")
	require(c.Stock == nil || c.Locations != nil || c.Catalog != nil, "locations",
		"the stock operations need to know where merchants keep their stock: Locations or Catalog")
	require(c.Limits.Timeout > 0 && c.Limits.Ready > 0 && c.Limits.Body > 0 && c.Limits.URL > 0, "limits", "limits are positive")
	origins := http.NewCrossOriginProtection()
	for _, o := range c.TrustedOrigins {
		if err := origins.AddTrustedOrigin(o); err != nil {
			wrong = append(wrong, hyperlocal.Invalid("http", "trusted_origins", "an origin is a scheme and a host").With("origin", o))
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	if c.Locations == nil && c.Catalog != nil {
		c.Locations = shopLocation(c.Catalog)
	}
	if c.Ready == nil {
		c.Ready = func(context.Context) error { return nil }
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.IDs == nil {
		c.IDs = hyperlocal.RandomIDs{}
	}
	a := newAPI(c)
	router := chi.NewRouter()
	if err := a.mount(router); err != nil {
		return nil, err
	}
	return a.around(router, origins), nil
}

// shopLocation is the default for Config.Locations. A merchant without a shop has none.
func shopLocation(s *catalog.Service) func(context.Context, hyperlocal.TenantID, hyperlocal.Ref) ([]hyperlocal.LocationID, error) {
	return func(ctx context.Context, tenant hyperlocal.TenantID, merchant hyperlocal.Ref) ([]hyperlocal.LocationID, error) {
		shop, err := s.GetShop(ctx, tenant, merchant)
		if hyperlocal.IsCode(err, hyperlocal.CodeNotFound) {
			return nil, nil
		}
		return []hyperlocal.LocationID{shop.Location}, err
	}
}
