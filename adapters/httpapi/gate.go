package httpapi

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/hyperlocal-sdk/hyperlocal"
)

const headerKey = "Idempotency-Key"

// gate stands before one operation. Nobody who may not call it learns what it thinks of the
// request: who is asking comes first, then the key, then the body.
type gate struct {
	api   *api
	op    operation
	body  bool            // it takes JSON
	raw   bool            // it takes bytes
	bare  bool            // it takes nothing at all from everybody
	codes map[string]bool // fields of the body that hold codes
}

// pass is the operation's middleware.
func (g *gate) pass(hctx huma.Context, next func(huma.Context)) {
	r, w := humachi.Unwrap(hctx)
	entry := entryFrom(r.Context())
	entry.operation, entry.route = g.op.id, g.op.path
	if !g.op.access.public {
		c, err := g.admit(r, entry)
		if err != nil {
			g.api.refuse(w, r, err)
			return
		}
		if g.op.shared != nil {
			g.answer(hctx, next, &c, w, r)
			return
		}
		hctx = huma.WithValue(hctx, callerKey{}, c)
	}
	if err := g.read(w, r); err != nil {
		g.api.refuse(w, r, err)
		return
	}
	next(hctx)
}

// admit finds out who is asking and whether they may.
func (g *gate) admit(r *http.Request, entry *entry) (caller, error) {
	p, err := g.api.Authenticate(r)
	if err != nil {
		return caller{}, err
	}
	if p.Actor == (hyperlocal.Actor{}) && p.Tenant == "" {
		return caller{}, ErrUnauthenticated
	}
	for _, err := range []error{p.Tenant.Validate(), p.Actor.Validate()} {
		if err != nil {
			return caller{}, errInternal.WithCause(err) // the host's defect, not the caller's
		}
	}
	entry.tenant, entry.actor = string(p.Tenant), p.Actor.Kind
	c := caller{p}
	return c, c.allowed(g.op.access.scopes)
}

// read checks the key and takes the body in.
func (g *gate) read(w http.ResponseWriter, r *http.Request) error {
	if err := g.checkKey(r.Header.Values(headerKey)); err != nil {
		return err
	}
	if !g.body && !g.raw {
		return nil
	}
	body, err := readBody(w, r, g.api.Limits.Body)
	if err != nil {
		return err
	}
	if g.body && len(body) > 0 {
		if err := checkContentType(r.Header.Get("Content-Type")); err != nil {
			return err
		}
		if err := checkJSON(body, g.codes); err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/json")
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

func (g *gate) checkKey(values []string) error {
	if g.raw || g.op.method == http.MethodGet {
		return nil // it means nothing there
	}
	switch {
	case len(values) > 1:
		return hyperlocal.Invalid("idempotency", "key", "a request has one idempotency key")
	case len(values) == 0 || values[0] == "":
		if g.op.key {
			return hyperlocal.ErrKeyRequired
		}
		return nil
	}
	key := values[0]
	if err := (hyperlocal.IdempotencyKey{Tenant: "t", Key: key}).Validate(); err != nil {
		return err
	}
	if !hyperlocal.ValidID(key) && holdsCardNumber(key) {
		return ErrCardNumber.With("field", headerKey)
	}
	return nil
}

// RequiredKey is the header of operations that repeat something which must not happen twice.
type RequiredKey struct {
	Key string `doc:"Names the caller's intent. A repeated request with the same key is answered and not repeated." header:"Idempotency-Key" maxLength:"255" required:"true"`
}

// OptionalKey is the header of every other change.
type OptionalKey struct {
	Key string `doc:"Names the caller's intent. A repeated request with the same key is answered and not repeated." header:"Idempotency-Key" maxLength:"255"`
}

// IfMatchParam is the header that makes a command conditional on the version that the caller has read.
type IfMatchParam struct {
	IfMatch string `doc:"The version that the caller has read, as an entity tag. Another one by now is answered with 412." header:"If-Match" maxLength:"40"`
}

// version returns the version that the caller insists on, 0 for any.
func (m IfMatchParam) version() (int64, error) {
	if m.IfMatch == "" || m.IfMatch == "*" {
		return 0, nil
	}
	text, ok := strings.CutPrefix(m.IfMatch, `"`)
	text, ok2 := strings.CutSuffix(text, `"`)
	n, err := strconv.ParseInt(text, 10, 64)
	if !ok || !ok2 || err != nil || n < 1 || strconv.FormatInt(n, 10) != text {
		return 0, ErrIfMatch
	}
	return n, nil
}

// etag is the entity tag of a version.
func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }
