package service

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"fargate-nginx-sidecar/ops/stack"
)

const account = "arn:aws:ecs:eu-central-1:123456789012:"

// cloud is ECS with one service, and CloudWatch Logs, over HTTP as the SDK's clients call them. A task that is looked at for the
// third time has stopped, unless it runs until it is stopped.
type cloud struct {
	sync.Mutex
	t        *testing.T
	runs     string // task definition of the service
	endless  bool
	exit     int
	inactive []string // task definitions that Pulumi has deregistered
	looks    int
	stopped  bool
	calls    []string                  // operations that change something, with what they change
	inputs   map[string]map[string]any // the last input of each operation
}

// open returns the service of a stack in this cloud.
func (c *cloud) open(t *testing.T) *Service {
	t.Helper()
	c.t, c.inputs = t, map[string]map[string]any{}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": "",
		"AWS_PROFILE": "", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
	} {
		t.Setenv(name, value)
	}
	s, err := Open(t.Context(), stack.Outputs{ClusterARN: account + "cluster/web-1", ServiceName: "web", AppLogGroup: "app-logs", NginxLogGroup: "nginx-logs"})
	if err != nil {
		t.Fatal(err)
	}

	return s
}

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.Lock()
	defer c.Unlock()
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	body, _ := io.ReadAll(r.Body)
	input := map[string]any{}
	_ = json.Unmarshal(body, &input)
	c.inputs[operation] = input
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(c.answer(operation, input))
}

type object = map[string]any

func (c *cloud) answer(operation string, input object) object {
	switch operation {
	case "DescribeServices":
		return object{"services": []object{{
			"status": "ACTIVE", "serviceName": "web", "taskDefinition": c.runs,
			"networkConfiguration": object{"awsvpcConfiguration": object{"subnets": []string{"subnet-1"}, "securityGroups": []string{"sg-1"}, "assignPublicIp": "DISABLED"}},
		}}}
	case "DescribeTaskDefinition":
		return object{"taskDefinition": c.definition(input["taskDefinition"].(string))}
	case "RegisterTaskDefinition":
		c.calls = append(c.calls, "register "+input["family"].(string))
		return object{"taskDefinition": object{"taskDefinitionArn": account + "task-definition/" + input["family"].(string) + ":9"}}
	case "DeregisterTaskDefinition":
		c.calls = append(c.calls, "deregister "+input["taskDefinition"].(string)[len(account):])
	case "RunTask":
		c.calls = append(c.calls, "run "+input["taskDefinition"].(string)[len(account):])
		return object{"tasks": []object{{"taskArn": account + "task/web-1/abc"}}}
	case "StopTask":
		c.calls, c.stopped = append(c.calls, "stop "+input["task"].(string)[len(account):]), true
	case "DescribeTasks":
		return object{"tasks": []object{c.task()}}
	case "GetLogEvents":
		return c.log(input)
	case "ListServiceDeployments":
		return object{"serviceDeployments": []object{
			{"targetServiceRevisionArn": "revision/1", "createdAt": 1, "status": "SUCCESSFUL"},
			{"targetServiceRevisionArn": "revision/3", "createdAt": 3, "status": "SUCCESSFUL"},
			{"targetServiceRevisionArn": "revision/2", "createdAt": 2, "status": "SUCCESSFUL"},
		}}
	case "DescribeServiceRevisions":
		revision := input["serviceRevisionArns"].([]any)[0].(string)
		return object{"serviceRevisions": []object{{"taskDefinition": account + "task-definition/web-1:" + revision[len("revision/"):]}}}
	default:
		c.t.Errorf("unexpected: %s", operation)
	}

	return object{}
}

func (c *cloud) task() object {
	c.looks++
	if !c.stopped && (c.endless || c.looks < 3) {
		return object{"lastStatus": "RUNNING"}
	}

	return object{"lastStatus": "STOPPED", "containers": []object{{"name": "app", "exitCode": c.exit}}}
}

// log has a line more at each look, as if the command wrote one.
func (c *cloud) log(input object) object {
	from := 0
	if token, ok := input["nextToken"].(string); ok {
		_, _ = fmt.Sscanf(token, "f/%d", &from)
	}
	events := []object{}
	for i := from; i < c.looks; i++ {
		events = append(events, object{"message": fmt.Sprintf("line %d", i)})
	}

	return object{"events": events, "nextForwardToken": fmt.Sprintf("f/%d", max(from, c.looks))}
}

func (c *cloud) definition(arn string) object {
	image := "app@sha256:" + strings.Repeat(arn[len(arn)-1:], 64)
	level := "info"
	if strings.HasSuffix(arn, ":1") {
		level = "debug"
	}
	status := "ACTIVE"
	if slices.Contains(c.inactive, arn) {
		status = "INACTIVE"
	}

	return object{
		"taskDefinitionArn": arn, "family": "web-1", "revision": 1, "status": status, "cpu": "256", "memory": "512", "networkMode": "awsvpc",
		"executionRoleArn": "execution", "taskRoleArn": "task",
		"containerDefinitions": []object{
			{"name": "nginx", "image": "nginx@sha256:" + strings.Repeat("0", 64), "essential": true},
			{
				"name": "app", "image": image, "environment": []object{{"name": "LEVEL", "value": level}}, "secrets": []object{{"name": "KEY", "valueFrom": "parameter"}},
				"healthCheck": object{"command": []string{"CMD", "check"}}, "dependsOn": []object{{"containerName": "other", "condition": "START"}},
			},
		},
	}
}

