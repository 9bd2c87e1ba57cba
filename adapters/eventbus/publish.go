package eventbus

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus/queue"
)

// outcome is what became of the events of one shard.
type outcome struct {
	shard     int
	published []queue.Place
	failed    []refused // for their own sake
	suspects  []refused // perhaps because the broker is down
}

// refused is an event that the publisher did not take.
type refused struct {
	row    queue.Pending
	err    error
	number int64 // of the refusal, counted by the relay
}

// maxSuspects is after how many refusals in a row a shard stops trying: then it is the broker.
const maxSuspects = 3

// publish sends the events of a shard in their order. It ends early when ctx does. It is
// called without a transaction.
func (r *Relay) publish(ctx context.Context, shard int, rows []queue.Pending) outcome {
	p := &shardRun{r: r, out: outcome{shard: shard}, stopped: make(map[queue.Aggregate]bool)}
	for start := 0; start < len(rows) && !p.ended && ctx.Err() == nil; {
		run, messages := p.run(rows[start:])
		start += run
		if len(messages) > 0 {
			p.send(ctx, messages)
		}
	}
	return p.out
}

type shardRun struct {
	r       *Relay
	out     outcome
	stopped map[queue.Aggregate]bool // aggregates with a refused event: what follows waits
	inRow   int                      // refusals in a row
	ended   bool
}

// sendable is an event as a message.
type sendable struct {
	row     queue.Pending
	message *message.Message
}

// run turns the next events of one topic into messages; n is how many rows it used up.
func (p *shardRun) run(rows []queue.Pending) (n int, out []sendable) {
	topic := rows[0].Envelope.Topic()
	for ; n < len(rows) && rows[n].Envelope.Topic() == topic; n++ {
		row := rows[n]
		aggregate := queue.PlaceOf(row.Envelope).Aggregate
		if p.stopped[aggregate] {
			continue
		}
		m, err := NewMessage(row.Envelope)
		if err != nil {
			p.out.failed = append(p.out.failed, refused{row: row, err: err})
			p.stopped[aggregate] = true
			continue
		}
		out = append(out, sendable{row, m})
	}
	return n, out
}

// send publishes messages of one topic: together, and if that fails one by one.
func (p *shardRun) send(ctx context.Context, messages []sendable) {
	topic := messages[0].row.Envelope.Topic()
	all := make([]*message.Message, len(messages))
	for i := range messages {
		all[i] = messages[i].message
	}
	before := p.r.refusals.Load()
	err := p.r.c.Publisher.Publish(topic, all...)
	if err == nil {
		p.took(ctx, before, messages...)
		return
	}
	if len(messages) == 1 {
		p.refuse(messages[0], err)
		return
	}
	for _, m := range messages {
		if p.ended || ctx.Err() != nil {
			return
		}
		if p.stopped[queue.PlaceOf(m.row.Envelope).Aggregate] {
			continue
		}
		before := p.r.refusals.Load()
		again := m.message.Copy() // the first try may have left its mark on the message
		if err := p.r.c.Publisher.Publish(topic, again); err != nil {
			p.refuse(m, err)
			continue
		}
		p.took(ctx, before, m)
	}
}

func (p *shardRun) took(ctx context.Context, refusals int64, messages ...sendable) {
	p.inRow = 0
	p.r.good(refusals)
	if err := p.r.c.Hook(ctx, "relay.after_publish"); err != nil {
		p.ended = true
		return
	}
	for _, m := range messages {
		p.out.published = append(p.out.published, queue.PlaceOf(m.row.Envelope))
	}
}

func (p *shardRun) refuse(m sendable, err error) {
	p.stopped[queue.PlaceOf(m.row.Envelope).Aggregate] = true
	if p.r.c.Permanent(err) {
		p.out.failed = append(p.out.failed, refused{row: m.row, err: err})
		return
	}
	p.out.suspects = append(p.out.suspects, refused{row: m.row, err: err, number: p.r.refusals.Add(1)})
	p.inRow++
	p.ended = p.ended || p.inRow >= maxSuspects
}

// good notes that the broker took a message whose sending began after so many refusals.
func (r *Relay) good(refusals int64) {
	for {
		known := r.lastGood.Load()
		if known >= refusals || r.lastGood.CompareAndSwap(known, refusals) {
			return
		}
	}
}
