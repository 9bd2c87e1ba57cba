package bunstore

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus/queue"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus/queuetest"
)

func TestQueue(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		queuetest.Run(t, func(t *testing.T) queuetest.Harness {
			s := openStore(t, d)
			return queuetest.Harness{Tx: s, Queue: s.Queue(), Outbox: s.Outbox(), Schedules: s.Schedules()}
		})
	})
}

// The relay looks for an event in the shard that the outbox gave it.
func TestShardsAgree(t *testing.T) {
	t.Parallel()
	if OutboxShards != queue.Shards {
		t.Fatalf("%d shards here, %d there", OutboxShards, queue.Shards)
	}
	for _, key := range []string{"", "shop:order/1", "größe:日本/x"} {
		if OutboxShard(key) != queue.Shard(key) {
			t.Errorf("%q is in shard %d here, %d there", key, OutboxShard(key), queue.Shard(key))
		}
	}
}

// TestAdmit: one question tells what Blocked and Claim tell one after the other.
func TestAdmit(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		s := openStore(t, d)
		ids := hyperlocal.RandomIDs{}
		event := func(aggregate string, version int64, n int) hyperlocal.Envelope {
			return hyperlocal.Envelope{
				ID: ids.NewID(), Name: "order.changed", Version: 1, Tenant: "acme", Aggregate: hyperlocal.NewRef("order", aggregate),
				AggregateVersion: version, N: n, Time: time.Now(), Actor: hyperlocal.System("test"), Payload: []byte(`{}`),
			}
		}
		before, waiting, behind, foreign := event("a", 1, 0), event("a", 1, 1), event("a", 2, 0), event("b", 9, 0)
		dead, afterDead := event("c", 1, 0), event("c", 2, 0)
		for _, p := range []queue.Parked{{Envelope: waiting}, {Envelope: dead, Dead: true}} {
			p.Consumer, p.Due, p.At = "mailer", time.Now(), time.Now()
			if err := s.Queue().Park(t.Context(), p); err != nil {
				t.Fatal(err)
			}
		}
		undone := errors.New("undone")
		admit := func(what, consumer string, e hyperlocal.Envelope, wantBlocked, wantFresh bool, result error) {
			t.Helper()
			err := s.WithinTx(t.Context(), func(ctx context.Context) error {
				blocked, fresh, err := s.Inbox().Admit(ctx, consumer, e)
				if err == nil && (blocked != wantBlocked || fresh != wantFresh) {
					t.Errorf("%s: blocked %t, fresh %t; want %t, %t", what, blocked, fresh, wantBlocked, wantFresh)
				}
				return errors.Join(err, result)
			})
			if !errors.Is(err, result) {
				t.Fatal(err)
			}
		}
		admit("in a transaction that is undone", "mailer", before, false, true, undone)
		admit("before a parked one", "mailer", before, false, true, nil)
		admit("the second time", "mailer", before, false, false, nil)
		admit("for another consumer", "search", before, false, true, nil)
		admit("a parked one", "mailer", waiting, true, false, nil)
		admit("behind a parked one", "mailer", behind, true, false, nil)
		admit("behind another consumer's parked one", "search", behind, false, true, nil)
		admit("another aggregate's", "mailer", foreign, false, true, nil)
		admit("a dead one", "mailer", dead, true, false, nil)
		admit("behind a dead one", "mailer", afterDead, false, true, nil)
		if err := s.Queue().Settle(t.Context(), queue.Parked{Consumer: "mailer", Envelope: waiting}.ID()); err != nil {
			t.Fatal(err)
		}
		admit("what is not parked any more", "mailer", waiting, false, true, nil)
		admit("when nothing is before it", "mailer", behind, false, true, nil)
		if _, _, err := s.Inbox().Admit(t.Context(), "mailer", foreign); !errors.Is(err, errTxRequired) {
			t.Errorf("outside a transaction: %v", err)
		}
	})
}

// TestMarksAreLight: a mark does not wait for the disk, but for it to be part of a transaction
// that does.
func TestMarksAreLight(t *testing.T) {
	t.Parallel()
	s := openStore(t, Postgres)
	for _, text := range []string{
		`CREATE TABLE seen (setting text)`,
		`CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS
			$$BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END$$`,
		`CREATE TRIGGER see AFTER UPDATE ON ` + s.schema + `.hc_outbox FOR EACH ROW EXECUTE FUNCTION see()`,
	} {
		if _, err := s.pool.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	var places []queue.Place
	err := s.WithinTx(t.Context(), func(ctx context.Context) error {
		places = nil
		for _, id := range []string{"a", "b"} {
			e := hyperlocal.Envelope{
				ID: hyperlocal.RandomIDs{}.NewID(), Name: "order.changed", Version: 1, Tenant: "acme",
				Aggregate: hyperlocal.NewRef("order", id), AggregateVersion: 1, Time: time.Now(), Payload: []byte(`{}`),
			}
			places = append(places, queue.PlaceOf(e))
			if err := s.Outbox().Append(ctx, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Queue().Mark(t.Context(), time.Now(), places[:1], nil); err != nil {
		t.Fatal(err)
	}
	err = s.WithinTx(t.Context(), func(ctx context.Context) error {
		return s.Queue().Mark(ctx, time.Now(), places[1:], nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	var seen string
	if err := s.pool.QueryRowContext(t.Context(), `SELECT string_agg(setting, ' ' ORDER BY ctid) FROM seen`).Scan(&seen); err != nil {
		t.Fatal(err)
	}
	if seen != "off on" {
		t.Errorf("synchronous_commit was %q, want off for the mark alone, on within a transaction", seen)
	}
}