func TestACommandRunsAsTheServiceDoes(t *testing.T) {
	c := &cloud{runs: account + "task-definition/web-1:3", exit: 3}
	var out bytes.Buffer
	code, err := c.open(t).Run(t.Context(), &out, []string{"npm", "run", "backfill"})
	if err != nil || code != 3 {
		t.Fatalf("exit code %d, %v; want 3", code, err)
	}
	want := "task abc runs [\"npm\" \"run\" \"backfill\"] with web-1:3\nline 0\nline 1\nline 2\n"
	if out.String() != want {
		t.Errorf("written: %q\nwant:    %q", out.String(), want)
	}
	if got := strings.Join(c.calls, ", "); got != "register web-1-run, run task-definition/web-1-run:9, deregister task-definition/web-1-run:9" {
		t.Errorf("calls: %s", got)
	}
	containers := c.inputs["RegisterTaskDefinition"]["containerDefinitions"].([]any)
	app := containers[0].(object)
	if len(containers) != 1 || app["image"] != "app@sha256:"+strings.Repeat("3", 64) || app["healthCheck"] != nil || app["dependsOn"] != nil || app["secrets"] == nil || app["environment"] == nil {
		t.Errorf("containers: %v", containers)
	}
	network := c.inputs["RunTask"]["networkConfiguration"].(object)["awsvpcConfiguration"].(object)
	if fmt.Sprint(network["subnets"], network["securityGroups"]) != "[subnet-1] [sg-1]" || c.inputs["RegisterTaskDefinition"]["taskRoleArn"] != "task" {
		t.Errorf("network %v, role %v", network, c.inputs["RegisterTaskDefinition"]["taskRoleArn"])
	}
}

func TestAnInterruptedCommandIsStopped(t *testing.T) {
	c := &cloud{runs: account + "task-definition/web-1:3", endless: true}
	ctx, cancel := context.WithCancel(t.Context())
	out := writer(func(line string) {
		if strings.Contains(line, "line 1") {
			cancel()
		}
	})
	if _, err := c.open(t).Run(ctx, out, []string{"sleep", "1000"}); !errors.Is(err, ErrInterrupted) {
		t.Errorf("error: %v", err)
	}
	if got := strings.Join(c.calls[1:], ", "); got != "run task-definition/web-1-run:9, stop task/web-1/abc, deregister task-definition/web-1-run:9" {
		t.Errorf("calls: %s", got)
	}
}

type writer func(string)

func (w writer) Write(line []byte) (int, error) {
	w(string(line))

	return len(line), nil
}

// Deployments that failed are not asked for, so the one before is the last that served.
func TestTheWayBackLeadsToTheRevisionBefore(t *testing.T) {
	for runs, want := range map[string]string{":3": ":2", ":4": ":3"} {
		c := &cloud{runs: account + "task-definition/web-1" + runs}
		back, err := c.open(t).Previous(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := aws.ToString(back.To.TaskDefinitionArn); !strings.HasSuffix(got, want) {
			t.Errorf("from %s back to %s; want %s", runs, got, want)
		}
		if status := c.inputs["ListServiceDeployments"]["status"]; fmt.Sprint(status) != "[SUCCESSFUL]" {
			t.Errorf("deployments asked for: %v", status)
		}
		images, err := back.Images()
		if err != nil || images.App != "app@sha256:"+strings.Repeat(want[1:], 64) {
			t.Errorf("images %v, %v", images, err)
		}
	}
}

func TestOnlyOtherImagesCanBeBroughtIntoTheFile(t *testing.T) {
	c := &cloud{}
	s := c.open(t)
	for to, want := range map[string]bool{":2": true, ":1": false} {
		back, err := s.between(t.Context(), account+"task-definition/web-1:3", account+"task-definition/web-1"+to)
		if err != nil {
			t.Fatal(err)
		}
		if same, err := back.SameButImages(); err != nil || same != want {
			t.Errorf("from :3 to %s: the same but images: %v, %v; want %v", to, same, err, want)
		}
	}
}

// Pulumi deregisters a task definition that it has replaced, and ECS starts no task from such a one.
func TestADeregisteredRevisionIsRegisteredAgain(t *testing.T) {
	old := account + "task-definition/web-1:2"
	c := &cloud{runs: account + "task-definition/web-1:3", inactive: []string{old}}
	s := c.open(t)
	back, err := s.Previous(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if back.To.Status != types.TaskDefinitionStatusInactive {
		t.Fatalf("status %s", back.To.Status)
	}
	target, err := s.active(t.Context(), back)
	if err != nil || target != account+"task-definition/web-1:9" || c.inputs["RegisterTaskDefinition"]["executionRoleArn"] != "execution" {
		t.Errorf("target %s, %v; registered %v", target, err, c.inputs["RegisterTaskDefinition"])
	}
	if err := s.Finish(t.Context(), back); err != nil || strings.Join(c.calls, ", ") != "register web-1, deregister task-definition/web-1:9" {
		t.Errorf("%v; calls %v", err, c.calls)
	}
}
