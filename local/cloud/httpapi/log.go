package httpapi

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// variables in a log format or a mapped value.
var variables = regexp.MustCompile(`\$context\.[A-Za-z0-9_.]*[A-Za-z0-9_]`)

// fill puts the values of an exchange into a text. What has no value is "-", as in API Gateway's logs.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html
func fill(text string, value func(name string) string) string {
	return variables.ReplaceAllStringFunc(text, func(variable string) string {
		return cmp.Or(value(strings.TrimPrefix(variable, "$context.")), "-")
	})
}

// variable is the value of a $context variable, "" for one that has none here.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html
func (e *exchange) variable(name string) string {
	number := func(n int) string {
		if n == 0 {
			return ""
		}
		return strconv.Itoa(n)
	}
	switch name {
	case "apiId":
		return e.settings.id
	case "domainName":
		return e.request.Host
	case "httpMethod":
		return e.request.Method
	case "identity.sourceIp":
		return e.client
	case "identity.userAgent":
		return e.request.UserAgent()
	case "integration.status", "integrationStatus":
		return number(e.integration)
	case "integration.latency", "integrationLatency":
		return strconv.FormatInt(e.latency.Milliseconds(), 10)
	case "integration.error", "integrationErrorMessage":
		return e.failure
	case "path":
		path, _, _ := strings.Cut(e.request.RequestURI, "?")
		return path
	case "protocol":
		return e.request.Proto
	case "requestId", "extendedRequestId":
		return e.id
	case "requestTime":
		return e.began.UTC().Format("02/Jan/2006:15:04:05 -0700")
	case "requestTimeEpoch":
		return strconv.FormatInt(e.began.UnixMilli(), 10)
	case "responseLatency":
		return strconv.FormatInt(time.Since(e.began).Milliseconds(), 10)
	case "responseLength":
		return strconv.Itoa(e.length)
	case "routeKey":
		return defaultRoute
	case "stage":
		return defaultStage
	case "status":
		return number(e.status)
	}
	return ""
}

// shipEvery is between two batches of log lines.
const shipEvery = time.Second

// accessLog ships lines to CloudWatch Logs.
type accessLog struct {
	logs   *cloudwatchlogs.Client
	log    *slog.Logger
	stream string

	mu      sync.Mutex
	waiting map[string][]types.InputLogEvent // by log group
}

func newAccessLog(logs *cloudwatchlogs.Client, log *slog.Logger) *accessLog {
	// API Gateway makes up the names of its streams, too.
	return &accessLog{logs: logs, log: log, stream: "api-" + strconv.FormatInt(time.Now().UnixMilli(), 36), waiting: map[string][]types.InputLogEvent{}}
}

// write takes a line, and ships it with those of the next second.
func (l *accessLog) write(group, line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting[group]) == 0 {
		time.AfterFunc(shipEvery, func() { l.ship(group) })
	}
	l.waiting[group] = append(l.waiting[group], types.InputLogEvent{Message: &line, Timestamp: aws.Int64(time.Now().UnixMilli())})
}

// flush ships what still waits.
func (l *accessLog) flush() {
	l.mu.Lock()
	groups := slices.Collect(maps.Keys(l.waiting))
	l.mu.Unlock()
	for _, group := range groups {
		l.ship(group)
	}
}

func (l *accessLog) ship(group string) {
	l.mu.Lock()
	events := l.waiting[group]
	delete(l.waiting, group)
	l.mu.Unlock()
	if len(events) == 0 {
		return // shipped by flush
	}
	ctx := context.Background()                                                                                              // the emulator's client has its own time limit
	_, _ = l.logs.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: &group, LogStreamName: &l.stream}) // it may exist
	_, err := l.logs.PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{LogGroupName: &group, LogStreamName: &l.stream, LogEvents: events})
	if err != nil {
		l.log.Warn("access log lines are lost", "group", group, "lines", len(events), "error", err)
	}
}
