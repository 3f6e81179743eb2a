package bus

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// RedisConfig is where the stream of wake-ups is. Zero fields mean the defaults.
type RedisConfig struct {
	// URL as in redis://user:password@host:6379/0.
	URL string
	// Group is the consumer group, one per installation: "callboard".
	Group string
	// MaxLen trims the stream. Trimming loses unread wake-ups silently, so it is
	// generous: 1,000,000, about 100 MB when full.
	MaxLen int64
	// MaxIdle is when the wake-up of a consumer that does not answer is taken over: 30 s.
	MaxIdle time.Duration
}

// Redis is the transport of several processes: one stream, one consumer group,
// as many consumers per process as there are workers. It does not connect yet.
func Redis(cfg RedisConfig) (Transport, error) {
	opts, err := redis.ParseURL(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("redis URL: %w", err)
	}
	if cfg.Group == "" {
		cfg.Group = "callboard"
	}
	if cfg.MaxLen <= 0 {
		cfg.MaxLen = 1_000_000
	}
	if cfg.MaxIdle <= 0 {
		cfg.MaxIdle = 30 * time.Second
	}
	silence()
	opts.ContextTimeoutEnabled = true
	opts.DialTimeout = publishTimeout
	opts.MaxRetries = 1
	return &redisTransport{cfg: cfg, opts: *opts}, nil
}

// silence turns off go-redis's own logging, which is global and goes to standard
// error. What it has to say of a connection comes to us as an error, too.
var silence = sync.OnceFunc(func() { redis.SetLogger(noLogger{}) })

type noLogger struct{}

func (noLogger) Printf(context.Context, string, ...any) {}

type redisTransport struct {
	cfg  RedisConfig
	opts redis.Options
}

func (r *redisTransport) String() string { return "redis at " + r.opts.Addr }
func (r *redisTransport) shared() bool   { return true }

// client makes a connection pool of its own: watermill closes what it was given.
func (r *redisTransport) client() *redis.Client {
	opts := r.opts
	return redis.NewClient(&opts)
}

func (r *redisTransport) open(ctx context.Context, consumers int, logger watermill.LoggerAdapter) (_ *link, err error) {
	l := &link{shared: true}
	client := r.client()
	// Ask before subscribing: a router whose subscription fails leaves a goroutine behind.
	if err := r.createGroup(ctx, client); err != nil {
		_ = client.Close()
		return nil, err
	}
	l.publisher, err = redisstream.NewPublisher(redisstream.PublisherConfig{
		Client: client, Marshaller: wire{}, DefaultMaxlen: r.cfg.MaxLen,
	}, logger)
	if err != nil {
		_ = client.Close()
		return nil, err
	}
	l.unread = func(ctx context.Context) (int64, error) { return r.unread(ctx, client) }
	process := uuid.NewString()
	for i := range consumers {
		sub, err := r.subscriber(ctx, fmt.Sprintf("%s-%02d", process, i), logger)
		if err != nil {
			l.close()
			return nil, err
		}
		l.subscribers = append(l.subscribers, sub)
	}
	return l, nil
}

// subscriber sets what dependencies.md 3.5 found to be needed.
func (r *redisTransport) subscriber(ctx context.Context, name string, logger watermill.LoggerAdapter) (message.Subscriber, error) {
	client := r.client()
	return redisstream.NewSubscriber(redisstream.SubscriberConfig{
		Client:        client,
		Unmarshaller:  wire{},
		ConsumerGroup: r.cfg.Group,
		Consumer:      name,
		OldestId:      "0",
		// The default of 100 ms would ask Redis ten times a second per consumer at rest.
		BlockTime:                     2 * time.Second,
		DisableIndefiniteInitialBlock: true,
		ClaimInterval:                 5 * time.Second,
		MaxIdleTime:                   r.cfg.MaxIdle,
		// It would claim its own slow messages and run them twice.
		ShouldClaimPendingMessage: func(p redis.XPendingExt) bool { return p.Consumer != name },
		// Called for every read error, half a second apart. A stream that is
		// gone (FLUSHALL, DEL, a fail-over that lost it) is made again here;
		// nothing else would. At the end it saves the reader half a second of sleep.
		ShouldStopOnReadErrors: func(err error) bool {
			if ctx.Err() != nil {
				return true
			}
			if strings.HasPrefix(err.Error(), "NOGROUP") {
				_ = r.createGroup(ctx, client) // seen again in half a second if it did not help
			}
			return false
		},
	}, logger)
}

// createGroup makes stream and group if they are missing. It starts at "0":
// what was published before the group existed is read, too.
func (r *redisTransport) createGroup(ctx context.Context, client redis.UniversalClient) error {
	ctx, cancel := context.WithTimeout(ctx, 2*publishTimeout)
	defer cancel()
	err := client.XGroupCreateMkStream(ctx, wakeTopic, r.cfg.Group, "0").Err()
	if err != nil && !strings.HasPrefix(err.Error(), "BUSYGROUP") {
		return fmt.Errorf("create consumer group: %w", err)
	}
	return nil
}

// unread asks for the group's lag. Redis before 7 does not know it and says 0.
func (r *redisTransport) unread(ctx context.Context, client redis.UniversalClient) (int64, error) {
	groups, err := client.XInfoGroups(ctx, wakeTopic).Result()
	if err != nil {
		return 0, fmt.Errorf("ask for the lag: %w", err)
	}
	for _, g := range groups {
		if g.Name == r.cfg.Group {
			return g.Lag, nil
		}
	}
	return 0, nil
}

// wire is the form of a wake-up in the stream: two plain fields, readable with
// redis-cli. Reading never fails, because one unreadable entry would end
// watermill's subscription without a word; the handler sees an empty topic.
type wire struct{}

func (wire) Marshal(_ string, msg *message.Message) (map[string]any, error) {
	return map[string]any{metaTopic: msg.Metadata.Get(metaTopic), metaKey: msg.Metadata.Get(metaKey)}, nil
}

func (wire) Unmarshal(values map[string]any) (*message.Message, error) {
	topic, _ := values[metaTopic].(string)
	key, _ := values[metaKey].(string)
	msg := message.NewMessage(topic+" "+key, nil)
	msg.Metadata.Set(metaTopic, topic)
	msg.Metadata.Set(metaKey, key)
	return msg, nil
}
