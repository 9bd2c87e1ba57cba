package hyperlocal

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// GatherConfig bounds a [Gather]. The zero value is good.
type GatherConfig struct {
	Batch      int // most calls of a batch; 256 by default, at most MaxGatherBatch
	Committers int // batches under way at once; 2 by default
	Queue      int // calls that may wait to be admitted to a batch; 8192 by default
	// Wait is the longest time that a batch waits for company; 300µs by default. It is
	// waited only while recent calls came together: a call that is alone never waits.
	Wait time.Duration
	// OneTenant keeps calls of different tenants out of each other's batches, for databases
	// with row-level security.
	OneTenant bool
}

// MaxGatherBatch bounds GatherConfig.Batch.
const MaxGatherBatch = 1000

// WithDefaults fills in what was left zero.
func (c GatherConfig) WithDefaults() GatherConfig {
	if c.Batch == 0 {
		c.Batch = 256
	}
	if c.Committers == 0 {
		c.Committers = 2
	}
	if c.Queue == 0 {
		c.Queue = 8192
	}
	if c.Wait == 0 {
		c.Wait = 300 * time.Microsecond
	}
	return c
}

// Validate reports everything that makes no sense: code invalid.
func (c GatherConfig) Validate() error {
	c = c.WithDefaults()
	var wrong []error
	if c.Batch < 1 || c.Batch > MaxGatherBatch {
		wrong = append(wrong, Invalid("gather", "batch", "a batch has 1 to 1000 calls"))
	}
	if c.Committers < 1 || c.Committers > 1000 {
		wrong = append(wrong, Invalid("gather", "committers", "1 to 1000 batches are under way at once"))
	}
	if c.Queue < 1 {
		wrong = append(wrong, Invalid("gather", "queue", "at least one call may wait"))
	}
	if c.Wait < 0 || c.Wait > time.Second {
		wrong = append(wrong, Invalid("gather", "wait", "a batch waits for at most a second"))
	}
	return errors.Join(wrong...)
}

// Errors of [Gather.Do] beside those of its commit function.
var (
	// ErrOverloaded: too many calls wait already. Nothing was changed.
	ErrOverloaded = NewError(CodeExhausted, "gather/overloaded",
		"too much is waiting to be done; try again shortly").WithRetryAfter(time.Second)
	// ErrGatherClosed: the program is shutting down. Nothing was changed.
	ErrGatherClosed = NewError(CodeUnavailable, "gather/closed",
		"this process takes no more calls; try again").WithRetryAfter(time.Second)
	// ErrGaveUp: the caller's context ended before its call was admitted. Nothing was changed.
	ErrGaveUp = NewError(CodeDeadline, "gather/gave_up",
		"the caller gave up before anything was done; nothing was changed")
	// ErrLeftBehind: the caller's context ended while its call was being committed.
	ErrLeftBehind = NewError(CodeUnknownOutcome, "gather/left_behind",
		"the caller gave up while this was being done; ask again under the same key")
	errGatherPanic = NewError(CodeInternal, "gather/panic", "a batch failed unexpectedly")
	errGatherCount = NewError(CodeInternal, "gather/answers", "a batch was answered with another number of results")
)

