package httpapi_test

import (
	"errors"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/httpapi"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
)

func TestNewReportsEverythingThatIsMissing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		config  httpapi.Config
		reasons []string
	}{
		{"nothing", httpapi.Config{}, []string{"http/invalid_authenticate", "http/invalid_services"}},
		{
			"stock without locations",
			httpapi.Config{Authenticate: authenticate, Stock: &inventory.Service{}},
			[]string{"http/invalid_locations"},
		},
		{
			"negative limits and an odd origin",
			httpapi.Config{Limits: httpapi.Limits{Body: -1}, TrustedOrigins: []string{"shop.example"}},
			[]string{"http/invalid_authenticate", "http/invalid_services", "http/invalid_limits", "http/invalid_trusted_origins"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h, err := httpapi.New(c.config)
			if h != nil || err == nil {
				t.Fatalf("built: %v", err)
			}
			for _, reason := range c.reasons {
				if !errors.Is(err, hyperlocal.NewError("", reason, "")) {
					t.Errorf("%s is not reported in %v", reason, err)
				}
			}
		})
	}
}
