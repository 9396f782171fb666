package fargate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/docker/docker/pkg/stdcopy"
	"github.com/docker/go-units"
)

// Limits of PutLogEvents: events and bytes in a batch, bytes added per event, bytes of one event.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
const (
	batchEvents   = 10_000
	batchBytes    = 1 << 20
	eventOverhead = 26
	eventBytes    = 256<<10 - eventOverhead
)

// shipEvery is between two batches of one stream.
const shipEvery = time.Second

// defaultBuffer is awslogs' buffer in non-blocking mode, in bytes.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LogConfiguration.html
const defaultBuffer = 10 << 20

// stream ships one container's lines to CloudWatch Logs, in order.
type stream struct {
	logs  *cloudwatchlogs.Client
	group string
	name  string
	limit int // bytes that wait at most

	mu      sync.Mutex
	waiting []types.InputLogEvent
	size    int
	dropped int
	refused int // times in a row; ship's own
	close   sync.Once
	closing chan struct{} // closed when the last line is in
	done    chan struct{} // closed when it was shipped
}

// newStream checks a container's awslogs options and creates its log stream; the log group must exist.
func newStream(ctx context.Context, logs *cloudwatchlogs.Client, options map[string]string, container, taskID string) (*stream, error) {
	s := &stream{logs: logs, group: options["awslogs-group"], limit: defaultBuffer, closing: make(chan struct{}), done: make(chan struct{})}
	s.name = fmt.Sprintf("%s/%s/%s", options["awslogs-stream-prefix"], container, taskID)
	for name, value := range options {
		switch name {
		case "awslogs-group", "awslogs-region", "awslogs-stream-prefix":
			continue
		case "mode":
			if value == "non-blocking" {
				continue
			}
		case "max-buffer-size":
			limit, err := units.RAMInBytes(value)
			if err != nil {
				return nil, fmt.Errorf("ResourceInitializationError: failed to validate logger args: max-buffer-size: %w", err)
			}
			s.limit = int(limit)
			continue
		}
		return nil, fmt.Errorf("ResourceInitializationError: failed to validate logger args: %s %s: not supported by the local run", name, value)
	}
	_, err := logs.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: &s.group, LogStreamName: &s.name})
	var missing *types.ResourceNotFoundException
	switch {
	case errors.As(err, &missing):
		return nil, errors.New("ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: " +
			"failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. : exit status 1")
	case err != nil:
		return nil, fmt.Errorf("ResourceInitializationError: failed to validate logger args: %w", err)
	}
	go s.ship()
	return s, nil
}

// copyFrom reads a container's output until it ends.
func (s *stream) copyFrom(r io.Reader, tty bool) {
	out, err := &lines{stream: s}, &lines{stream: s}
	if tty {
		_, _ = io.Copy(out, r)
	} else {
		_, _ = stdcopy.StdCopy(out, err, r)
	}
	out.flush()
	err.flush()
}

// abandon says that no line will come any more.
func (s *stream) abandon() { s.close.Do(func() { close(s.closing) }) }

// add takes one line. A full buffer drops it.
func (s *stream) add(line []byte) {
	if len(bytes.TrimSpace(line)) == 0 {
		return // CloudWatch Logs refuses an empty event
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	cost := len(line) + eventOverhead
	if s.size+cost > s.limit && s.size > 0 {
		s.dropped++
		return
	}
	s.size += cost
	s.waiting = append(s.waiting, types.InputLogEvent{
		Message:   aws.String(strings.ToValidUTF8(string(line), "\uFFFD")),
		Timestamp: aws.Int64(time.Now().UnixMilli()),
	})
}

// ship sends a batch about once a second and ends when the stream is closed and empty.
func (s *stream) ship() {
	defer close(s.done)
	for last := false; ; {
		for s.shipBatch() == batchEvents {
			continue
		}
		if last && s.empty() {
			return
		}
		select {
		case <-s.closing:
			last = true
		case <-time.After(shipEvery):
		}
	}
}

// shipBatch sends one batch and returns its length. A batch refused five times is lost, as awslogs loses it.
func (s *stream) shipBatch() int {
	s.mu.Lock()
	events, bytes := s.batch()
	s.mu.Unlock()
	if len(events) == 0 {
		return 0
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err := s.logs.PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{LogGroupName: &s.group, LogStreamName: &s.name, LogEvents: events})
	if err != nil {
		s.refused++
		if s.refused < 5 {
			return 0
		}
	}
	s.refused = 0
	s.shipped(len(events), bytes, err != nil)
	return len(events)
}

func (s *stream) empty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting) == 0
}

// batch is as much of the buffer as one call takes. The caller holds s.mu.
func (s *stream) batch() ([]types.InputLogEvent, int) {
	bytes := 0
	for i, e := range s.waiting {
		cost := len(*e.Message) + eventOverhead
		if i == batchEvents || bytes+cost > batchBytes {
			return s.waiting[:i], bytes
		}
		bytes += cost
	}
	return s.waiting, bytes
}

// shipped takes the events of a batch out of the buffer.
func (s *stream) shipped(n, bytes int, lost bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = s.waiting[n:]
	s.size = max(0, s.size-bytes)
	if lost {
		s.dropped += n
	}
}

// lost is the number of lines that were dropped.
func (s *stream) lost() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dropped
}

// lines cuts one output of a container into lines.
type lines struct {
	stream *stream
	rest   []byte
}

func (l *lines) Write(p []byte) (int, error) {
	n := len(p)
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			break
		}
		l.rest = append(l.rest, p[:i]...)
		l.flush()
		p = p[i+1:]
	}
	l.rest = append(l.rest, p...)
	if len(l.rest) >= eventBytes {
		l.flush()
	}
	return n, nil
}

// flush sends what has gathered, in pieces that an event holds.
func (l *lines) flush() {
	for len(l.rest) > eventBytes {
		l.stream.add(l.rest[:eventBytes])
		l.rest = l.rest[eventBytes:]
	}
	l.stream.add(bytes.TrimSuffix(l.rest, []byte("\r")))
	l.rest = nil
}