// Gather collects concurrent calls and commits them together: group commit. Every caller is
// answered only after the commit of its batch, with its own result.
//
// It adapts by itself. A call that finds a free committer is committed at once, alone; while
// the committers are busy, calls pile up and go together. Only while recent calls came
// together does a committer wait, for at most GatherConfig.Wait, for about as many as its
// share of them. When more calls wait than fit into a batch, tenants take turns, so that the
// crowd of one does not push the others back.
//
// It keeps at most Committers goroutines, and none while nothing is to be done. It is safe
// for concurrent use.
type Gather[C, R any] struct {
	config   GatherConfig
	tenantOf func(C) TenantID
	commit   func(context.Context, []C) ([]R, error)

	mu        sync.Mutex
	queues    map[TenantID]*gatherQueue[C, R]
	turn      *gatherQueue[C, R] // whose turn it is, in the ring of queues that are not empty
	waiting   int                // calls in the queues
	inside    int                // these and the ones being committed
	crowd     int                // how many were inside lately; halved when they stay away
	running   int                // committers
	gathering bool               // one of them waits for company
	target    int                // for so much of it
	closed    bool

	enough  chan struct{}              // the target is met, or there is no more to wait for
	idle    chan struct{}              // closed when closed and nothing is inside any more
	touches func(C, []uint64) []uint64 // see KeepApart; nil: batches never meet
	busy    map[uint64]int             // what the batches under way touch, and how often
	passed  map[uint64]struct{}        // what calls touch that were passed over while a batch is taken
	stuck   bool                       // all that wait touch what a batch under way does

	calls sync.Pool
	spare []*gatherQueue[C, R] // emptied queues, to be used again
}

// NewGather returns a Gather that hands batches of 1 to GatherConfig.Batch calls to commit,
// from up to GatherConfig.Committers goroutines at once. Code invalid for a config that makes
// no sense.
//
// tenantOf tells whose a call is. commit returns one result per call, in their order, and
// gives a call that it refuses a result that says so; its error is for the batch, and means
// that nothing was changed. A batch that fails is tried again in halves, down to single calls,
// whose own error is their answer. Not so when the error is of code unknown_outcome, which
// its calls get, or of code unavailable, which everybody gets: there is no use in hammering. A
// panic answers the batch with code internal. The context of commit belongs to the batch: it
// has no deadline and no values of any caller, and is not in a transaction. commit must not
// keep its slice.
func NewGather[C, R any](config GatherConfig, tenantOf func(C) TenantID,
	commit func(context.Context, []C) ([]R, error),
) (*Gather[C, R], error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	return &Gather[C, R]{
		config: config.WithDefaults(), tenantOf: tenantOf, commit: commit,
		queues: make(map[TenantID]*gatherQueue[C, R]),
		enough: make(chan struct{}, 1), idle: make(chan struct{}),
		calls: sync.Pool{New: func() any { return &gatherCall[C, R]{done: make(chan struct{}, 1)} }},
	}, nil
}

// KeepApart has calls that touch the same things never be in two batches at once, where one
// would only wait for the other's locks: they go together, or one batch after the other.
// touches appends to its slice what a call touches, as numbers: a hash will do, since two
// things with one number only wait for each other without need. Calls that touch one thing are
// taken in the order in which they came. Call it before the first Do.
func (g *Gather[C, R]) KeepApart(touches func(call C, to []uint64) []uint64) {
	g.touches, g.busy, g.passed = touches, make(map[uint64]int), make(map[uint64]struct{})
}

// gatherCall is one call on its way. Its fields belong to the mutex until it is admitted,
// then to its committer, and after done to its caller.
type gatherCall[C, R any] struct {
	call       C
	result     R
	err        error
	done       chan struct{}
	touched    []uint64
	queue      *gatherQueue[C, R] // nil once it is admitted
	prev, next *gatherCall[C, R]
}

// gatherQueue is the calls of one tenant, oldest first, and a link of the ring.
type gatherQueue[C, R any] struct {
	tenant      TenantID
	first, last *gatherCall[C, R]
	prev, next  *gatherQueue[C, R]
	from        *gatherCall[C, R] // the first that was not passed over while a batch is taken
}

