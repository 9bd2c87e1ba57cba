package httpapi

import (
	"context"
	"net/http"
)

type (
	healthBody struct {
		Status string `example:"ok" json:"status"`
	}
	healthOutput struct{ Body healthBody }
)

func (a *api) healthOperations() {
	register(a, operation{
		id: "health", method: http.MethodGet, path: "/healthz", tag: tagServer, summary: "The process is alive", access: everybody,
	}, func(context.Context, caller, *noInput) (*healthOutput, error) {
		return &healthOutput{Body: healthBody{Status: "ok"}}, nil
	})
	register(a, operation{
		id: "ready", method: http.MethodGet, path: "/readyz", tag: tagServer, summary: "The server wants requests", access: everybody,
	}, a.ready)
}

// ready says yes or no and never why: that is for the log.
func (a *api) ready(ctx context.Context, _ caller, _ *noInput) (*healthOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, a.Limits.Ready)
	defer cancel()
	if err := a.Ready(ctx); err != nil {
		return nil, ErrNotReady.WithCause(err)
	}
	return &healthOutput{Body: healthBody{Status: "ready"}}, nil
}
