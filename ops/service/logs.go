package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// logPause is the time between two requests for new lines. FilterLogEvents may be called five times a second for an account and
// region. https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
const logPause = 2 * time.Second

// Logs writes what all containers have logged since a time, oldest first. With follow, it goes on until the context ends.
func (s *Service) Logs(ctx context.Context, out io.Writer, since time.Time, follow bool) error {
	written := map[string]bool{}
	for {
		events, err := s.eventsSince(ctx, since)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		for _, event := range events {
			if id := aws.ToString(event.EventId); !written[id] {
				written[id] = true
				fmt.Fprintf(out, "%s  %s\n", aws.ToString(event.LogStreamName), trimmed(event.Message))
			}
			// More events of the same millisecond may follow, so the newest is read again.
			since = time.UnixMilli(aws.ToInt64(event.Timestamp))
		}
		if !follow {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(logPause):
		}
	}
}

// groups are the service's log groups. With a log router there is only the router's own.
func (s *Service) groups() []string {
	return slices.Compact([]string{s.AppLogs, s.NginxLogs})
}

func (s *Service) eventsSince(ctx context.Context, since time.Time) ([]types.FilteredLogEvent, error) {
	var events []types.FilteredLogEvent
	for _, group := range s.groups() {
		pages := cloudwatchlogs.NewFilterLogEventsPaginator(s.logs, &cloudwatchlogs.FilterLogEventsInput{
			LogGroupName: &group, StartTime: aws.Int64(since.UnixMilli()),
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, fmt.Errorf("log group %s: %w", group, err)
			}
			events = append(events, page.Events...)
		}
	}
	slices.SortStableFunc(events, func(a, b types.FilteredLogEvent) int { return int(aws.ToInt64(a.Timestamp) - aws.ToInt64(b.Timestamp)) })

	return events, nil
}

// AppLines are what each of the app's containers has logged since a time, by log stream.
func (s *Service) AppLines(ctx context.Context, since time.Time) (map[string][]string, error) {
	app := Service{logs: s.logs, AppLogs: s.AppLogs, NginxLogs: s.AppLogs}
	events, err := app.eventsSince(ctx, since)
	if err != nil {
		return nil, err
	}
	lines := map[string][]string{}
	for _, event := range events {
		stream := aws.ToString(event.LogStreamName)
		lines[stream] = append(lines[stream], trimmed(event.Message))
	}

	return lines, nil
}

func isMissing(err error) bool {
	var missing *types.ResourceNotFoundException

	return errors.As(err, &missing)
}
