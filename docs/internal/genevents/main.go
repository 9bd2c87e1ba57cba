// Command genevents writes docs/events.md, the catalogue of all events, and a sample payload
// of each under docs/events.
//
// It is run by go generate in the root of the module. A sample that is there already may only
// grow: when a field was taken away or changed its form, the command refuses, because that
// needs a new version of the event.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
	"github.com/hyperlocal-sdk/hyperlocal/community"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
	"github.com/hyperlocal-sdk/hyperlocal/order"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

const (
	page    = "docs/events.md"
	samples = "docs/events"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "genevents:", err)
		os.Exit(1)
	}
}

// events lists the events of every context that emits some.
func events() []hyperlocal.Event {
	return slices.Concat(catalog.Events(), community.Events(), inventory.Events(), order.Events(), payment.Events())
}

// upcasters lifts events of older versions to those of events. A context whose event gets a
// new version lists its upcasters here; the sample of the old version stays.
func upcasters() (*hyperlocal.Upcasters, error) { return hyperlocal.NewUpcasters() }

func run() error {
	text, err := render(".")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(samples, 0o755); err != nil { //nolint:gosec // documentation is for everybody to read
		return err
	}
	var problems []error
	for _, ev := range events() {
		problems = append(problems, writeSample(filepath.Join(samples, file(ev)), ev))
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	return os.WriteFile(page, text, 0o644) //nolint:gosec // as above
}

func writeSample(path string, ev hyperlocal.Event) error {
	made, err := sample(ev)
	if err != nil {
		return err
	}
	kept, err := os.ReadFile(path) //nolint:gosec // the name is made here
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		if err := grows(kept, made); err != nil {
			return fmt.Errorf("%s: %w; give the event a new version", path, err)
		}
	}
	return os.WriteFile(path, made, 0o644) //nolint:gosec // documentation is for everybody to read
}

// file names the sample of an event.
func file(ev hyperlocal.Event) string {
	return fmt.Sprintf("%s.v%d.json", ev.EventName(), ev.EventVersion())
}

// sample returns a payload in which every field has a value.
func sample(ev hyperlocal.Event) ([]byte, error) {
	v := reflect.New(reflect.TypeOf(ev)).Elem()
	if err := fill(v, ""); err != nil {
		return nil, fmt.Errorf("%s: %w", ev.EventName(), err)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v.Interface()); err != nil {
		return nil, fmt.Errorf("%s: %w", ev.EventName(), err)
	}
	return b.Bytes(), nil
}

// known are the values of types that have a form of their own.
func known() (map[reflect.Type]any, error) {
	price, err := hyperlocal.NewMoney(1999, "GBP")
	if err != nil {
		return nil, err
	}
	out := make(map[reflect.Type]any)
	for _, v := range []any{
		price, hyperlocal.Pieces(2), hyperlocal.Currency("GBP"), hyperlocal.Instant(at()),
		order.Confirmed, order.PaymentPaid, hyperlocal.VerbCapture, hyperlocal.OutcomeSucceeded,
	} {
		out[reflect.TypeOf(v)] = v
	}
	return out, nil
}

// fill gives v, the field of the given wire name, a value that is not zero.
func fill(v reflect.Value, name string) error {
	forms, err := known()
	if err != nil {
		return err
	}
	if form, ok := forms[v.Type()]; ok {
		v.Set(reflect.ValueOf(form))
		return nil
	}
	if v.Type() == reflect.TypeFor[hyperlocal.Ref]() {
		ref := hyperlocal.NewRef("order", word("order"))
		if name == "merchant" || name == "customer" || name == "variant" || name == "member" {
			ref = hyperlocal.NewRef(name, word(name))
		}
		v.Set(reflect.ValueOf(ref))
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(word(name))
	case reflect.Int, reflect.Int64, reflect.Int32, reflect.Int16, reflect.Int8:
		v.SetInt(3)
	case reflect.Uint, reflect.Uint64, reflect.Uint32, reflect.Uint16, reflect.Uint8:
		v.SetUint(1)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		return fill(v.Index(0), name)
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		if err := errors.Join(fill(key, name), fill(value, name)); err != nil {
			return err
		}
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return fill(v.Elem(), name)
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if !field.IsExported() {
				return fmt.Errorf("%s has a form that genevents does not know", v.Type())
			}
			wire, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if wire == "" && !field.Anonymous {
				return fmt.Errorf("field %s of %s has no json tag", field.Name, v.Type())
			}
			if err := fill(v.Field(i), wire); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("%s is nothing that an event carries", v.Type())
	}
	return nil
}

