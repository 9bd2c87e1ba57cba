package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// maxDepth bounds how deeply a body is nested.
const maxDepth = 32

// readBody takes the whole body in, at most limit bytes.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, ErrTooLarge.With("limit_bytes", limit)
	}
	if err != nil {
		return nil, ErrUnreadable.WithCause(err)
	}
	return body, nil
}

// checkContentType refuses a body that is announced as something else than JSON. A body that
// is announced as nothing is taken for JSON.
func checkContentType(text string) error {
	if text == "" {
		return nil
	}
	kind, params, err := mime.ParseMediaType(text)
	if err != nil || kind != "application/json" {
		return ErrContentType
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return ErrContentType
	}
	return nil
}

// checkJSON refuses what decoders read in different ways or what no database keeps: names
// that occur twice, broken UTF-8, NUL, absurd nesting; and card numbers, but for the fields
// that are codes by their type.
func checkJSON(body []byte, codes map[string]bool) error {
	if !utf8.Valid(body) {
		return ErrUnreadable
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := checkValue(d, "", 0, codes); err != nil {
		if _, ok := errors.AsType[*hyperlocal.Error](err); ok {
			return err
		}
		return ErrUnreadable.WithCause(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return ErrUnreadable
	}
	return nil
}

func checkValue(d *json.Decoder, path string, depth int, codes map[string]bool) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	switch v := t.(type) {
	case string:
		return checkString(v, path, codes)
	case json.Delim:
		if depth == maxDepth {
			return ErrUnreadable
		}
		if v == '{' {
			return checkObject(d, path, depth+1, codes)
		}
		for d.More() {
			if err := checkValue(d, path+"[]", depth+1, codes); err != nil {
				return err
			}
		}
		_, err = d.Token()
		return err
	}
	if depth == 0 {
		return ErrUnreadable // a bare number, true, false or null
	}
	return nil
}

func checkObject(d *json.Decoder, path string, depth int, codes map[string]bool) error {
	seen := make(map[string]bool)
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		// Decoders that ignore case would read either of two names that differ by it.
		folded := strings.ToLower(name)
		if seen[folded] {
			return ErrUnreadable
		}
		seen[folded] = true
		if err := checkString(name, "", nil); err != nil {
			return err
		}
		below := name
		if path != "" {
			below = path + "." + name
		}
		if err := checkValue(d, below, depth, codes); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

func checkString(text, path string, codes map[string]bool) error {
	if strings.IndexByte(text, 0) >= 0 {
		return ErrNUL
	}
	if codes[path] || hyperlocal.ValidID(text) {
		return nil
	}
	if holdsCardNumber(text) {
		if len(path) > maxMessage || holdsCardNumber(path) {
			path = ""
		}
		return ErrCardNumber.With("field", path)
	}
	return nil
}

// codesOf lists the fields of a body, as paths such as lines[].item, that hold codes by their
// type: barcodes and the digits of quantities may look like card numbers and are none. A
// field says so with the tag holds:"code".
func codesOf(t reflect.Type) map[string]bool {
	codes := make(map[string]bool)
	collectCodes(t, "", 0, codes)
	return codes
}

func collectCodes(t reflect.Type, path string, depth int, codes map[string]bool) {
	if depth > maxDepth {
		return
	}
	switch t.Kind() {
	case reflect.Pointer:
		collectCodes(t.Elem(), path, depth, codes)
		return
	case reflect.Slice:
		collectCodes(t.Elem(), path+"[]", depth+1, codes)
		return
	case reflect.Struct:
	default:
		return
	}
	if t == reflect.TypeFor[hyperlocal.Quantity]() {
		codes[path+".value"] = true
		return
	}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		below := name
		if path != "" {
			below = path + "." + name
		}
		if f.Tag.Get("holds") == "code" {
			codes[below] = true
		}
		collectCodes(f.Type, below, depth+1, codes)
	}
}

// unmarshal is the framework's decoder. It never passes on what encoding/json says, because
// that names our Go types.
func unmarshal(data []byte, v any) error {
	err := json.Unmarshal(data, v)
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*hyperlocal.Error](err); ok {
		return errors.New(e.Reason + ": " + e.Message)
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return errors.New(strconv.Quote(e.Field) + " has the wrong type or is out of range")
	}
	return errors.New("a value has the wrong form")
}
