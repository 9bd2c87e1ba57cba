package httpapi_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/httpapi"
)

func TestTheCommittedDescriptionIsCurrent(t *testing.T) {
	t.Parallel()
	committed, err := os.ReadFile("../../docs/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	current, err := httpapi.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(committed, current) {
		t.Error("docs/openapi.json is out of date: run go generate in the root of the module")
	}
}

func TestTheDescriptionIsServed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var served, generated any
	w.get("", "/openapi.json").want(http.StatusOK, &served)
	text, err := httpapi.OpenAPI()
	w.must(err)
	w.must(json.Unmarshal(text, &generated))
	a, _ := json.Marshal(served)
	b, _ := json.Marshal(generated)
	if !bytes.Equal(a, b) {
		t.Error("the served description differs from the committed one")
	}
	if v := served.(map[string]any)["openapi"]; v != "3.1.0" { //nolint:forcetypeassert // it is an object
		t.Errorf("openapi %v", v)
	}
	yaml := w.get("", "/openapi.yaml").want(http.StatusOK)
	if !strings.Contains(string(yaml.body), "operationId: placeOrder") {
		t.Errorf("yaml begins %.200s", yaml.body)
	}
}

func TestTheDocumentationNeedsNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page := w.get("", "/docs").want(http.StatusOK)
	policy := page.header.Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
		t.Errorf("policy %q", policy)
	}
	for _, pattern := range []string{`(?i)<script`, `(?i)\bsrc=`, `(?i)href="https?:`, `(?i)style="`, `(?i)@import`, `(?i)\bon[a-z]+="`} {
		if found := regexp.MustCompile(pattern).Find(page.body); found != nil {
			t.Errorf("the page holds %s", found)
		}
	}
	for _, id := range operationIDs(t) {
		if !bytes.Contains(page.body, []byte(`id="`+id+`"`)) {
			t.Errorf("the page does not tell of %s", id)
		}
	}
}

// described is the part of the description that tests look at.
type described struct {
	Paths map[string]map[string]struct {
		OperationID string     `json:"operationId"`
		Scopes      []string   `json:"x-scopes"`
		Security    []struct{} `json:"security"`
		Parameters  []struct {
			Name, In string
			Required bool
		}
		RequestBody *struct {
			Content map[string]struct {
				Schema struct {
					Ref string `json:"$ref"`
				}
			}
		} `json:"requestBody"`
		Responses map[string]struct{}
	}
}

func describe(t testing.TB) described {
	t.Helper()
	text, err := httpapi.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	var d described
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func operationIDs(t testing.TB) []string {
	t.Helper()
	var ids []string
	for _, methods := range describe(t).Paths {
		for _, op := range methods {
			ids = append(ids, op.OperationID)
		}
	}
	return ids
}

func TestNothingThatIsNotConfiguredExists(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *httpapi.Config) { c.Ledger, c.Payments, c.Loyalty, c.Stock = nil, nil, nil, nil })
	for _, path := range []string{"/v1/journal", "/v1/stock", "/v1/customers/me/points"} {
		w.get("admin", path).refused(http.StatusNotFound, "not_found", "http/not_found")
	}
	var served described
	w.get("", "/openapi.json").want(http.StatusOK, &served)
	if served.Paths["/v1/journal"] != nil || served.Paths["/v1/orders"] == nil {
		t.Error("the description does not follow the configuration")
	}
}
