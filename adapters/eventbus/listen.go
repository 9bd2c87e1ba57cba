package eventbus

import (
	"context"
	"log/slog"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Listen has fn told of every event of the topics that the subscriber delivers, for what each
// process has to know and may miss: that a cache is out of date, that a screen should look
// again. There is no inbox, no transaction and no order between aggregates; fn may be called
// from several goroutines at once, meets events more than once, and cannot refuse one. It
// should return soon, because some transports wait for it.
//
// Give every process a subscriber of its own: one that shares a consumer group misses what
// another member gets. Events that were published before Listen returned may be missed too.
//
// Listen returns once it has subscribed to all topics, or with the error of the subscriber.
// It goes on until ctx ends or the subscriber is closed. What is no event of ours is logged
// and left out; logger may be nil.
func Listen(ctx context.Context, subscriber message.Subscriber, topics []string, logger *slog.Logger,
	fn func(ctx context.Context, e hyperlocal.Envelope),
) error {
	if subscriber == nil || fn == nil {
		return ErrConfig.WithMessage("listening needs a subscriber and a function")
	}
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancel(ctx)
	subscriptions := make([]<-chan *message.Message, 0, len(topics))
	for _, topic := range topics {
		messages, err := subscriber.Subscribe(ctx, topic)
		if err != nil {
			cancel()
			return ErrConfig.WithMessage("nobody can listen to %s", topic).WithCause(err)
		}
		subscriptions = append(subscriptions, messages)
	}
	for _, messages := range subscriptions {
		go func() {
			for m := range messages {
				tell(m, logger, fn)
			}
		}()
	}
	context.AfterFunc(ctx, cancel) // ctx ends with its parent
	return nil
}

// tell acknowledges a message whatever becomes of it: it is an announcement, not a task.
func tell(m *message.Message, logger *slog.Logger, fn func(context.Context, hyperlocal.Envelope)) {
	defer m.Ack()
	ctx := m.Context()
	defer func() {
		if v := recover(); v != nil {
			logger.ErrorContext(ctx, "a listener panicked", "panic", v)
		}
	}()
	e, err := ReadMessage(m)
	if err != nil {
		logger.WarnContext(ctx, "a listener met what is no event", "message", m.UUID, "error", err)
		return
	}
	fn(ContextWithCause(ctx, e), e)
}
