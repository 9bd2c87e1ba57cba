package httpapi

import "github.com/hyperlocal-sdk/hyperlocal"

// PageParams are the parameters of a list. Like every embedded parameter type it is exported
// only because the framework looks at exported fields alone.
type PageParams struct {
	Limit  int    `doc:"Items on the page; 50 if left out." maximum:"200" minimum:"1" query:"limit"`
	Cursor string `doc:"The next of the page before. It belongs to one list and filter." maxLength:"2048" query:"cursor"`
}

func (p PageParams) request() hyperlocal.PageRequest {
	return hyperlocal.PageRequest{Limit: p.Limit, Cursor: p.Cursor}
}

// noInput is for operations without parameters.
type noInput struct{}

// pageOf is one page of a list as it travels.
func pageOf[T, U any](p hyperlocal.Page[T], view func(T) U) (items []U, next string) {
	items = make([]U, len(p.Items))
	for i := range p.Items {
		items[i] = view(p.Items[i])
	}
	return items, p.Next
}
