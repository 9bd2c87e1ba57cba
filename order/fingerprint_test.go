package order

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// each calls visit with every field that can be set on its own, lists with one element.
func each(v reflect.Value, path string, visit func(path string, v reflect.Value)) {
	switch v.Interface().(type) {
	case time.Time, hyperlocal.Money, hyperlocal.Quantity:
		visit(path, v)
		return
	}
	switch v.Kind() { //nolint:exhaustive // the others are leaves
	case reflect.Struct:
		for f, field := range v.Fields() {
			each(field, path+"."+f.Name, visit)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		each(v.Elem(), path, visit)
		v.SetZero()
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			visit(path, v)
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		visit(path+"[]", v) // that there is one
		each(v.Index(0), path+"[0]", visit)
		v.SetZero()
	default:
		visit(path, v)
	}
}

// set gives a field another value than the zero one.
func set(t *testing.T, v reflect.Value) (undo func()) {
	t.Helper()
	was := reflect.ValueOf(v.Interface())
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = time.Unix(1, 0)
	case *hyperlocal.Money:
		*x, _ = hyperlocal.NewMoney(0, "GBP")
	case *hyperlocal.Quantity:
		*x = hyperlocal.Pieces(0)
	default:
		switch v.Kind() { //nolint:exhaustive // the others do not occur
		case reflect.String:
			v.SetString("x")
		case reflect.Int, reflect.Int64:
			v.SetInt(1)
		case reflect.Bool:
			v.SetBool(true)
		case reflect.Slice:
			if v.Type().Elem().Kind() == reflect.Uint8 {
				v.SetBytes([]byte("{}"))
			}
		default:
			t.Fatalf("nobody sets a %s", v.Kind())
		}
	}
	return func() { v.Set(was) }
}

// Every field of a placement counts, the personal ones for the key alone, and no two fields
// are taken for one another. A field that is added and forgotten fails here.
func TestEveryFieldOfAPlacementIsDigested(t *testing.T) {
	t.Parallel()
	var c PlaceCommand
	contents, requests := map[string]string{c.content(): "nothing"}, map[string]string{c.request(c.content()): "nothing"}
	who := []string{".Tenant", ".Actor.Kind", ".Actor.ID", ".Key"}
	each(reflect.ValueOf(&c).Elem(), "", func(path string, v reflect.Value) {
		undo := set(t, v)
		content := c.content()
		request := c.request(content)
		undo()
		personal := path == ".Note" || len(path) > 8 && path[:8] == ".Contact"
		switch other, known := contents[content]; {
		case slices.Contains(who, path) || personal:
			if other != "nothing" {
				t.Errorf("%s is part of what is kept for ever", path)
			}
		case path == ".Adjustments[0].N": // given by the order
		case known:
			t.Errorf("%s is taken for %s", path, other)
		default:
			contents[content] = path
		}
		if slices.Contains(who, path) || path == ".Adjustments[0].N" {
			return
		}
		if other, known := requests[request]; known {
			t.Errorf("%s is taken for %s under a key", path, other)
		}
		requests[request] = path
	})
	if len(requests) < 50 {
		t.Errorf("only %d fields were looked at", len(requests))
	}
}

// Fingerprints are stored with orders for ever: this one must never change.
func TestFingerprintIsStable(t *testing.T) {
	t.Parallel()
	price, err := hyperlocal.NewMoney(420, "GBP")
	if err != nil {
		t.Fatal(err)
	}
	c := PlaceCommand{
		Merchant: hyperlocal.NewRef("merchant", "bakery"), Currency: "GBP", At: time.Unix(1_700_000_000, 0), Custom: []byte(`{ "a": 1 }`),
		Lines:       []PlaceLine{{Title: "Loaf", Item: "loaf", Location: "shop", Quantity: hyperlocal.Pieces(2), UnitPrice: price}},
		Adjustments: []Adjustment{{Kind: AdjustTip, Amount: price}},
	}
	const want = "e0d8ee088bf728c2c3c91ffc24b4aac79b1929245108bd091d77345110efacf5"
	if got := c.content(); got != want {
		t.Errorf("got %s", got)
	}
	c.Custom = []byte("{\"a\":1}\n")
	c.At = c.At.In(time.FixedZone("", 3600)).Add(1)
	c.Adjustments[0].N = 7
	if got := c.content(); got != want {
		t.Errorf("the same request in another form is %s", got)
	}
}
