package eventbus

import (
	"context"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus/queue"
)

// GoChannelConfig configures [GoChannel]. The zero value is ready for use.
type GoChannelConfig struct {
	// Lanes is how many messages of one topic may be under way at a time: messages with equal
	// partition keys share a lane and keep their order. The default is 16.
	Lanes int
	// Persistent keeps all messages in memory for subscribers that come later, which then get
	// them in no order. For tests of the transport.
	Persistent bool
}

// InProcess is a transport within one process, made of Watermill's Go channels. Publish
// returns when every subscriber has acknowledged, so nothing is ever buffered and a slow
// consumer slows the relay down instead of filling the memory. What nobody subscribes to is
// dropped; if a subscriber leaves while a message is on its way, Publish fails with
// [ErrInterrupted]. Safe for concurrent use.
type InProcess struct {
	lanes   []*gochannel.GoChannel
	closing chan struct{}

	mu     sync.Mutex
	closed bool
	left   map[string]int // subscriptions that have ended, by topic
	open   sync.WaitGroup // subscriptions
}

var (
	_ message.Publisher  = (*InProcess)(nil)
	_ message.Subscriber = (*InProcess)(nil)
)

// GoChannel returns a transport within this process.
func GoChannel(c GoChannelConfig) *InProcess {
	if c.Lanes <= 0 {
		c.Lanes = 16
	}
	p := &InProcess{closing: make(chan struct{}), left: make(map[string]int)}
	for range c.Lanes {
		p.lanes = append(p.lanes, gochannel.NewGoChannel(gochannel.Config{
			BlockPublishUntilSubscriberAck: !c.Persistent, Persistent: c.Persistent,
		}, nil))
	}
	return p
}

// Publish implements [message.Publisher]. Lanes are served at the same time.
func (p *InProcess) Publish(topic string, messages ...*message.Message) error {
	before, err := p.gone(topic)
	if err != nil {
		return err
	}
	byLane := make(map[int][]*message.Message, 1)
	for _, m := range messages {
		lane := p.lane(m)
		byLane[lane] = append(byLane[lane], m)
	}
	errs := make(chan error, len(byLane))
	for lane, ms := range byLane {
		if len(byLane) == 1 {
			errs <- p.lanes[lane].Publish(topic, ms...)
			break
		}
		go func() { errs <- p.lanes[lane].Publish(topic, ms...) }()
	}
	for range byLane {
		if e := <-errs; e != nil && err == nil {
			err = ErrClosed.WithCause(e) // the only reason that a Go channel has
		}
	}
	if err != nil {
		return err
	}
	after, err := p.gone(topic)
	if err == nil && after != before {
		err = ErrInterrupted
	}
	return err
}

func (p *InProcess) lane(m *message.Message) int {
	key := m.Metadata.Get(MetadataPartitionKey)
	if key == "" {
		key = m.UUID
	}
	return queue.Shard(key) % len(p.lanes)
}

// gone counts the subscriptions of a topic that have ended. Watermill's channel reports a
// message as delivered when its subscriber closes; this tells the difference.
func (p *InProcess) gone(topic string) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0, ErrClosed
	}
	return p.left[topic], nil
}

// Subscribe implements [message.Subscriber]. Every subscription gets every message.
func (p *InProcess) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, ErrClosed
	}
	p.open.Add(1)
	p.mu.Unlock()

	// The lanes are cancelled only after the end of the subscription has been counted.
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	out := make(chan *message.Message)
	var forwarding sync.WaitGroup
	var failed error
	for _, lane := range p.lanes {
		in, err := lane.Subscribe(inner, topic)
		if err != nil {
			failed = ErrClosed.WithCause(err)
			break
		}
		forwarding.Go(func() {
			for m := range in {
				select {
				case out <- m:
				case <-inner.Done():
				}
			}
		})
	}
	end := func() {
		p.mu.Lock()
		p.left[topic]++
		p.mu.Unlock()
		cancel()
		forwarding.Wait()
		close(out)
		p.open.Done()
	}
	if failed != nil {
		end()
		return nil, failed
	}
	go func() {
		select {
		case <-ctx.Done():
		case <-p.closing:
		}
		end()
	}()
	return out, nil
}

// Close ends all subscriptions. Messages that have not been acknowledged are not delivered,
// and their Publish fails. It may be called more than once.
func (p *InProcess) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		p.open.Wait()
		return nil
	}
	p.closed = true
	close(p.closing)
	p.mu.Unlock()
	p.open.Wait()
	var err error
	for _, lane := range p.lanes {
		if e := lane.Close(); e != nil {
			err = e
		}
	}
	return err
}
