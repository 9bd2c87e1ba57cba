package order

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// fill sets what v holds to random values, zero ones among them.
func fill(t *rapid.T, v reflect.Value) {
	text := rapid.SampledFrom([]string{"", "a", "bread-1", "Brot & <Butter>", "日\u2028\xff"})
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "time"), 1000*rapid.Int64Range(0, 999_999).Draw(t, "microseconds")).UTC()
		return
	case *hyperlocal.Money:
		*x, _ = hyperlocal.NewMoney(rapid.Int64().Draw(t, "amount"), rapid.SampledFrom([]hyperlocal.Currency{"GBP", "JPY", ""}).Draw(t, "currency"))
		return
	case *hyperlocal.Quantity:
		*x, _ = hyperlocal.NewQuantity(rapid.Int64().Draw(t, "value"), rapid.SampledFrom([]hyperlocal.Unit{"g", "piece", ""}).Draw(t, "unit"))
		return
	}
	switch v.Kind() { //nolint:exhaustive // the others do not occur in events
	case reflect.String:
		v.SetString(text.Draw(t, "text"))
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.Int64Range(-5, 5).Draw(t, "number"))
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(t, field)
		}
	case reflect.Slice:
		if n := rapid.IntRange(-1, 3).Draw(t, "length"); n >= 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
		}
		for i := range v.Len() {
			fill(t, v.Index(i))
		}
	default:
		t.Fatalf("nobody fills a %s", v.Kind())
	}
}

// An event that embeds another, or gains a field, must not be told without it.
func TestEventsTellThemselvesAsTheLibraryWould(t *testing.T) {
	t.Parallel()
	appenders := 0
	for _, kind := range Events() {
		if _, ok := kind.(hyperlocal.JSONAppender); !ok {
			continue
		}
		appenders++
		t.Run(kind.EventName(), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				v := reflect.New(reflect.TypeOf(kind)).Elem()
				fill(t, v)
				a, ok := v.Interface().(hyperlocal.JSONAppender)
				if !ok {
					t.Fatal("no appender")
				}
				got, err := a.AppendJSON([]byte("x"))
				if err != nil {
					t.Fatal(err)
				}
				if want, err := json.Marshal(v.Interface()); err != nil || string(got) != "x"+string(want) {
					t.Errorf("got  %s\nwant x%s %v", got, want, err)
				}
			})
		})
	}
	if appenders < 5 {
		t.Errorf("%d events write themselves", appenders)
	}
}

func TestSummaryTellsItselfAsTheLibraryWould(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var s Summary
		fill(t, reflect.ValueOf(&s).Elem())
		got := s.appendJSON([]byte("x"))
		if want, err := json.Marshal(s); err != nil || string(got) != "x"+string(want) {
			t.Errorf("got  %s\nwant x%s %v", got, want, err)
		}
	})
}
