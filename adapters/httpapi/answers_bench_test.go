//go:build unix

package httpapi_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"syscall"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/httpapi"
)

// BenchmarkCatalogueRead is a product asked for by 32 clients on kept-alive connections, beside
// a bare handler of net/http in the same process that sends the same JSON. Compare ns/op of
// the two, or on a busy machine cpu-ns/op: the client's share is in both.
//
//	go test ./adapters/httpapi -run '^$' -bench CatalogueRead -benchtime 3s
func BenchmarkCatalogueRead(b *testing.B) {
	quiet := func(c *httpapi.Config) { c.Logger = nil }
	logged := func(c *httpapi.Config) { c.Logger = slog.New(slog.NewTextHandler(io.Discard, nil)) }
	hit, _ := cached(b, quiet)
	path := "/v1/products/" + string(hit.bread[acme].ID)
	var view any
	hit.get("ann", path).want(http.StatusOK, &view)
	bare := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(view)
	})
	body := hit.get("ann", path).body
	bytesOnly := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	})
	tag := hit.get("ann", path).header.Get("ETag")
	withLog, _ := cached(b, logged)
	loggedPath := "/v1/products/" + string(withLog.bread[acme].ID)
	list := "/v1/shops/bakery/products?limit=10"
	for _, tc := range []struct {
		name, path, match string
		handler           http.Handler
	}{
		{"bare", path, "", bare},
		{"bare bytes", path, "", bytesOnly},
		{"hit", path, "", hit.handler},
		{"hit of a list", list, "", hit.handler},
		{"not modified", path, tag, hit.handler},
		{"hit with a log", loggedPath, "", withLog.handler},
		{"no cache", path, "", newUncached(b, hit)},
	} {
		b.Run(tc.name, func(b *testing.B) { drive(b, tc.handler, tc.path, tc.match) })
	}
	b.Run("handler alone", func(b *testing.B) {
		b.ReportAllocs()
		r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, path, http.NoBody)
		r.Header.Set("Authorization", "Bearer ann")
		for b.Loop() {
			w := nowhere{make(http.Header)}
			hit.handler.ServeHTTP(w, r)
		}
	})
}

// nowhere is where answers go that nobody reads.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header         { return n.header }
func (n nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n nowhere) WriteHeader(int)             {}

func newUncached(b *testing.B, w *world) http.Handler {
	b.Helper()
	h, err := httpapi.New(httpapi.Config{Catalog: w.catalog, Authenticate: authenticate})
	if err != nil {
		b.Fatal(err)
	}
	return h
}

// drive asks from 32 clients.
func drive(b *testing.B, h http.Handler, path, match string) {
	b.Helper()
	const clients = 32
	server := httptest.NewServer(h)
	defer server.Close()
	transport := &http.Transport{MaxIdleConnsPerHost: clients, DisableCompression: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	b.ReportAllocs()
	work := make(chan int, clients)
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for n := range work {
				for range n {
					req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, server.URL+path, http.NoBody)
					if err != nil {
						b.Error(err)
						return
					}
					req.Header.Set("Authorization", "Bearer ann")
					if match != "" {
						req.Header.Set("If-None-Match", match)
					}
					res, err := client.Do(req)
					if err != nil {
						b.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, res.Body)
					res.Body.Close()
					if res.StatusCode != http.StatusOK && match == "" {
						b.Error(res.Status)
						return
					}
				}
			}
		})
	}
	b.ResetTimer()
	before := spent(b)
	for left := b.N; left > 0; left -= 64 {
		work <- min(left, 64)
	}
	close(work)
	all.Wait()
	b.ReportMetric(float64(spent(b)-before)/float64(b.N), "cpu-ns/op")
}

// spent is the processor time of this process in nanoseconds.
func spent(b *testing.B) int64 {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return used.Utime.Nano() + used.Stime.Nano()
}
