package ecs_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"fargate-nginx-sidecar/local/cloud/ecs"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// command is a request to run the world's image with another command.
func (w *world) command(definition string, words ...string) *awsecs.RunTaskInput {
	return &awsecs.RunTaskInput{
		Cluster: &w.cluster, TaskDefinition: &definition, LaunchType: types.LaunchTypeFargate, StartedBy: aws.String("deploy/web/1"),
		NetworkConfiguration: &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{w.subnet}}},
		Overrides: &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{{
			Name: aws.String("web"), Command: words,
			Environment: []types.KeyValuePair{{Name: aws.String("VERSION"), Value: aws.String("overridden")}},
		}}},
	}
}

func TestATaskOfItsOwnRunsItsCommandOnceAndEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	definition := w.register(nil, web(w.image(nil), "one"))
	started, err := w.scheduler.RunTask(t.Context(), w.command(definition, "exit", "3"))
	if err != nil {
		t.Fatal(err)
	}
	arn := *started[0].TaskArn
	ended := w.ended(arn)
	if code := ended.Containers[0].ExitCode; code == nil || *code != 3 {
		t.Errorf("exit code: %v; want 3", code)
	}
	if *ended.Group != "family:web" || *ended.StartedBy != "deploy/web/1" || *ended.StoppedReason != "Essential container in task exited" {
		t.Errorf("task: group %s, started by %s, reason %q", *ended.Group, *ended.StartedBy, *ended.StoppedReason)
	}
	stream := "web/web/" + arn[strings.LastIndex(arn, "/")+1:]
	read, err := w.logs.GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String("/ecs/web"), LogStreamName: &stream})
	if err != nil {
		t.Fatal(err)
	}
	if len(read.Events) != 1 || *read.Events[0].Message != "exits with 3" {
		t.Errorf("log: %v", read.Events)
	}
	// Nobody starts it again.
	if err := w.scheduler.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if all := w.scheduler.Tasks(); len(all) != 1 {
		t.Errorf("%d tasks; want the one", len(all))
	}
}

func TestATaskOfItsOwnCanBeStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	definition := w.register(nil, web(w.image(nil), "one"))
	started, err := w.scheduler.RunTask(t.Context(), w.command(definition, "idle"))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.scheduler.StopTask(*started[0].TaskArn, "test"); err != nil {
		t.Fatal(err)
	}
	if i := slices.IndexFunc(w.scheduler.Tasks(), func(task types.Task) bool { return aws.ToString(task.StoppedReason) == "test" }); i < 0 {
		t.Errorf("no task shows the reason for its stop: %v", w.scheduler.Tasks())
	}
}

func TestATaskThatECSWouldRefuseIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	definition := w.register(nil, web("image", "one"))
	for want, change := range map[string]func(*awsecs.RunTaskInput){
		"override for container named other": func(in *awsecs.RunTaskInput) { in.Overrides.ContainerOverrides[0].Name = aws.String("other") },
		"network configuration must be":      func(in *awsecs.RunTaskInput) { in.NetworkConfiguration = nil },
		"count 11; allowed: 1 to 10":         func(in *awsecs.RunTaskInput) { in.Count = aws.Int32(11) },
		`launch type "EC2"`:                  func(in *awsecs.RunTaskInput) { in.LaunchType = types.LaunchTypeEc2 },
		"task definition web:9":              func(in *awsecs.RunTaskInput) { in.TaskDefinition = aws.String("web:9") },
		"cluster none does not exist":        func(in *awsecs.RunTaskInput) { in.Cluster = aws.String("none") },
		"overrides of the task itself":       func(in *awsecs.RunTaskInput) { in.Overrides.Cpu = aws.String("512") },
	} {
		request := w.command(definition, "exit", "0")
		change(request)
		if _, err := w.scheduler.RunTask(t.Context(), request); !errors.Is(err, ecs.ErrInvalidParameter) || !strings.Contains(err.Error(), want) {
			t.Errorf("error: %v; want: %s", err, want)
		}
	}
}

// What a task writes to EFS is there for the next one, whoever that runs as. Nothing of the image gets there, even where its
// Dockerfile declares a volume, as the one of these tests does for /declared.
func TestAFileSystemOutlivesTheTask(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := web(w.image(nil), "one")
	app.MountPoints = []types.MountPoint{{SourceVolume: aws.String("data"), ContainerPath: aws.String("/declared")}}
	made, err := w.ecs.RegisterTaskDefinition(t.Context(), &awsecs.RegisterTaskDefinitionInput{
		Family: aws.String("web"), Cpu: aws.String("256"), Memory: aws.String("512"), NetworkMode: types.NetworkModeAwsvpc,
		RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate}, ContainerDefinitions: []types.ContainerDefinition{app},
		Volumes: []types.Volume{{Name: aws.String("data"), EfsVolumeConfiguration: &types.EFSVolumeConfiguration{
			FileSystemId: aws.String("fs-1"), TransitEncryption: types.EFSTransitEncryptionEnabled,
			AuthorizationConfig: &types.EFSAuthorizationConfig{AccessPointId: aws.String("fsap-1")},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		command []string
		want    int32
	}{
		{[]string{"touch", "/declared/first"}, 0},
		{[]string{"stat", "/declared/first"}, 0},
		{[]string{"stat", "/declared/script"}, 1},
	} {
		started, err := w.scheduler.RunTask(t.Context(), w.command(*made.TaskDefinition.TaskDefinitionArn, step.command...))
		if err != nil {
			t.Fatal(err)
		}
		if ended := w.ended(*started[0].TaskArn); ended.Containers[0].ExitCode == nil || *ended.Containers[0].ExitCode != step.want {
			t.Errorf("%v: %s: exit code %d, want %d", step.command, *ended.StoppedReason, aws.ToInt32(ended.Containers[0].ExitCode), step.want)
		}
	}
}

// ended waits for the end of a task.
func (w *world) ended(arn string) types.Task {
	w.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("task %s does not end", arn)
		}
		for _, task := range w.scheduler.Tasks() {
			if *task.TaskArn == arn && *task.LastStatus == "STOPPED" {
				return task
			}
		}
	}
}
