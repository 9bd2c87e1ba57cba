package httpapi_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/httpapi"
)

const testCard = "5105 1051 0510 5100"

// TestCardNumbersReachNothing puts a card number into every text of every body that the
// description knows, one at a time. Codes, which may look like one, are looked up and not
// stored; everything else is refused before anybody sees it. In the end neither the store nor
// the log holds the number.
func TestCardNumbersReachNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.fixtureOf("ann")
	known := rights()
	text, err := httpapi.OpenAPI()
	w.must(err)
	var spec struct {
		Components struct{ Schemas map[string]schema }
	}
	w.must(json.Unmarshal(text, &spec))
	tried := 0
	for _, methods := range describe(t).Paths {
		for _, op := range methods {
			if op.RequestBody == nil || op.RequestBody.Content["application/json"].Schema.Ref == "" {
				continue
			}
			body := schema{Ref: op.RequestBody.Content["application/json"].Schema.Ref}
			req := known[op.OperationID].call(f)
			for _, as := range []string{"ann", "baker", "admin"} {
				if len(known[op.OperationID].scopes) > 0 && !slices.ContainsFunc(known[op.OperationID].scopes, people[as].Has) {
					continue
				}
				for n := range body.texts(spec.Components.Schemas) {
					at := n
					filled, field := body.fill(spec.Components.Schemas, &at, "")
					req.as, req.body, req.key = as, filled, fmt.Sprint("card-", tried)
					tried++
					got := w.do(req)
					var p httpapi.Problem
					if err := json.Unmarshal(got.body, &p); err != nil {
						t.Fatalf("%s %s: %s", op.OperationID, field, got.body)
					}
					code := strings.HasSuffix(field, ".item") || strings.HasSuffix(field, ".location") || strings.HasSuffix(field, "quantity.value") ||
						strings.HasSuffix(field, "on_hand.value")
					if got.status < 400 || !code && (got.status != http.StatusUnprocessableEntity || p.Reason != "http/card_number") {
						t.Errorf("%s %s as %s: %d %s", op.OperationID, field, as, got.status, got.body)
					}
				}
			}
			req.as, req.key, req.body = "admin", testCard, known[op.OperationID].call(f).body
			w.do(req).refused(http.StatusUnprocessableEntity, "invalid", "http/card_number")
		}
	}
	if tried < 60 {
		t.Errorf("only %d texts were tried", tried)
	}
	w.do(request{method: http.MethodGet, path: "/v1/shops", as: "ann", header: map[string]string{"X-Request-Id": "5105105105105100"}})
	for name, kept := range map[string]string{"store": w.dump(), "log": w.log.String()} {
		if strings.Contains(kept, testCard) || strings.Contains(kept, strings.ReplaceAll(testCard, " ", "")) {
			t.Errorf("the %s holds the card number", name)
		}
	}
}

// schema is the part of a JSON schema that the test needs.
type schema struct {
	Ref                  string `json:"$ref"`
	Type                 string
	Format               string
	Enum                 []string
	Minimum              *json.Number
	Items                *schema
	Properties           map[string]schema
	AdditionalProperties any
}

func (s schema) resolve(all map[string]schema) schema {
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		return all[name]
	}
	return s
}

// texts counts the places of a schema that take a text.
func (s schema) texts(all map[string]schema) int {
	s = s.resolve(all)
	switch s.Type {
	case "string":
		return 1
	case "array":
		return s.Items.texts(all)
	case "object":
		n := 0
		for _, p := range s.Properties {
			n += p.texts(all)
		}
		if len(s.Properties) == 0 {
			n = 1 // the host's own
		}
		return n
	}
	return 0
}

// fill makes a value in which the text number *at is a card number, and returns where that is.
func (s schema) fill(all map[string]schema, at *int, path string) (value any, field string) {
	s = s.resolve(all)
	switch s.Type {
	case "string":
		*at--
		switch {
		case *at == -1:
			return testCard, path
		case len(s.Enum) > 0:
			return s.Enum[0], ""
		case s.Format == "date-time":
			return "2026-11-21T00:00:00Z", ""
		case strings.HasSuffix(path, ".unit"):
			return "piece", ""
		case strings.HasSuffix(path, "currency"):
			return "EUR", ""
		}
		return "1", ""
	case "array":
		value, field = s.Items.fill(all, at, path)
		return []any{value}, field
	case "object":
		if len(s.Properties) == 0 {
			*at--
			if *at == -1 {
				return map[string]any{"own": []any{testCard}}, path
			}
			return map[string]any{}, ""
		}
		made := make(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
			v, where := s.Properties[name].fill(all, at, path+"."+name)
			made[name] = v
			field += where
		}
		return made, field
	case "boolean":
		return false, ""
	}
	return 1, ""
}