// Do commits one call together with whatever else there is, and returns its result. What the
// call refers to must not change until it is answered, nor after ErrLeftBehind.
//
// Errors: ErrOverloaded, ErrGatherClosed and ErrGaveUp (code deadline), when nothing was
// changed; ErrLeftBehind (code unknown_outcome) when ctx ended while the call was being
// committed; else what the commit function says.
func (g *Gather[C, R]) Do(ctx context.Context, call C) (R, error) {
	var none R
	if err := ctx.Err(); err != nil {
		return none, ErrGaveUp.WithCause(err)
	}
	w := g.calls.Get().(*gatherCall[C, R])
	w.call = call
	if err := g.enter(w); err != nil {
		g.recycle(w)
		return none, err
	}
	select {
	case <-w.done:
	case <-ctx.Done():
		if g.takeOut(w) {
			g.recycle(w)
			return none, ErrGaveUp.WithCause(ctx.Err())
		}
		select {
		case <-w.done: // it came at the same moment
		default:
			return none, ErrLeftBehind.WithCause(ctx.Err()) // w is the committer's
		}
	}
	result, err := w.result, w.err
	g.recycle(w)
	return result, err
}

func (g *Gather[C, R]) recycle(w *gatherCall[C, R]) {
	*w = gatherCall[C, R]{done: w.done, touched: w.touched[:0]}
	g.calls.Put(w)
}

// enter queues a call and sees to it that somebody comes for it.
func (g *Gather[C, R]) enter(w *gatherCall[C, R]) error {
	tenant := g.tenantOf(w.call)
	if g.touches != nil {
		w.touched = g.touches(w.call, w.touched[:0])
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return ErrGatherClosed
	case g.waiting >= g.config.Queue:
		return ErrOverloaded
	}
	g.push(tenant, w)
	g.inside++
	g.crowd = max(g.crowd, g.inside)
	if g.gathering {
		if g.waiting >= g.target {
			g.wakeUp()
		}
		return nil
	}
	if !g.contended(w) { // else whoever is in its way comes for it
		g.stuck = false
		g.hire()
	}
	return nil
}

// hire starts a committer for what waits, if there may be one more.
func (g *Gather[C, R]) hire() {
	if g.waiting > 0 && !g.stuck && !g.gathering && g.running < g.config.Committers {
		g.running++
		go g.work()
	}
}

func (g *Gather[C, R]) wakeUp() {
	select {
	case g.enough <- struct{}{}:
	default:
	}
}

// takeOut takes a call back that was not admitted yet.
func (g *Gather[C, R]) takeOut(w *gatherCall[C, R]) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if w.queue == nil {
		return false
	}
	g.remove(w)
	g.leave(1)
	return true
}

// leave counts calls out.
func (g *Gather[C, R]) leave(n int) {
	g.inside -= n
	if g.closed && g.inside == 0 {
		close(g.idle)
	}
}

// Close takes no more calls, waits until all those inside are answered, or until ctx ends
// (code deadline). Later calls of Close wait as well.
func (g *Gather[C, R]) Close(ctx context.Context) error {
	g.mu.Lock()
	if !g.closed {
		g.closed = true
		g.leave(0)
		g.wakeUp()
	}
	g.mu.Unlock()
	select {
	case <-g.idle:
		return nil
	case <-ctx.Done():
		return NewError(CodeDeadline, "gather/draining", "calls were still under way when the time was over").WithCause(ctx.Err())
	}
}

// work is a committer: it commits batches until nothing waits.
func (g *Gather[C, R]) work() {
	// One that is ended from within, by runtime.Goexit, leaves its place to another.
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.running--
		g.hire()
	}()
	var batch []*gatherCall[C, R]
	var calls []C
	var touched []uint64
	defer func() { g.release(touched) }() // before the place is left
	for {
		if batch, touched = g.admit(batch[:0], touched[:0]); len(batch) == 0 {
			return
		}
		calls = g.commitAll(batch, calls)
		g.release(touched)
		touched = touched[:0]
		clear(batch)
		clear(calls[:cap(calls)])
	}
}

