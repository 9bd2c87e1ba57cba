package httpapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
	"github.com/hyperlocal-sdk/hyperlocal/order"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// Version is that of the API as its description states it. Within v1 only additions are made.
const Version = "1.0.0"

// api is the edge while it is built and while it runs.
type api struct {
	Config
	challenge    string
	cacheControl []string // of shared answers
	huma         huma.API
}

func newAPI(c Config) *api {
	return &api{Config: c, challenge: cmp.Or(c.Challenge, "Bearer"), cacheControl: []string{c.Freshness.header()}}
}

// mount registers the operations of the services that there are, then the pages that describe
// them.
func (a *api) mount(router chi.Router) error {
	a.huma = humachi.New(router, huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "hyperlocal", Version: Version,
				Description: "Hyperlocal commerce: shops, orders, payments, stock, points and books. " +
					"Money is an integer in minor units with its currency; a quantity is a decimal string with its unit; " +
					"times are RFC 3339 in UTC. Refusals are RFC 9457 problems with a stable code and reason. " +
					"Lists are paged by an opaque cursor that belongs to one list and filter.",
			},
			Tags: tags(),
			Components: &huma.Components{
				Schemas: registry(),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"principal": {Type: "http", Scheme: "bearer", Description: "Whatever credentials the host accepts."},
				},
			},
		},
		Formats: map[string]huma.Format{
			"application/json": {Marshal: marshal, Unmarshal: unmarshal},
			"json":             {Marshal: marshal, Unmarshal: unmarshal},
		},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{a.transform},
	})
	a.healthOperations()
	if a.Catalog != nil {
		a.catalogOperations()
	}
	if a.Orders != nil {
		a.orderOperations()
		a.orderCommands()
		a.moneyOperations()
	}
	if a.Stock != nil {
		a.stockOperations()
		if a.Catalog != nil {
			a.availabilityOperations()
		}
	}
	if a.Loyalty != nil {
		a.pointsOperations()
	}
	if a.Ledger != nil {
		a.bookOperations()
	}
	if a.Payments != nil {
		a.webhookOperations()
	}
	for _, s := range a.huma.OpenAPI().Components.Schemas.Map() {
		neverNull(s)
	}
	return a.describe(router)
}

func marshal(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// access says who may call an operation.
type access struct {
	public bool     // everybody, unknown
	scopes []string // one of them; none means everybody who is known
}

// Who may call what. The words are the root package's scopes.
var (
	everybody = access{public: true}
	known     = access{}
	shoppers  = access{scopes: []string{hyperlocal.ScopeShop, hyperlocal.ScopeAdmin}}
	merchants = access{scopes: []string{hyperlocal.ScopeMerchant, hyperlocal.ScopeAdmin}}
	concerned = access{scopes: []string{hyperlocal.ScopeShop, hyperlocal.ScopeMerchant, hyperlocal.ScopeAdmin}}
	admins    = access{scopes: []string{hyperlocal.ScopeAdmin}}
)

// operation is what we state of an operation beside its types.
type operation struct {
	id, method, path string
	tag, summary     string
	about            string
	access           access
	key              bool    // the Idempotency-Key header is required
	status           int     // of a success; 200 if zero
	also             []int   // further statuses of a success
	shared           *shared // the answer is the same for many
	errors           []int   // beside those that follow from the rest
}

// register adds an operation. I and O are as the framework wants them: parameters in tagged
// fields, the body in Body.
func register[I, O any](a *api, op operation, handle func(ctx context.Context, c caller, in *I) (*O, error)) {
	input := reflect.TypeFor[I]()
	guard := gate{api: a, op: op, bare: op.access.public && input.NumField() == 0}
	if f, ok := input.FieldByName("Body"); ok {
		guard.body = true
		guard.codes = codesOf(f.Type)
	}
	if _, ok := input.FieldByName("RawBody"); ok {
		guard.raw = true
	}
	h := huma.Operation{
		OperationID: op.id, Method: op.method, Path: op.path, Tags: []string{op.tag}, Summary: op.summary,
		Description: op.about, DefaultStatus: cmp.Or(op.status, http.StatusOK), Errors: op.failures(guard),
		Middlewares: huma.Middlewares{guard.pass}, Responses: map[string]*huma.Response{},
		MaxBodyBytes: -1, // the gate bounds it
	}
	if !op.access.public {
		h.Security = []map[string][]string{{"principal": {}}}
		scopes := op.access.scopes
		if scopes == nil {
			scopes = []string{}
		}
		h.Extensions = map[string]any{"x-scopes": scopes}
	}
	huma.Register(a.huma, h, func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, callerFrom(ctx), in)
		if err != nil {
			p := a.problem(ctx, err)
			entryFrom(ctx).fail(p)
			return nil, p
		}
		return out, nil
	})
	registered := a.huma.OpenAPI().Paths[op.path]
	for _, o := range []*huma.Operation{registered.Get, registered.Post} {
		if o == nil || o.OperationID != op.id {
			continue
		}
		for _, p := range o.Parameters {
			neverNull(p.Schema)
		}
		if op.shared != nil {
			describeShared(o)
		}
		success := o.Responses[statusText(h.DefaultStatus)]
		for _, s := range op.also {
			o.Responses[statusText(s)] = &huma.Response{Description: http.StatusText(s), Headers: success.Headers, Content: success.Content}
		}
	}
}

// failures lists the statuses of refusals, for the description.
func (op operation) failures(g gate) []int {
	if g.bare {
		return []int{http.StatusServiceUnavailable, http.StatusGatewayTimeout}
	}
	all := []int{http.StatusBadRequest}
	if !op.access.public {
		all = append(all, http.StatusUnauthorized)
	}
	if len(op.access.scopes) > 0 {
		all = append(all, http.StatusForbidden)
	}
	if g.body || g.raw {
		all = append(all, http.StatusRequestEntityTooLarge)
	}
	if g.body {
		all = append(all, http.StatusUnsupportedMediaType)
	}
	all = append(all, op.errors...)
	return append(all, http.StatusUnprocessableEntity, http.StatusServiceUnavailable, http.StatusGatewayTimeout)
}

// OpenAPI returns the description of the whole API as indented JSON, the same for every
// Config that has all services.
func OpenAPI() ([]byte, error) {
	a := newAPI(Config{
		Orders: &order.Service{}, Stock: &inventory.Service{}, Catalog: &catalog.Service{}, Payments: &payment.Service{},
		Loyalty: &loyalty.Service{}, Ledger: &ledger.Service{},
	})
	if err := a.mount(chi.NewRouter()); err != nil {
		return nil, err
	}
	out, err := json.MarshalIndent(a.huma.OpenAPI(), "", "  ")
	if err != nil {
		return nil, errors.Join(errInternal, err)
	}
	return append(out, '\n'), nil
}