// word is the sample of a text field.
func word(name string) string {
	switch name {
	case "order", "operation", "intent", "product", "variant", "refund", "credit", "circle", "reservation":
		return "0197f3c2-7a61-7b3e-9c55-1f2e3d4c5b6a"
	case "item":
		return "apples"
	case "location", "other":
		return "main-street"
	case "number":
		return "260504-K7QX2"
	case "":
		return "text"
	}
	return "some-" + strings.ReplaceAll(name, "_", "-")
}

// grows reports what the payload new lost of old: every value of old has to be there.
func grows(old, made []byte) error {
	var a, b any
	if err := errors.Join(json.Unmarshal(old, &a), json.Unmarshal(made, &b)); err != nil {
		return err
	}
	return within(a, b, "payload")
}

func within(old, made any, path string) error {
	switch o := old.(type) {
	case map[string]any:
		m, ok := made.(map[string]any)
		if !ok {
			return fmt.Errorf("%s changed its form", path)
		}
		for k, v := range o {
			if _, ok := m[k]; !ok {
				return fmt.Errorf("%s.%s is gone", path, k)
			}
			if err := within(v, m[k], path+"."+k); err != nil {
				return err
			}
		}
		return nil
	case []any:
		m, ok := made.([]any)
		if !ok || len(m) != len(o) {
			return fmt.Errorf("%s changed its form", path)
		}
		for i := range o {
			if err := within(o[i], m[i], fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
		return nil
	}
	if reflect.TypeOf(old) != reflect.TypeOf(made) {
		return fmt.Errorf("%s changed its form", path)
	}
	return nil
}

// render returns the page. root is the root of the module, where the comments are read.
func render(root string) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("# Events\n\nGenerated by `go generate`; do not edit. Every event travels in an envelope " +
		"(see `hyperlocal.Envelope`) on the topic of its context, in the order of its aggregate, at least once. " +
		"Within a version fields are only added; a new version comes with a `hyperlocal.Upcaster` from the one before, " +
		"and the samples of all versions stay readable.\n")
	context, docs := "", map[string]string(nil)
	list := events()
	slices.SortFunc(list, func(x, y hyperlocal.Event) int {
		if c := strings.Compare(x.EventName(), y.EventName()); c != 0 {
			return c
		}
		return x.EventVersion() - y.EventVersion()
	})
	for _, ev := range list {
		c, _, _ := strings.Cut(ev.EventName(), ".")
		if c != context {
			context = c
			var err error
			if docs, err = comments(filepath.Join(root, context)); err != nil {
				return nil, err
			}
			fmt.Fprintf(&b, "\n## %s\n\nTopic `%s`.\n\n| event | version | tells | sample |\n|---|---|---|---|\n",
				context, hyperlocal.Envelope{Name: ev.EventName()}.Topic())
		}
		kind := reflect.TypeOf(ev).Name()
		fmt.Fprintf(&b, "| `%s` | %d | %s | [%s](events/%s) |\n", ev.EventName(), ev.EventVersion(), docs[kind], kind, file(ev))
	}
	return b.Bytes(), nil
}

// comments returns the first sentence about each type of a package, its name left out.
func comments(dir string) (map[string]string, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	out := make(map[string]string)
	for _, name := range names {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE {
				continue
			}
			for _, s := range g.Specs {
				t, ok := s.(*ast.TypeSpec)
				if !ok {
					continue
				}
				doc := t.Doc
				if doc == nil {
					doc = g.Doc
				}
				text := strings.Join(strings.Fields(doc.Text()), " ")
				text = strings.TrimPrefix(strings.TrimPrefix(text, t.Name.Name), ":")
				out[t.Name.Name] = strings.ReplaceAll(strings.TrimSpace(text), "|", "\\|")
			}
		}
	}
	return out, nil
}