// commitAll commits a batch and answers all of it. It returns the slice it worked with.
func (g *Gather[C, R]) commitAll(batch []*gatherCall[C, R], calls []C) []C {
	open := batch
	defer func() { // only if commit ended the goroutine
		for _, w := range open {
			w.err = errGatherPanic
		}
		g.answer(open)
	}()
	// The sizes of the parts that are left, the next one at the end.
	parts := append(make([]int, 0, 16), len(open))
	for len(parts) > 0 {
		last := len(parts) - 1
		part := open[:parts[last]]
		calls = calls[:0]
		for _, w := range part {
			calls = append(calls, w.call)
		}
		results, err := g.try(calls)
		switch {
		case err == nil:
			for i, w := range part {
				w.result = results[i]
			}
		case IsCode(err, CodeUnavailable):
			part, last = open, 0
		case len(part) > 1 && divisible(err):
			half := len(part) / 2
			parts = append(append(parts[:last], len(part)-half), half)
			continue
		}
		if err != nil {
			for _, w := range part {
				w.err = err
			}
		}
		parts, open = parts[:last], open[len(part):]
		g.answer(part)
	}
	return calls
}

// divisible reports whether the parts of a batch may fare better than the whole.
func divisible(err error) bool {
	return !IsCode(err, CodeUnknownOutcome) && !errors.Is(err, errGatherPanic) && !errors.Is(err, errGatherCount)
}

// try is one commit.
func (g *Gather[C, R]) try(calls []C) (results []R, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errGatherPanic.WithCause(fmt.Errorf("%v\n%s", r, debug.Stack()))
		}
	}()
	ctx := context.Background() //nolint:forbidigo // the one place: a batch is nobody's, so it has nobody's deadline
	results, err = g.commit(ctx, calls)
	if err == nil && len(results) != len(calls) {
		err = errGatherCount
	}
	return results, err
}

// answer lets callers go.
func (g *Gather[C, R]) answer(calls []*gatherCall[C, R]) {
	if len(calls) == 0 {
		return
	}
	g.mu.Lock()
	g.leave(len(calls))
	g.mu.Unlock()
	for _, w := range calls {
		w.done <- struct{}{} // has room for one
	}
}

// admit waits for company where that is worth it, and takes a batch out of the queues; none
// if nothing waits, or somebody else is about to take it.
//
//nolint:gocritic // both slices are the committer's own, to be used again
func (g *Gather[C, R]) admit(batch []*gatherCall[C, R], touched []uint64) ([]*gatherCall[C, R], []uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waiting == 0 || g.gathering {
		return batch, touched
	}
	if target := min(g.crowd/g.config.Committers, g.config.Batch); g.waiting < target && !g.closed {
		g.company(target)
	}
	if g.touches == nil {
		batch = g.take(batch)
		g.hire() // for the rest
		return batch, touched
	}
	var more bool
	batch, more = g.takeApart(batch)
	g.stuck = !more
	for _, w := range batch {
		touched = append(touched, w.touched...)
	}
	for _, t := range touched {
		g.busy[t]++
	}
	g.hire()
	return batch, touched
}

// contended tells whether a call touches what a batch under way does.
func (g *Gather[C, R]) contended(w *gatherCall[C, R]) bool {
	for _, t := range w.touched {
		if g.busy[t] > 0 {
			return true
		}
	}
	return false
}

// passedOver tells whether a call touches what one before it does that has to wait.
func (g *Gather[C, R]) passedOver(w *gatherCall[C, R]) bool {
	for _, t := range w.touched {
		if _, ok := g.passed[t]; ok {
			return true
		}
	}
	return false
}

// release lets go of what a batch touched, and sees to those who waited for it.
func (g *Gather[C, R]) release(touched []uint64) {
	if len(touched) == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, t := range touched {
		if g.busy[t]--; g.busy[t] == 0 {
			delete(g.busy, t)
		}
	}
	g.stuck = false
	g.hire()
}

// maxPassed bounds the calls that are passed over while one batch is taken.
const maxPassed = 4096

