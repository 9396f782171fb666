package command

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"fargate-nginx-sidecar/local/cloud/run"
)

// The answers have the form that the scheduler's API model gives them.
func TestAScheduleIsFoundByTheNameInTheSettings(t *testing.T) {
	asked := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Authorization"), "/eu-central-1/scheduler/") {
			http.Error(w, "not for the scheduler", http.StatusBadRequest)
			return
		}
		asked = r.URL.String()
		answer := `{"Schedules":[{"Name":"web-old-report-0a1b2c3","GroupName":"web-1111111"},{"Name":"web-report-0a1b2c3","GroupName":"web-1111111"}]}`
		if r.URL.Path != "/schedules" {
			answer = `{"Name":"web-report-0a1b2c3","Target":{"Arn":"cluster","Input":"{\"containerOverrides\":[{\"name\":\"app\",\"command\":[\"a\"]}]}",
				"EcsParameters":{"TaskDefinitionArn":"web:1","LaunchType":"FARGATE","NetworkConfiguration":{"awsvpcConfiguration":{"Subnets":["subnet-1"]}}}}}`
		}
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	current := run.Run{Endpoint: server.URL, Region: "eu-central-1"}

	found, err := schedule(t.Context(), current, "report")
	if err != nil {
		t.Fatal(err)
	}
	if asked != "/schedules/web-report-0a1b2c3?groupName=web-1111111" {
		t.Errorf("asked for %s", asked)
	}
	if parameters := found.Target.EcsParameters; found.Target.Arn != "cluster" || parameters.TaskDefinitionArn != "web:1" ||
		parameters.NetworkConfiguration.AwsvpcConfiguration == nil || parameters.NetworkConfiguration.AwsvpcConfiguration.Subnets[0] != "subnet-1" {
		t.Errorf("target: %+v", found.Target)
	}
	if _, err := schedule(t.Context(), current, "nightly"); err == nil || err.Error() != `scheduled task "nightly"; there are: old-report, report` {
		t.Errorf("error: %v", err)
	}
}
