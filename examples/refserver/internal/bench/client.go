package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// clientJob is what the process of the clients is told to do, as one line of JSON on its
// standard input.
type clientJob struct {
	Kind     string        `json:"kind"`
	Base     string        `json:"base"`     // URL of the server
	Bearer   string        `json:"bearer"`   // key of the shopper
	Merchant string        `json:"merchant"` // key of the merchant
	Paths    []string      `json:"paths"`
	Variants []string      `json:"variants"`
	Clients  int           `json:"clients"`
	Warm     time.Duration `json:"warm"`
	Length   time.Duration `json:"length"`
}

const (
	readJob = "read" // one of Paths
	flowJob = "flow" // place two of Variants, pay, accept
)

// clientReport is what it answers on its last line. The words before it are moments, each of
// which waits for a line on its standard input.
type clientReport struct {
	Calls   int           `json:"calls"`
	Elapsed time.Duration `json:"elapsed"`
	P50     time.Duration `json:"p50"`
	P95     time.Duration `json:"p95"`
	P99     time.Duration `json:"p99"`
	CPU     time.Duration `json:"cpu"` // of the clients, while it was measured
	Error   string        `json:"error"`
}

const (
	momentSettle = "settle"
	momentBegin  = "begin"
	momentEnd    = "end"
)

// job is what clients are told of o.
func (o *Options) job(kind string) clientJob {
	l := o.load()
	return clientJob{Kind: kind, Clients: l.clients, Warm: l.warm, Length: l.length}
}

var (
	errAnswer = errors.New("the server did not do what it was asked for")
	errClient = errors.New("the process of the clients failed")
)

// PerSecond is the rate of successful calls.
func (r *clientReport) PerSecond() float64 {
	return (&Sample{Calls: r.Calls, Elapsed: r.Elapsed}).PerSecond()
}

// report takes over what the clients measured.
func (r *clientReport) report(res *Result) {
	res.ours(&Sample{Calls: r.Calls, Elapsed: r.Elapsed})
	res.P50, res.P95, res.P99 = millis(r.P50), millis(r.P95), millis(r.P99)
}

// computing tells the clients' computing time from the server's.
func (r *clientReport) computing(res *Result, server *meter) {
	if r.CPU > 0 {
		res.more("client_cpu_seconds", decimals(r.CPU.Seconds()))
	}
	if server.cpu > 0 {
		res.more("server_cpu_seconds", decimals(server.cpu.Seconds()))
	}
}

// run has a process of its own do the job: this program with the arguments "bench client". The
// meter, if any, measures this process meanwhile.
func (j clientJob) run(ctx context.Context, m *meter) (*clientReport, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "bench", "client") //nolint:gosec // this very program
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	report, err := j.supervise(ctx, m, in, out)
	_ = in.Close() // ends a client that waits for an answer
	if e := cmd.Wait(); err == nil && e != nil {
		err = fmt.Errorf("%w: %w", errClient, e)
	}
	if err == nil {
		err = ctx.Err()
	}
	return report, err
}

func (j clientJob) supervise(ctx context.Context, m *meter, in io.Writer, out io.Reader) (*clientReport, error) {
	answers := json.NewEncoder(in)
	if err := answers.Encode(j); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "{") {
			return readReport(lines.Bytes())
		}
		if err := atMoment(ctx, m, lines.Text()); err != nil {
			return nil, err
		}
		if err := answers.Encode("go on"); err != nil {
			return nil, err
		}
	}
	return nil, errors.Join(errClient, lines.Err())
}

func readReport(line []byte) (*clientReport, error) {
	var r clientReport
	if err := json.Unmarshal(line, &r); err != nil {
		return nil, err
	}
	if r.Error != "" {
		return nil, fmt.Errorf("%w: %s", errClient, r.Error)
	}
	return &r, nil
}

func atMoment(ctx context.Context, m *meter, moment string) error {
	if m == nil {
		return nil
	}
	switch moment {
	case momentSettle:
		return m.room.settle(ctx)
	case momentBegin:
		return m.begin(ctx)
	case momentEnd:
		return m.end(ctx)
	}
	return nil
}

