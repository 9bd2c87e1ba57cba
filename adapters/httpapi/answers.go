package httpapi

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
)

// Cache keeps rendered answers that do not depend on who asks. *cache.Cache is one.
type Cache interface {
	// Get returns the answer of that name about a thing and a strong entity tag of its bytes,
	// quotes included. What it does not have is loaded, once for all who ask at the same time;
	// load's error is returned as it is. Nobody changes the bytes.
	Get(ctx context.Context, tenant hyperlocal.TenantID, about hyperlocal.Ref, name string,
		load func(ctx context.Context) ([]byte, error)) (answer []byte, tag string, err error)
}

// Freshness is what callers and the caches between them and us may do with answers of the
// catalogue. It comes on top of how old an answer of Config.Cache can be.
type Freshness struct {
	// MaxAge is how long an answer is used without asking again; default 5 s, negative: never.
	MaxAge time.Duration
	// StaleWhileRevalidate is how much longer a shared cache may use an answer while it asks
	// for the next; default 10 s, negative: not at all. It is sent with public answers alone.
	StaleWhileRevalidate time.Duration
	// Public lets shared caches, such as a CDN, keep answers for everybody, also for callers
	// without credentials, because they do not ask us. Only where all who reach us by this
	// host name belong to one tenant. Those who work for a merchant go past the CDN: what they
	// are answered is never kept there, but it may answer them as everybody.
	Public bool
}

func (f *Freshness) setDefaults() {
	f.MaxAge = max(cmp.Or(f.MaxAge, 5*time.Second), 0)
	f.StaleWhileRevalidate = max(cmp.Or(f.StaleWhileRevalidate, 10*time.Second), 0)
}

// header is the Cache-Control of an answer that is the same for all who shop.
func (f Freshness) header() string {
	if f.MaxAge < time.Second {
		return "private, no-cache"
	}
	age := "max-age=" + strconv.FormatInt(int64(f.MaxAge/time.Second), 10)
	if !f.Public {
		return "private, " + age
	}
	if f.StaleWhileRevalidate >= time.Second {
		age += ", stale-while-revalidate=" + strconv.FormatInt(int64(f.StaleWhileRevalidate/time.Second), 10)
	}
	return "public, " + age
}

// shared says of an operation that its answer is the same for many callers of a tenant. Such
// an operation takes no body, and its answer has the status 200 and no headers of its own.
type shared struct {
	// about is the thing whose changes make the answer out of date.
	about func(r *http.Request) hyperlocal.Ref
	// open means that those who work for a merchant see no more than others do.
	open bool
	// age, if set, is how old the answer can be, because no event says that it is out of date.
	age time.Duration
}

// insider reports whether the caller may see, or has just changed, what others do not see yet.
func (c caller) insider() bool { return c.admin() || c.works() }

// The things that answers are about.
var everyShop = hyperlocal.NewRef("shops", "all")

func aboutShops(*http.Request) hyperlocal.Ref { return everyShop }

func aboutMerchant(r *http.Request) hyperlocal.Ref { return catalog.Merchant(r.PathValue("merchant")) }

func aboutProduct(r *http.Request) hyperlocal.Ref {
	return catalog.ProductID(r.PathValue("product")).Ref()
}

// Affected returns the things whose cached answers an event makes out of date: give it to
// cache.Config. The events are those of [CachedEvents]; any other affects nothing.
func Affected(e hyperlocal.Envelope) []hyperlocal.Ref {
	switch e.Name {
	case catalog.ShopCreated{}.EventName(), catalog.ShopUpdated{}.EventName():
		return []hyperlocal.Ref{e.Aggregate, everyShop}
	case catalog.ProductCreated{}.EventName(), catalog.ProductUpdated{}.EventName(),
		catalog.ProductArchived{}.EventName(), catalog.PriceChanged{}.EventName():
		var of struct {
			Merchant hyperlocal.Ref `json:"merchant"`
		}
		if e.Decode(&of) != nil || of.Merchant.IsZero() {
			return []hyperlocal.Ref{e.Aggregate} // lists go out of date by time
		}
		return []hyperlocal.Ref{e.Aggregate, of.Merchant}
	}
	return nil
}

// CachedEvents lists the events that make cached answers out of date.
func CachedEvents() []hyperlocal.Event { return catalog.Events() }

