package community

import (
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Limits of one circle, in bytes.
const (
	MaxName  = 200
	MaxSlug  = 64
	MaxAbout = 4000
)

// CircleID identifies a circle: a UUIDv7 in canonical form.
type CircleID string

// Ref returns the reference under which other contexts know the circle.
func (id CircleID) Ref() hyperlocal.Ref { return hyperlocal.NewRef("circle", string(id)) }

// Visibility says who finds a circle and how one gets in.
type Visibility string

// The visibilities.
const (
	Open   Visibility = "open"   // everyone sees it and its members, and may join
	Closed Visibility = "closed" // everyone sees it; joining is a request
	Secret Visibility = "secret" // only members and the invited know of it
)

// Valid reports whether v is one of the visibilities.
func (v Visibility) Valid() bool { return v == Open || v == Closed || v == Secret }

// Circle is a group of people.
type Circle struct {
	ID         CircleID            `json:"id"`
	Tenant     hyperlocal.TenantID `json:"tenant"`
	Name       string              `json:"name"`
	Slug       string              `json:"slug"` // its name in addresses, unique per tenant, fixed
	About      string              `json:"about,omitempty"`
	Visibility Visibility          `json:"visibility"`
	Members    int64               `json:"members"` // active ones, owners included; exact
	Owners     int64               `json:"owners"`  // active ones; never zero
	Version    int64               `json:"version"` // of name, about and visibility
	Sequence   int64               `json:"-"`       // counts all changes, also of members: the order of events
	CreatedAt  time.Time           `json:"created_at"`
	UpdatedAt  time.Time           `json:"updated_at"`
}

func (c Circle) validate() error {
	if err := required("name", c.Name, MaxName); err != nil {
		return err
	}
	if err := checkSlug(c.Slug); err != nil {
		return err
	}
	if err := hyperlocal.CheckText("community", "about", c.About, MaxAbout); err != nil {
		return err
	}
	if !c.Visibility.Valid() {
		return invalid("visibility", "a circle is open, closed or secret")
	}
	return nil
}

func checkSlug(slug string) error {
	if slug == "" || len(slug) > MaxSlug || slug[0] == '-' || slug[len(slug)-1] == '-' {
		return invalid("slug", "a slug has 1 to 64 characters and no hyphen at its ends")
	}
	for i := range len(slug) {
		if c := slug[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return invalid("slug", "a slug consists of a-z, 0-9 and -")
		}
	}
	return nil
}

// required refuses text that is empty, begins or ends with white space, is long or unprintable.
func required(field, text string, limit int) error {
	if text == "" || strings.TrimSpace(text) != text {
		return invalid(field, "the text is empty or has white space around it")
	}
	return hyperlocal.CheckText("community", field, text, limit)
}