// Client is the process of the clients: it reads a job and does it. It is started by the bench
// and of no use to anybody else.
func Client(ctx context.Context, in io.Reader, out io.Writer) error {
	input := json.NewDecoder(in)
	var j clientJob
	if err := input.Decode(&j); err != nil {
		return fmt.Errorf("this command is started by bench http and bench flow: %w", err)
	}
	say := func(moment string) func(context.Context) error {
		return func(context.Context) error {
			if _, err := fmt.Fprintln(out, moment); err != nil {
				return err
			}
			var goOn string
			return input.Decode(&goOn)
		}
	}
	var r clientReport
	l := load{
		clients: j.Clients, warm: j.Warm, length: j.Length, settle: say(momentSettle),
		begin: func(ctx context.Context) error {
			err := say(momentBegin)(ctx)
			r.CPU -= processCPU()
			return err
		},
		end: func(ctx context.Context) error {
			r.CPU += processCPU()
			return say(momentEnd)(ctx)
		},
	}
	s, err := l.run(ctx, j.call())
	if err != nil {
		r.Error = err.Error()
	} else {
		r.Calls, r.Elapsed = s.Calls, s.Elapsed
		r.P50, r.P95, r.P99 = s.times.quantile(50), s.times.quantile(95), s.times.quantile(99)
	}
	return json.NewEncoder(out).Encode(r)
}

// call is one request, or one flow of three.
func (j *clientJob) call() call {
	c := &client{job: j, http: &http.Client{Transport: &http.Transport{
		MaxIdleConns: j.Clients, MaxIdleConnsPerHost: j.Clients, DisableCompression: true,
	}}}
	if j.Kind == readJob {
		return c.read
	}
	return c.flow
}

// client asks with as little ado as net/http allows.
type client struct {
	job  *clientJob
	http *http.Client
}

func (c *client) read(ctx context.Context, _ int, pick func(int) int) error {
	_, err := c.do(ctx, http.MethodGet, c.job.Paths[pick(len(c.job.Paths))], c.job.Bearer, "", nil, http.StatusOK)
	return err
}

var paid = []byte(`{"method":"ok"}`)

// flow places two products, pays and accepts.
func (c *client) flow(ctx context.Context, _ int, pick func(int) int) error {
	first, second := pair(pick, len(c.job.Variants))
	key := hyperlocal.RandomIDs{}.NewID()
	body := make([]byte, 0, 512)
	body = append(body, `{"merchant":"`+merchant+`","currency":"GBP","lines":[{"variant":"`...)
	body = append(body, c.job.Variants[first]...)
	body = append(body, `","quantity":{"value":"1","unit":"piece"}},{"variant":"`...)
	body = append(body, c.job.Variants[second]...)
	body = append(body, `","quantity":{"value":"1","unit":"piece"}}]}`...)
	path, err := c.do(ctx, http.MethodPost, "/v1/orders", c.job.Bearer, key, body, http.StatusCreated)
	if err != nil {
		return err
	}
	if _, err := c.do(ctx, http.MethodPost, path+"/pay", c.job.Bearer, key, paid, http.StatusOK); err != nil {
		return err
	}
	_, err = c.do(ctx, http.MethodPost, path+"/accept", c.job.Merchant, "", nil, http.StatusOK)
	return err
}

// do makes a request and returns where it leads. Another status than the wanted one is an error
// that says what the server said.
func (c *client) do(ctx context.Context, method, path, bearer, key string, body []byte, want int) (location string, err error) {
	req, err := http.NewRequestWithContext(ctx, method, c.job.Base+path, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header["Authorization"] = []string{"Bearer " + bearer}
	if key != "" {
		req.Header["Idempotency-Key"] = []string{key}
	}
	if body != nil {
		req.Header["Content-Type"] = []string{"application/json"}
	}
	res, err := c.http.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }() // it has been read
	if res.StatusCode != want {
		said, _ := io.ReadAll(io.LimitReader(res.Body, 2000))
		return "", fmt.Errorf("%w: %s %s: %s: %s", errAnswer, method, path, strconv.Itoa(res.StatusCode), said)
	}
	_, err = io.Copy(io.Discard, res.Body)
	return res.Header.Get("Location"), err
}
