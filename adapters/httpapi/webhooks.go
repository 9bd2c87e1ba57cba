package httpapi

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

const webhookPath = "/v1/webhooks/"

// isWebhook reports whether a request comes from a provider and not from a browser.
func isWebhook(path string) bool { return strings.HasPrefix(path, webhookPath) }

// webhookInput is what a payment provider sends. Its headers reach the gateway's parser but
// for those that are between the host and its own callers.
type webhookInput struct {
	Tenant  string `doc:"The tenant that the provider's account belongs to." maxLength:"64" path:"tenant"`
	Gateway string `doc:"The gateway's name." maxLength:"32" path:"gateway"`
	RawBody []byte
	headers map[string][]string
}

// Resolve is called by the framework: it takes the headers in.
func (in *webhookInput) Resolve(hctx huma.Context) []error {
	in.headers = make(map[string][]string)
	hctx.EachHeader(func(name, value string) {
		if name != "Authorization" && name != "Cookie" {
			in.headers[name] = append(in.headers[name], value)
		}
	})
	return nil
}

func (a *api) webhookOperations() {
	register(a, operation{
		id: "receiveWebhook", method: http.MethodPost, path: webhookPath + "{tenant}/{gateway}", tag: tagServer,
		summary: "Take in what a payment provider has to tell",
		about: "The provider's signature stands in for credentials. A 204 means that it is stored; it is applied a moment later. " +
			"One that was received before is a success. A provider that wants to read something of its own gets it, with a status of its own.",
		access: everybody, status: http.StatusNoContent, errors: []int{http.StatusUnauthorized, http.StatusNotFound},
	}, a.receiveWebhook)
}

func (a *api) receiveWebhook(ctx context.Context, _ caller, in *webhookInput) (*huma.StreamResponse, error) {
	tenant := hyperlocal.TenantID(in.Tenant)
	if tenant.Validate() != nil {
		return nil, payment.ErrUnknownGateway // whether a tenant exists is nobody's business
	}
	entryFrom(ctx).tenant = in.Tenant
	err := a.Payments.Receive(ctx, tenant, in.Gateway, in.headers, in.RawBody)
	status, contentType, body, own := a.Payments.WebhookAnswer(in.Gateway, err)
	switch {
	case err != nil && !own:
		return nil, err
	case err != nil:
		entryFrom(ctx).fail(a.problem(ctx, err))
	case !own:
		status = http.StatusNoContent
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		if len(body) > 0 {
			hctx.SetHeader("Content-Type", contentType)
		}
		hctx.SetStatus(status)
		if len(body) > 0 {
			_, _ = hctx.BodyWriter().Write(body) // a provider that left is not told anything
		}
	}}, nil
}