// answer serves an operation whose answer is shared: from the cache if there is one and the
// caller sees what everybody sees, with a strong entity tag in any case.
func (g *gate) answer(hctx huma.Context, next func(huma.Context), c *caller, w http.ResponseWriter, r *http.Request) {
	insider := c.insider()
	job := &rendering{gate: g, op: hctx.Operation(), next: next, caller: c, request: r}
	var body []byte
	var tag string
	var err error
	if g.api.Cache == nil || insider && !g.op.shared.open {
		body, err = job.run(r.Context())
		tag = tagOf(body)
	} else {
		// What everybody sees is computed for somebody who is nobody in particular.
		job.caller = nil
		job.tenant = c.Tenant
		name := nameOf(g.op.id, r)
		if g.op.shared.age > 0 {
			name += recently(g.op.shared.age)
		}
		body, tag, err = g.api.Cache.Get(r.Context(), c.Tenant, g.op.shared.about(r), name, job.run)
	}
	if err != nil {
		if p, ok := errors.AsType[*Problem](err); ok { // maybe that of a request before
			own := *p
			own.RequestID = entryFrom(r.Context()).id
			err = &own
		}
		g.api.refuse(w, r, err)
		return
	}
	h := w.Header()
	h["Etag"] = []string{tag}
	if insider || g.op.shared.age > 0 {
		h["Cache-Control"] = headerRevalidate
	} else {
		h["Cache-Control"] = g.api.cacheControl
	}
	if !g.api.Freshness.Public || insider {
		h["Vary"] = headerVary
	}
	if unchanged(r.Header["If-None-Match"], tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h["Content-Type"] = headerJSON
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) // a caller who left is not told anything
}

// Values of headers that are the same in every answer. Nobody appends to them in place: they
// are as long as their arrays.
var (
	headerRevalidate = []string{"private, no-cache"}
	headerVary       = []string{"Authorization, Cookie"}
	headerJSON       = []string{"application/json"}
)

// rendering is an operation that is about to be run for its bytes.
type rendering struct {
	gate    *gate
	op      *huma.Operation
	next    func(huma.Context)
	request *http.Request
	caller  *caller             // nil for nobody in particular
	tenant  hyperlocal.TenantID // whose, if so
}

// run returns the body of the answer. A refusal is returned as the *Problem that it is. It may
// outlive the request that it was made for: it works on a copy of what the server takes back.
func (j *rendering) run(ctx context.Context) ([]byte, error) {
	c := caller{hyperlocal.Principal{Tenant: j.tenant}}
	if j.caller != nil {
		c = *j.caller
	}
	made := &entry{id: entryFrom(ctx).id, operation: j.gate.op.id, route: j.gate.op.path}
	out := &rendered{header: make(http.Header)}
	r := j.request.Clone(context.WithValue(ctx, entryKey{}, made))
	j.next(huma.WithValue(humachi.NewContext(j.op, r, out), callerKey{}, c))
	switch {
	case made.problem != nil:
		return nil, made.problem
	case out.status != http.StatusOK:
		return nil, errInternal // nothing but a refusal has another status
	}
	return out.body.Bytes(), nil
}

// rendered is an answer that is sent to nobody.
type rendered struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (o *rendered) Header() http.Header { return o.header }

// WriteHeader implements http.ResponseWriter.
func (o *rendered) WriteHeader(status int) { o.status = status }

// Write implements http.ResponseWriter.
func (o *rendered) Write(b []byte) (int, error) { return o.body.Write(b) }

// nameOf names the answer to a request: operation, path and parameters in order.
func nameOf(operation string, r *http.Request) string {
	query := r.URL.RawQuery
	if strings.Contains(query, "&") {
		parts := strings.Split(query, "&")
		slices.Sort(parts)
		query = strings.Join(parts, "&")
	}
	return operation + " " + r.URL.EscapedPath() + "?" + query
}

// tagOf is the entity tag of some bytes, as cache.Tag makes it.
func tagOf(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}

// unchanged reports whether one of the entity tags of an If-None-Match is the present one, by
// the weak comparison of RFC 9110: a cache between us may have weakened it.
func unchanged(fields []string, tag string) bool {
	for _, field := range fields {
		for field != "" {
			var one string
			one, field, _ = strings.Cut(field, ",") // our own tags hold no comma
			one = strings.TrimSpace(one)
			if one == "*" || strings.TrimPrefix(one, "W/") == tag {
				return true
			}
		}
	}
	return false
}

// describeShared puts the headers of a shared answer into the description.
func describeShared(o *huma.Operation) {
	text := func(about string) *huma.Param {
		return &huma.Param{Description: about, Schema: &huma.Schema{Type: huma.TypeString}}
	}
	headers := map[string]*huma.Param{
		"ETag":          text("Names these very bytes. Send it back as If-None-Match."),
		"Cache-Control": text("How long the answer may be used. Those who work for a merchant always ask again."),
		"Vary":          text("What a cache has to keep answers apart by."),
	}
	o.Responses[statusText(http.StatusOK)].Headers = headers
	o.Responses[statusText(http.StatusNotModified)] = &huma.Response{
		Description: "The caller has the present answer already.", Headers: headers,
	}
	o.Parameters = append(o.Parameters, &huma.Param{
		Name: "If-None-Match", In: "header", Description: "Entity tags of answers that the caller has.",
		Schema: &huma.Schema{Type: huma.TypeString},
	})
}
