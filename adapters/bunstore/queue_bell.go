package bunstore

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus/queue"
)

// The bell is LISTEN and NOTIFY of PostgreSQL. A NOTIFY inside the transactions that append
// events would make their commits take turns, because PostgreSQL holds one lock of the whole
// server from the writing of the notice to the end of the commit. So it is sent afterwards, by
// itself: see docs/adr/0007-ring-after-the-commit.md.

// bellChannel is one for all schemas of a database; what is sent says which, and who rang.
const bellChannel = "hc_outbox"

const (
	bellRing   = `SELECT pg_notify('` + bellChannel + `', $1)`
	bellListen = `LISTEN ` + bellChannel
)

// Pauses before a broken connection of a listener is made again.
const (
	listenPause    = 100 * time.Millisecond
	listenMaxPause = 30 * time.Second
)

var _ queue.Bell = (*Queue)(nil)

// errDeaf: the connections of the host's driver cannot be listened on.
var errDeaf = errors.New("bunstore: the driver is wrapped")

// Ring implements [queue.Bell]; on SQLite, where there is nobody, it does nothing.
func (q *Queue) Ring(ctx context.Context) error {
	if q.s.dialect == SQLite {
		return nil
	}
	q.s.sent(bellRing)
	_, err := q.s.pool.ExecContext(ctx, bellRing, q.s.schema+"/"+q.name())
	return q.s.classify(err)
}

// name tells this store's rings from those of others.
func (q *Queue) name() string {
	q.s.bell.Do(func() { q.s.bellName = hyperlocal.RandomIDs{}.NewID() })
	return q.s.bellName
}

// Listen implements [queue.Bell]. It keeps a connection to itself, in addition to those of
// [WithPool] if the store was made by [Open]. On SQLite, over a wrapped driver and behind a
// pooler that hands out connections by transaction nothing is ever heard.
func (q *Queue) Listen(ctx context.Context, heard func(), trouble func(error)) {
	if q.s.dialect == SQLite {
		return
	}
	if q.s.owned {
		q.s.pool.SetMaxOpenConns(q.s.size + 1)
		defer q.s.pool.SetMaxOpenConns(q.s.size)
	}
	for pause := listenPause; ctx.Err() == nil; pause = min(2*pause, listenMaxPause) {
		err := q.listen(ctx, func() { pause = listenPause; heard() })
		if errors.Is(err, errDeaf) || ctx.Err() != nil {
			return
		}
		if trouble != nil {
			trouble(q.s.classify(err))
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// listen listens on one connection until that breaks or ctx ends.
func (q *Queue) listen(ctx context.Context, heard func()) error {
	conn, err := q.s.pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer discard(conn, true) // nobody else shall get it with its LISTEN
	return conn.Raw(func(dc any) error {
		c, ok := dc.(*stdlib.Conn)
		if !ok {
			return errDeaf
		}
		return q.hear(ctx, c.Conn(), heard)
	})
}

func (q *Queue) hear(ctx context.Context, conn *pgx.Conn, heard func()) error {
	q.s.sent(bellListen)
	if _, err := conn.Exec(ctx, bellListen); err != nil {
		return err
	}
	heard()
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		if schema, who, _ := strings.Cut(n.Payload, "/"); schema == q.s.schema && who != q.name() {
			heard()
		}
	}
}