// takeApart is take with calls passed over that have to wait for a batch under way, or for one
// before them. more tells that others wait which are worth a committer.
func (g *Gather[C, R]) takeApart(batch []*gatherCall[C, R]) (taken []*gatherCall[C, R], more bool) {
	if g.turn == nil {
		return batch, false
	}
	clear(g.passed)
	queues := 0
	for q := g.turn; queues == 0 || q != g.turn; q = q.next {
		q.from = q.first
		queues++
	}
	passed := 0
	var only *gatherQueue[C, R] // with OneTenant, once there is a call
	for open := queues; open > 0 && len(batch) < g.config.Batch && passed < maxPassed; {
		q := only
		if q == nil {
			q = g.turn
			g.turn = q.next
		}
		w := q.from
		for w != nil && (g.contended(w) || g.passedOver(w)) {
			for _, t := range w.touched {
				g.passed[t] = struct{}{}
			}
			passed++
			w = w.next
		}
		if w != nil {
			batch = append(batch, w)
			next := w.next
			g.remove(w)
			w = next
			if g.config.OneTenant {
				only = q
			}
		} else if q.from == nil {
			continue // nothing was left to look at before
		}
		if q.from = w; w == nil {
			open--
			if only != nil {
				break
			}
		}
	}
	return batch, len(batch) > 0 && g.waiting > passed
}

// company lets the mutex go until enough calls wait, or the time is over.
func (g *Gather[C, R]) company(target int) {
	g.gathering, g.target = true, target
	select {
	case <-g.enough: // from an earlier time
	default:
	}
	g.mu.Unlock()
	timer := time.NewTimer(g.config.Wait)
	select {
	case <-timer.C:
	case <-g.enough:
		timer.Stop()
	}
	g.mu.Lock()
	g.gathering = false
	if g.waiting < target { // the crowd has gone: the next one waits for less
		g.crowd = (g.crowd + g.inside) / 2
	}
}

// take admits calls: one of each tenant in turn, or those of one tenant.
func (g *Gather[C, R]) take(batch []*gatherCall[C, R]) []*gatherCall[C, R] {
	if g.turn == nil { // they were all taken out meanwhile
		return batch
	}
	if g.config.OneTenant {
		q := g.turn
		for g.turn == q && len(batch) < g.config.Batch {
			batch = append(batch, q.first)
			g.remove(q.first)
		}
		if g.turn == q {
			g.turn = q.next // it has had its turn
		}
		return batch
	}
	for g.turn != nil && len(batch) < g.config.Batch {
		q := g.turn
		g.turn = q.next
		batch = append(batch, q.first)
		g.remove(q.first)
	}
	return batch
}

// push puts a call at the end of its tenant's queue. A queue that begins joins the ring as
// the last whose turn comes.
func (g *Gather[C, R]) push(tenant TenantID, w *gatherCall[C, R]) {
	q := g.queues[tenant]
	if q == nil {
		if n := len(g.spare); n > 0 {
			q, g.spare = g.spare[n-1], g.spare[:n-1]
		} else {
			q = &gatherQueue[C, R]{}
		}
		q.tenant = tenant
		g.queues[tenant] = q
		if g.turn == nil {
			q.prev, q.next = q, q
			g.turn = q
		} else {
			q.prev, q.next = g.turn.prev, g.turn
			q.prev.next, q.next.prev = q, q
		}
	}
	w.queue, w.prev = q, q.last
	if q.last == nil {
		q.first = w
	} else {
		q.last.next = w
	}
	q.last = w
	g.waiting++
}

// maxSpare bounds the emptied queues that are kept.
const maxSpare = 16

// remove takes a call out of its queue, and the queue out of the ring when it is empty.
func (g *Gather[C, R]) remove(w *gatherCall[C, R]) {
	q := w.queue
	if w.prev == nil {
		q.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		q.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.queue, w.prev, w.next = nil, nil, nil
	g.waiting--
	if q.first != nil {
		return
	}
	if g.turn == q {
		g.turn = q.next
	}
	if g.turn == q {
		g.turn = nil // it was the only one
	}
	q.prev.next, q.next.prev = q.next, q.prev
	q.prev, q.next = nil, nil
	delete(g.queues, q.tenant)
	if len(g.spare) < maxSpare {
		g.spare = append(g.spare, q)
	}
}
