package bunstore

import (
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// row is the present row of an answer.
type row interface {
	// Scan copies its columns, as [sql.Rows] does.
	Scan(into ...any) error
}

// wireRow is a row as PostgreSQL sent it.
type wireRow struct {
	fields []pgconn.FieldDescription
	values [][]byte
}

var errColumns = errors.New("the number of columns is not what was expected")

// Scan implements row.
func (r *wireRow) Scan(into ...any) error {
	if len(into) != len(r.values) || len(r.fields) != len(r.values) {
		return errColumns
	}
	for i, to := range into {
		if err := scanWire(to, &r.fields[i], r.values[i]); err != nil {
			return fmt.Errorf("column %s: %w", r.fields[i].Name, err)
		}
	}
	return nil
}

// scanWire reads one value. The common cases come first and take no detour.
func scanWire(to any, f *pgconn.FieldDescription, b []byte) error {
	switch to := to.(type) {
	case sql.Scanner:
		v, err := wireValue(f, b)
		if err != nil {
			return err
		}
		return to.Scan(v)
	case *string:
		if b != nil && f.DataTypeOID == pgtype.TextOID {
			*to = string(b)
			return nil
		}
	case *int64:
		if len(b) == 8 && f.DataTypeOID == pgtype.Int8OID {
			*to = wireInt(b)
			return nil
		}
	}
	v, err := wireValue(f, b)
	if err != nil {
		return err
	}
	return assign(to, v)
}

func wireInt(b []byte) int64 { return int64(binary.BigEndian.Uint64(b)) } //nolint:gosec // two's complement is the format

// textual are the types whose binary format is their text.
var textual = []uint32{ //nolint:gochecknoglobals // a table
	pgtype.TextOID, pgtype.VarcharOID, pgtype.BPCharOID, pgtype.NameOID, pgtype.JSONOID, pgtype.UnknownOID,
}

// binaryResult tells whether wireValue reads the binary format of a type.
func binaryResult(oid uint32) bool {
	switch oid {
	case pgtype.Int8OID, pgtype.Int4OID, pgtype.Int2OID, pgtype.BoolOID, pgtype.TimestamptzOID, pgtype.UUIDOID, pgtype.ByteaOID, pgtype.JSONBOID:
		return true
	}
	return slices.Contains(textual, oid)
}

var fixedSize = map[uint32]int{ //nolint:gochecknoglobals // a table
	pgtype.Int8OID: 8, pgtype.Int4OID: 4, pgtype.Int2OID: 2, pgtype.BoolOID: 1, pgtype.TimestamptzOID: 8, pgtype.UUIDOID: 16,
}

var errFormat = errors.New("a value has another format than expected")

// wireValue returns a value as database/sql would hand it to a Scanner: nil, int64, bool,
// string, []byte or time.Time. Bytes are copied.
func wireValue(f *pgconn.FieldDescription, b []byte) (any, error) {
	if b == nil {
		return nil, nil //nolint:nilnil // NULL
	}
	if f.Format != pgtype.BinaryFormatCode {
		return string(b), nil
	}
	if n, fixed := fixedSize[f.DataTypeOID]; fixed && len(b) != n {
		return nil, errFormat
	}
	switch f.DataTypeOID {
	case pgtype.Int8OID:
		return wireInt(b), nil
	case pgtype.Int4OID:
		return int64(int32(binary.BigEndian.Uint32(b))), nil //nolint:gosec // two's complement is the format
	case pgtype.Int2OID:
		return int64(int16(binary.BigEndian.Uint16(b))), nil //nolint:gosec // two's complement is the format
	case pgtype.BoolOID:
		return b[0] != 0, nil
	case pgtype.TimestamptzOID:
		return time.UnixMicro(wireInt(b) + epoch).UTC(), nil
	case pgtype.UUIDOID:
		return uuidText(b), nil
	case pgtype.ByteaOID:
		return slices.Clone(b), nil
	case pgtype.JSONBOID:
		if len(b) == 0 || b[0] != 1 {
			return nil, errFormat
		}
		return string(b[1:]), nil
	}
	return string(b), nil
}

func uuidText(b []byte) string {
	var out [36]byte
	hex.Encode(out[0:8], b[0:4])
	hex.Encode(out[9:13], b[4:6])
	hex.Encode(out[14:18], b[6:8])
	hex.Encode(out[19:23], b[8:10])
	hex.Encode(out[24:36], b[10:16])
	out[8], out[13], out[18], out[23] = '-', '-', '-', '-'
	return string(out[:])
}

// assign stores a value of wireValue where to points, a pointer to a pointer for what may be
// NULL, else it is an error.
func assign(to, v any) error {
	into := reflect.ValueOf(to)
	if into.Kind() != reflect.Pointer || into.IsNil() {
		return fmt.Errorf("%T is no place for a value", to)
	}
	into = into.Elem()
	if v == nil {
		if into.Kind() == reflect.Pointer || into.Kind() == reflect.Slice {
			into.SetZero()
			return nil
		}
		return fmt.Errorf("NULL does not fit into %s", into.Type())
	}
	if into.Kind() == reflect.Pointer {
		into.Set(reflect.New(into.Type().Elem()))
		into = into.Elem()
	}
	switch v := v.(type) {
	case int64:
		if into.CanInt() && !into.OverflowInt(v) {
			into.SetInt(v)
			return nil
		}
	case bool:
		if into.Kind() == reflect.Bool {
			into.SetBool(v)
			return nil
		}
	case string:
		switch {
		case into.Kind() == reflect.String:
			into.SetString(v)
			return nil
		case into.Kind() == reflect.Slice && into.Type().Elem().Kind() == reflect.Uint8:
			into.SetBytes([]byte(v))
			return nil
		}
	case []byte:
		if into.Kind() == reflect.Slice && into.Type().Elem().Kind() == reflect.Uint8 {
			into.SetBytes(v)
			return nil
		}
	case time.Time:
		if into.Type() == reflect.TypeFor[time.Time]() {
			into.Set(reflect.ValueOf(v))
			return nil
		}
	}
	return fmt.Errorf("%T does not fit into %s", v, into.Type())
}
