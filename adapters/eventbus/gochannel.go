package eventbus

import (
	"context"
	"hash/maphash"
	"slices"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
)

// GoChannelConfig configures [GoChannel]. The zero value is ready for use.
type GoChannelConfig struct {
	// Lanes is how many messages of one topic may be under way at a time: messages with equal
	// partition keys share a lane and keep their order. The default is 256, which is what a
	// [BatchHandler] is given at most.
	Lanes int
	// Persistent keeps all messages in memory for subscribers that come later, which then get
	// them in no order. For tests of the transport.
	Persistent bool
}

// InProcess is a transport within one process, made of Go channels. Publish returns when every
// subscriber has acknowledged, so nothing is ever buffered and a slow consumer slows the relay
// down instead of filling the memory. What nobody subscribes to is dropped; if a subscriber
// leaves while a message is on its way, Publish fails with [ErrInterrupted]. A message that is
// not acknowledged is delivered again at once. Safe for concurrent use.
type InProcess struct {
	lanes      int
	seed       maphash.Seed
	persistent bool

	mu     sync.Mutex
	closed bool
	topics map[string]*topic
	open   sync.WaitGroup // subscriptions, and what is on its way to them in the background
	// closing ends the subscriptions. It is closed with mu held.
	closing chan struct{}
}

// topic is what a transport knows of one. What its lanes do not say is guarded by the
// transport's lock.
type topic struct {
	lanes         []sync.Mutex
	subscriptions []*subscription
	kept          []*message.Message
}

// subscription is one reader of a topic.
type subscription struct {
	ctx context.Context //nolint:containedctx // of every message it is given; ends with the subscription
	out chan *message.Message

	mu      sync.Mutex
	ended   bool
	sending sync.WaitGroup // into out
}

var (
	_ message.Publisher  = (*InProcess)(nil)
	_ message.Subscriber = (*InProcess)(nil)
)

// GoChannel returns a transport within this process.
func GoChannel(c GoChannelConfig) *InProcess {
	if c.Lanes <= 0 {
		c.Lanes = maxGathered
	}
	return &InProcess{
		lanes: c.Lanes, seed: maphash.MakeSeed(), persistent: c.Persistent, topics: make(map[string]*topic), closing: make(chan struct{}),
	}
}

// topic is called with mu held.
func (p *InProcess) topic(name string) *topic {
	t := p.topics[name]
	if t == nil {
		t = &topic{lanes: make([]sync.Mutex, p.lanes)}
		p.topics[name] = t
	}
	return t
}

// Publish implements [message.Publisher]. Lanes are served at the same time.
func (p *InProcess) Publish(topic string, messages ...*message.Message) error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return ErrClosed
	}
	t := p.topic(topic)
	readers := slices.Clone(t.subscriptions)
	if p.persistent {
		t.kept = append(t.kept, messages...)
		p.deliverAside(readers, messages)
		p.mu.Unlock()
		return nil
	}
	p.mu.Unlock()
	if len(readers) == 0 || len(messages) == 0 {
		return nil
	}
	if !p.deliver(t, readers, messages) {
		return p.interrupted()
	}
	return nil
}

// interrupted says why a message has not reached somebody.
func (p *InProcess) interrupted() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	return ErrInterrupted
}

// deliver brings the messages to all readers, those of one lane one after the other, and
// reports whether all were acknowledged.
func (p *InProcess) deliver(t *topic, readers []*subscription, messages []*message.Message) bool {
	if len(messages) == 1 {
		return deliverLane(&t.lanes[p.lane(messages[0])], readers, messages)
	}
	byLane := make(map[int][]*message.Message, len(messages))
	for _, m := range messages {
		lane := p.lane(m)
		byLane[lane] = append(byLane[lane], m)
	}
	results := make(chan bool, len(byLane))
	for lane, ms := range byLane {
		go func() { results <- deliverLane(&t.lanes[lane], readers, ms) }()
	}
	all := true
	for range byLane {
		all = <-results && all
	}
	return all
}

// deliverLane goes on with the next message when one has not reached everybody, as nothing but
// the end of a subscription keeps it from that.
func deliverLane(lane *sync.Mutex, readers []*subscription, messages []*message.Message) bool {
	lane.Lock()
	defer lane.Unlock()
	all := true
	for _, m := range messages {
		all = deliverOne(readers, m) && all
	}
	return all
}

// deliverOne brings one message to all readers at a time.
func deliverOne(readers []*subscription, m *message.Message) bool {
	if len(readers) == 1 {
		return readers[0].deliver(m)
	}
	results := make(chan bool, len(readers))
	for _, r := range readers {
		go func() { results <- r.deliver(m) }()
	}
	all := true
	for range readers {
		all = <-results && all
	}
	return all
}

// deliverAside is for messages that are kept. It is called with mu held.
func (p *InProcess) deliverAside(readers []*subscription, messages []*message.Message) {
	for _, r := range readers {
		for _, m := range messages {
			p.open.Go(func() { r.deliver(m) })
		}
	}
}

// deliver hands out copies of the message until one is acknowledged, which it reports. It
// gives up when the subscription ends.
func (s *subscription) deliver(m *message.Message) bool {
	for {
		ctx, cancel := context.WithCancel(s.ctx)
		mine := m.Copy()
		mine.SetContext(withEnvelopeOf(ctx, m))
		if !s.send(mine) {
			cancel()
			return false
		}
		select {
		case <-mine.Acked():
			cancel()
			return true
		case <-mine.Nacked():
			cancel()
		case <-s.ctx.Done():
			cancel()
			select {
			case <-mine.Acked(): // at the last moment
				return true
			default:
				return false
			}
		}
	}
}

// send reports whether the subscriber has received the message.
func (s *subscription) send(m *message.Message) bool {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return false
	}
	s.sending.Add(1)
	s.mu.Unlock()
	defer s.sending.Done()
	select {
	case s.out <- m:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// lane spreads keys otherwise than [queue.Shard] does, so that the keys of a shard have all
// lanes, also keys that differ in their last letter only.
func (p *InProcess) lane(m *message.Message) int {
	key := m.Metadata.Get(MetadataPartitionKey)
	if key == "" {
		key = m.UUID
	}
	return int(maphash.String(p.seed, key) % uint64(p.lanes)) //nolint:gosec // less than lanes
}

// Subscribe implements [message.Subscriber]. Every subscription gets every message.
func (p *InProcess) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	inner, cancel := context.WithCancel(ctx)
	s := &subscription{ctx: inner, out: make(chan *message.Message)}
	t := p.topic(topic)
	t.subscriptions = append(t.subscriptions, s)
	p.deliverAside([]*subscription{s}, t.kept)
	p.open.Go(func() {
		select {
		case <-ctx.Done():
		case <-p.closing:
		}
		p.mu.Lock()
		t.subscriptions = slices.DeleteFunc(slices.Clone(t.subscriptions), func(o *subscription) bool { return o == s })
		p.mu.Unlock()
		cancel()
		s.mu.Lock()
		s.ended = true
		s.mu.Unlock()
		s.sending.Wait()
		close(s.out)
	})
	return s.out, nil
}

// Close ends all subscriptions. Messages that have not been acknowledged are not delivered,
// and their Publish fails. It may be called more than once.
func (p *InProcess) Close() error {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		close(p.closing)
	}
	p.mu.Unlock()
	p.open.Wait()
	return nil
}
