package retail

import "github.com/hyperlocal-sdk/hyperlocal"

// The reasons for which a whole file is refused. Compare with errors.Is.
var (
	// ErrRead: the reader failed; the cause says how. Code unavailable.
	ErrRead = hyperlocal.NewError(hyperlocal.CodeUnavailable, "retail/read",
		"the file could not be read to its end")
	// ErrTooBig: the file has more bytes than Options.MaxBytes. Code invalid.
	ErrTooBig = hyperlocal.NewError(hyperlocal.CodeInvalid, "retail/too_big",
		"the file is bigger than the limit; raise the limit or split the file between documents")
	// ErrTooManyRows: the file has more rows than Options.MaxRows. Code invalid.
	ErrTooManyRows = hyperlocal.NewError(hyperlocal.CodeInvalid, "retail/too_many_rows",
		"the file has more rows than the limit; raise the limit or split the file between documents")
	// ErrTooManyRejected: more rows are malformed than Options.MaxRejected. Code invalid.
	ErrTooManyRejected = hyperlocal.NewError(hyperlocal.CodeInvalid, "retail/too_many_rejected",
		"so many rows are malformed that this is hardly a sales export")
	// ErrEncoding: the file is neither UTF-8 nor Latin-1 text. Code invalid.
	ErrEncoding = hyperlocal.NewError(hyperlocal.CodeInvalid, "retail/encoding",
		"the file is not UTF-8 or Latin-1 text; export it as one of them")
	// ErrNoHeader: the first line does not name the columns. Code invalid.
	ErrNoHeader = hyperlocal.NewError(hyperlocal.CodeInvalid, "retail/no_header",
		"the first line does not name the columns")
	// ErrMissingColumn: a required column is not there; the field "column" names it. Code
	// invalid.
	ErrMissingColumn = hyperlocal.NewError(hyperlocal.CodeInvalid, "retail/missing_column",
		"a required column is missing")
	// ErrDuplicateColumn: two columns mean the same; the field "column" names it. Code invalid.
	ErrDuplicateColumn = hyperlocal.NewError(hyperlocal.CodeInvalid, "retail/duplicate_column",
		"two columns have the same meaning")
	// ErrOverflow: an amount or a number of units does not fit; the field "document" or "code"
	// says where, "" means a sum over the whole file. Code invalid.
	ErrOverflow = hyperlocal.NewError(hyperlocal.CodeInvalid, "retail/overflow",
		"an amount or a number of units is too big to be computed exactly")
)
