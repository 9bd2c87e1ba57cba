package httpapi

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the page's style and template
	"encoding/base64"
	"encoding/json"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"
)

//go:embed describe.css
var pageStyle string

//go:embed describe.html
var pageTemplate string

// describe serves the description of the operations: for programs as OpenAPI 3.1, for people
// as one page without scripts that needs nothing from elsewhere.
func (a *api) describe(router chi.Router) error {
	asJSON, err := json.Marshal(a.huma.OpenAPI())
	if err != nil {
		return err
	}
	asYAML, err := a.huma.OpenAPI().YAML()
	if err != nil {
		return err
	}
	page, err := a.page()
	if err != nil {
		return err
	}
	digest := sha256.Sum256([]byte(pageStyle))
	policy := "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src 'sha256-" +
		base64.StdEncoding.EncodeToString(digest[:]) + "'"
	for _, f := range []struct {
		path, kind, policy string
		content            []byte
	}{
		{"/openapi.json", "application/vnd.oai.openapi+json;version=3.1", "", asJSON},
		{"/openapi.yaml", "application/vnd.oai.openapi;version=3.1", "", asYAML},
		{"/docs", "text/html; charset=utf-8", policy, page},
	} {
		router.Get(f.path, func(w http.ResponseWriter, r *http.Request) {
			entryFrom(r.Context()).route = f.path
			h := w.Header()
			h.Set("Content-Type", f.kind)
			h.Set("Cache-Control", "no-cache")
			if f.policy != "" {
				h.Set("Content-Security-Policy", f.policy)
			}
			_, _ = w.Write(f.content) // a caller who left is not told anything
		})
	}
	return nil
}

// documented is an operation as the page shows it.
type documented struct {
	ID, Method, Path, Summary, About string
	Who                              string
	Params                           []documentedParam
	Body                             string
	Answers                          []documentedAnswer
}

type documentedParam struct {
	Name, In, About string
	Required        bool
}

type documentedAnswer struct{ Status, About, Body string }

type documentedTag struct {
	Name, About string
	Operations  []documented
}

func (a *api) page() ([]byte, error) {
	t, err := template.New("page").Parse(pageTemplate)
	if err != nil {
		return nil, err
	}
	spec := a.huma.OpenAPI()
	byTag := make(map[string][]documented)
	for _, path := range slices.Sorted(maps.Keys(spec.Paths)) {
		for _, op := range []*huma.Operation{spec.Paths[path].Get, spec.Paths[path].Post} {
			if op == nil {
				continue
			}
			byTag[op.Tags[0]] = append(byTag[op.Tags[0]], a.document(op))
		}
	}
	view := struct {
		Title, Version, About string
		Style                 template.CSS
		Tags                  []documentedTag
	}{spec.Info.Title, spec.Info.Version, spec.Info.Description, template.CSS(pageStyle), nil} //nolint:gosec // our own constant
	for _, tag := range spec.Tags {
		if len(byTag[tag.Name]) > 0 {
			view.Tags = append(view.Tags, documentedTag{tag.Name, tag.Description, byTag[tag.Name]})
		}
	}
	var out bytes.Buffer
	err = t.Execute(&out, view)
	return out.Bytes(), err
}

func (a *api) document(op *huma.Operation) documented {
	d := documented{ID: op.OperationID, Method: op.Method, Path: op.Path, Summary: op.Summary, About: op.Description, Who: "everybody, without credentials"}
	if len(op.Security) > 0 {
		d.Who = "everybody who is known"
		if scopes, _ := op.Extensions["x-scopes"].([]string); len(scopes) > 0 {
			d.Who = "scope " + strings.Join(scopes, " or ")
		}
	}
	for _, p := range op.Parameters {
		d.Params = append(d.Params, documentedParam{p.Name, p.In, p.Description, p.Required})
	}
	if op.RequestBody != nil {
		if m := op.RequestBody.Content["application/json"]; m != nil {
			d.Body = a.sketch(m.Schema, 0)
		}
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		answer := documentedAnswer{Status: status, About: op.Responses[status].Description}
		if m := op.Responses[status].Content["application/json"]; m != nil {
			answer.Body = a.sketch(m.Schema, 0)
		}
		d.Answers = append(d.Answers, answer)
	}
	return d
}

// maxSketch bounds how deeply the page follows a schema.
const maxSketch = 6

// sketch writes a schema the way its JSON looks.
func (a *api) sketch(s *huma.Schema, depth int) string {
	if s == nil || depth > maxSketch {
		return "…"
	}
	if s.Ref != "" {
		return a.sketch(a.huma.OpenAPI().Components.Schemas.SchemaFromRef(s.Ref), depth)
	}
	indent := strings.Repeat("  ", depth)
	switch s.Type {
	case huma.TypeArray:
		return "[" + a.sketch(s.Items, depth) + "]"
	case huma.TypeObject:
		if len(s.Properties) == 0 {
			return "{ … }"
		}
		var b strings.Builder
		b.WriteString("{\n")
		for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
			p := s.Properties[name]
			b.WriteString(indent + "  " + name)
			if !slices.Contains(s.Required, name) {
				b.WriteString("?")
			}
			b.WriteString(": " + a.sketch(p, depth+1))
			if p.Description != "" {
				b.WriteString("  // " + p.Description)
			}
			b.WriteString("\n")
		}
		return b.String() + indent + "}"
	}
	text := s.Type
	if s.Format != "" {
		text += " (" + s.Format + ")"
	}
	for i, e := range s.Enum {
		if i == 0 {
			text += ":"
		}
		if v, ok := e.(string); ok {
			text += " " + v
		}
	}
	return text
}
