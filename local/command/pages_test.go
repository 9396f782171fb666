package command

import (
	"fmt"
	"testing"
	"time"

	"fargate-nginx-sidecar/local/cloud/emulator/emulatortest"
	"fargate-nginx-sidecar/local/cloud/run"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func TestWhatHasMoreThanAPageIsReadWhole(t *testing.T) {
	c, ctx := newClients(run.Run{Endpoint: emulatortest.Start(t), Region: "eu-central-1"}), t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := c.ecs.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: aws.String("web")})
	must(err)
	_, err = c.ecs.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
		Family: aws.String("web"), ContainerDefinitions: []ecstypes.ContainerDefinition{{Name: aws.String("app"), Image: aws.String("app"), Memory: aws.Int32(128)}}})
	must(err)
	const services = 23
	for i := range services {
		_, err := c.ecs.CreateService(ctx, &ecs.CreateServiceInput{Cluster: aws.String("web"), ServiceName: aws.String(fmt.Sprint("web-", i)), TaskDefinition: aws.String("web")})
		must(err)
	}
	if found, err := c.services(ctx); err != nil || len(found) != services {
		t.Errorf("%d services, %v, want %d", len(found), err, services)
	}

	// A page of events has 10,000; the emulator's groups come 50 to a page.
	begun := time.Now()
	const groups, lines = 60, 10_001
	for i := range groups {
		_, err := c.logs.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String(fmt.Sprintf("group-%03d", i))})
		must(err)
	}
	last := aws.String(fmt.Sprintf("group-%03d", groups-1))
	_, err = c.logs.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: last, LogStreamName: aws.String("task/app/1")})
	must(err)
	for sent := 0; sent < lines; {
		var events []logstypes.InputLogEvent
		for ; sent < lines && len(events) < 5_000; sent++ {
			events = append(events, logstypes.InputLogEvent{Message: aws.String(fmt.Sprint(sent)), Timestamp: aws.Int64(time.Now().UnixMilli())})
		}
		_, err := c.logs.PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{LogGroupName: last, LogStreamName: aws.String("task/app/1"), LogEvents: events})
		must(err)
	}
	written, err := c.written(ctx, "1", begun)
	if err != nil || len(written) != lines {
		t.Errorf("%d lines, %v, want %d", len(written), err, lines)
	}
}
