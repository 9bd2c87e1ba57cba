package bench

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Options of a run. Duration is that of each measurement, after a fifth of it to warm up.
type Options struct {
	DSN      string // sqlite:PATH (only its folder is used), sqlite: for a temporary folder, or postgres://...
	Clients  int    // 1 to MaxClients
	Items    int    // how many items, accounts or products are drawn from, 1 to Items; 1 is one hot item
	Intake   bool   // gather concurrent calls of ours and commit them together
	Duration time.Duration

	Profile  string              // where to write a CPU profile of what is measured of ours; "" for none
	Progress func(report string) // told what goes on; nil for nobody
	Logger   *slog.Logger        // of the services; nil: slog's default

	// Buyers and Units make Hot a rush: so many buyers want one each of so many units. 0 buyers
	// is none.
	Buyers, Units int
	// Batch is how many transfers Post commits together, 1 to MaxBatch.
	Batch int
	// Bounded has Post transfer between accounts that may not be overdrawn, whose rows are locked.
	Bounded bool
	// Events is the backlog that Relay drains, Rate how many events a second it is fed afterwards.
	Events, Rate int
	// Single has Relay handle every event in a transaction of its own.
	Single bool
	// From and To are the numbers of stored orders that Growth compares.
	From, To int
}

// Limits of the options.
const (
	MaxClients = 200
	MaxBuyers  = 100_000
	MaxBatch   = 1000
	MaxEvents  = 2_000_000
	MaxStored  = 20_000_000
)

var (
	// ErrOptions refuses options that make no sense.
	ErrOptions = errors.New("these options make no sense")
	// ErrPostgresOnly refuses a database that a measurement does not exist for.
	ErrPostgresOnly = fmt.Errorf("%w: this is measured on PostgreSQL only; give --db postgres://", ErrOptions)
	// ErrOversold tells that more was sold than there was, or less than could be.
	ErrOversold = errors.New("what was sold is not what there was")
	// ErrInconsistent tells that the database broke an invariant under load.
	ErrInconsistent = errors.New("the database is inconsistent after the run")
	// ErrStalled tells that events were left when nothing happened any more.
	ErrStalled = errors.New("events were not handled in time")
)

func (o *Options) validate() error {
	switch {
	case o.Clients < 1 || o.Clients > MaxClients:
		return fmt.Errorf("%w: 1 to %d clients", ErrOptions, MaxClients)
	case o.Items < 1 || o.Items > Items:
		return fmt.Errorf("%w: 1 to %d items", ErrOptions, Items)
	case o.Duration < 100*time.Millisecond || o.Duration > time.Hour:
		return fmt.Errorf("%w: a duration of 100ms to 1h", ErrOptions)
	case o.Buyers < 0 || o.Buyers > MaxBuyers || o.Units < 0 || o.Units > MaxBuyers:
		return fmt.Errorf("%w: at most %d buyers and units", ErrOptions, MaxBuyers)
	case o.Buyers > 0 && o.Units == 0 || o.Units > 0 && o.Buyers == 0:
		return fmt.Errorf("%w: a rush takes --buyers and --units", ErrOptions)
	}
	return nil
}

// need checks an option of one measurement.
func need(name string, value, most int) error {
	if value < 1 || value > most {
		return fmt.Errorf("%w: %s from 1 to %d", ErrOptions, name, most)
	}
	return nil
}

func (o *Options) tell(format string, args ...any) {
	if o.Progress != nil {
		o.Progress(fmt.Sprintf(format, args...))
	}
}
