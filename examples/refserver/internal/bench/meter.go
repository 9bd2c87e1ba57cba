package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/pprof"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// meter measures, besides times, what ours costs: round trips, log, computing time. If asked
// to, it profiles that.
type meter struct {
	room    *room
	profile string
	sent    atomic.Int64 // round trips since ever

	statements int64
	wal        int64 // bytes; -1 where nobody counts
	cpu        time.Duration
	file       *os.File // the profile that is being written
}

// hook counts a round trip.
func (m *meter) hook(string) { m.sent.Add(1) }

// begin and end enclose what is measured; what lies between several pairs adds up.
func (m *meter) begin(ctx context.Context) error {
	at, err := m.room.walPosition(ctx)
	if err != nil {
		return err
	}
	if m.profile != "" {
		if err := m.startProfile(); err != nil {
			return err
		}
	}
	m.wal -= at
	m.statements -= m.sent.Load()
	m.cpu -= processCPU()
	return nil
}

func (m *meter) end(ctx context.Context) error {
	m.cpu += processCPU()
	m.statements += m.sent.Load()
	m.stopProfile()
	at, err := m.room.walPosition(ctx)
	m.wal += at
	if !m.room.postgres() {
		m.wal = -1
	}
	return err
}

func (m *meter) startProfile() (err error) {
	m.file, err = os.Create(m.profile)
	if err != nil {
		return fmt.Errorf("%w: --cpuprofile: %w", ErrOptions, err)
	}
	if err := pprof.StartCPUProfile(m.file); err != nil {
		return errors.Join(err, m.file.Close())
	}
	m.profile = "" // of several measurements the first is profiled
	return nil
}

// stopProfile also ends the profile of a run that failed.
func (m *meter) stopProfile() {
	if m.file != nil {
		pprof.StopCPUProfile()
		_ = m.file.Close()
		m.file = nil
	}
}

// costs takes over what n of ours cost.
func (m *meter) costs(r *Result, n int) {
	r.StatementsPerOrder = per(float64(m.statements), n)
	if m.wal >= 0 {
		r.WALBytesPerOrder = whole(float64(m.wal) / float64(max(n, 1)))
	}
	if m.cpu > 0 {
		r.more("cpu_us_each", per(float64(m.cpu.Microseconds()), n))
	}
}

// walPosition is how many bytes the server has ever written to its log, for whomever; 0 on
// SQLite.
func (own *room) walPosition(ctx context.Context) (at int64, err error) {
	if !own.postgres() {
		return 0, nil
	}
	err = own.ask(ctx, func(c *pgx.Conn) error {
		return c.QueryRow(ctx, `SELECT (pg_current_wal_lsn() - '0/0')::bigint`).Scan(&at)
	})
	return at, err
}
