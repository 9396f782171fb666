package command

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"fargate-nginx-sidecar/local/cloud/run"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// oneTask is ECS with a service that has one task, in the form of its API.
func oneTask(t *testing.T, desired string, task map[string]any) clients {
	t.Helper()
	task["taskArn"], task["taskDefinitionArn"] = "task/web/1", "web:1"
	task["containers"] = []map[string]any{{"name": "app", "lastStatus": "RUNNING"}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ DesiredStatus string }
		_ = json.NewDecoder(r.Body).Decode(&in)
		var out any = map[string]any{}
		switch action := r.Header.Get("X-Amz-Target"); {
		case strings.HasSuffix(action, ".ListTasks") && in.DesiredStatus == desired:
			out = map[string]any{"taskArns": []string{"task/web/1"}}
		case strings.HasSuffix(action, ".DescribeTasks"):
			out = map[string]any{"tasks": []any{task}}
		case strings.HasSuffix(action, ".DescribeTaskDefinition"):
			out = map[string]any{"taskDefinition": map[string]any{}}
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_ = json.NewEncoder(w).Encode(out)
	}))
	t.Cleanup(server.Close)
	return newClients(run.Run{Endpoint: server.URL, Region: "eu-central-1"})
}

func TestWhatADeployWaitsForIsSaid(t *testing.T) {
	begun := time.Now()
	at := func(seconds int) float64 { return float64(begun.Add(time.Duration(seconds) * time.Second).Unix()) }
	const exited = "Essential container in task exited"
	for name, test := range map[string]struct {
		desired string
		task    map[string]any
		want    string
	}{
		"a task has run for long without being healthy": {"RUNNING", map[string]any{"createdAt": at(10)}, "a task is not healthy yet\n    app: running"},
		"a task has just started":                       {"RUNNING", map[string]any{"createdAt": at(55)}, ""},
		"a task is healthy":                             {"RUNNING", map[string]any{"createdAt": at(10), "healthStatus": "HEALTHY"}, ""},
		"a task has stopped":                            {"STOPPED", map[string]any{"createdAt": at(10), "stoppingAt": at(20), "stoppedReason": exited}, "a task stopped: " + exited + "\n    app: running"},
		"a task had stopped before the deploy":          {"STOPPED", map[string]any{"createdAt": at(-90), "stoppingAt": at(-60), "stoppedReason": exited}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			service := ecstypes.Service{ClusterArn: aws.String("web"), ServiceName: aws.String("web"), TaskDefinition: aws.String("web:1")}
			if got := oneTask(t, test.desired, test.task).notHealthy(t.Context(), service, begun, begun.Add(40*time.Second)); got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}
