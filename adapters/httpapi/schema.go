package httpapi

import (
	"encoding/json"
	"path"
	"reflect"
	"strconv"
	"strings"
	"unicode"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// money, quantity and reference are how the root types travel, for the description.
type (
	money struct {
		Amount   int64  `doc:"In minor units of the currency." example:"1999" json:"amount"`
		Currency string `doc:"ISO 4217 code."                  example:"CNY"  json:"currency" maxLength:"3" minLength:"3"`
	}
	quantity struct {
		Value string `doc:"A decimal number; no finer than the unit's base unit." example:"2"     json:"value" maxLength:"40"`
		Unit  string `doc:"piece, g, ml, minute, mm or a multiple such as kg."    example:"piece" json:"unit"  maxLength:"16"`
	}
)

// registry names schemas after their types. A type of a context is named after the context
// as well, unless that says it twice.
func registry() huma.Registry {
	r := huma.NewMapRegistry("#/components/schemas/", schemaName)
	r.RegisterTypeAlias(reflect.TypeFor[hyperlocal.Money](), reflect.TypeFor[money]())
	r.RegisterTypeAlias(reflect.TypeFor[hyperlocal.Quantity](), reflect.TypeFor[quantity]())
	r.RegisterTypeAlias(reflect.TypeFor[json.RawMessage](), reflect.TypeFor[map[string]any]())
	r.RegisterTypeAlias(reflect.TypeFor[huma.ErrorModel](), reflect.TypeFor[Problem]())
	return r
}

func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	name := capital(huma.DefaultSchemaNamer(t, hint))
	context := path.Base(t.PkgPath())
	switch {
	case !strings.HasPrefix(t.PkgPath(), modulePath+"/") || context == "httpapi" || t.Name() == "":
		return name
	case strings.HasPrefix(strings.ToLower(name), context):
		return name
	}
	return capital(context) + name
}

const modulePath = "github.com/hyperlocal-sdk/hyperlocal"

func capital(name string) string {
	for i, r := range name {
		return string(unicode.ToUpper(r)) + name[i+len(string(r)):]
	}
	return name
}

// neverNull takes back what the framework assumes of every Go slice: a list of ours may be
// empty or left out, and is never null.
func neverNull(s *huma.Schema) {
	if s == nil {
		return
	}
	if s.Type == huma.TypeArray {
		s.Nullable = false
	}
	neverNull(s.Items)
	for _, p := range s.Properties {
		neverNull(p)
	}
}

func statusText(status int) string { return strconv.Itoa(status) }

// The tags by which the description groups the operations.
const (
	tagCatalogue = "catalogue"
	tagOrders    = "orders"
	tagWork      = "work on orders"
	tagMoney     = "money"
	tagStock     = "stock"
	tagPoints    = "points"
	tagBooks     = "books"
	tagServer    = "server"
)

func tags() []*huma.Tag {
	return []*huma.Tag{
		{Name: tagCatalogue, Description: "What can be bought, and where."},
		{Name: tagOrders, Description: "Placing orders and reading them."},
		{Name: tagWork, Description: "Moving an order on, step by step."},
		{Name: tagMoney, Description: "Paying and giving back."},
		{Name: tagStock, Description: "What lies on the shelf."},
		{Name: tagPoints, Description: "Points of loyal customers."},
		{Name: tagBooks, Description: "The double-entry journal."},
		{Name: tagServer, Description: "For machines: provider callbacks and health."},
	}
}
