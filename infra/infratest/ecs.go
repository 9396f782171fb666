package infratest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Deployment is the end of a service deployment, as ECS describes it.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceDeployment.html
type Deployment struct {
	Status, Reason string
}

// Command is a request to run a task.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
type Command struct {
	TaskDefinition string `json:"taskDefinition"`
	StartedBy      string `json:"startedBy"`
	Network        struct {
		AWSVPC struct {
			Subnets        []string `json:"subnets"`
			SecurityGroups []string `json:"securityGroups"`
			AssignPublicIP string   `json:"assignPublicIp"`
		} `json:"awsvpcConfiguration"`
	} `json:"networkConfiguration"`
	Overrides struct {
		Containers []struct {
			Name    string   `json:"name"`
			Command []string `json:"command"`
		} `json:"containerOverrides"`
	} `json:"overrides"`
}

// serveECS answers the program's requests to ECS and CloudWatch Logs while the program runs: each service has one
// successful deployment, of what it was declared with, and a command ends at once. The machine's own
// AWS configuration is not read.
func (r *recorder) serveECS() (stop func()) {
	server := httptest.NewServer(http.HandlerFunc(r.answerECS))
	before := map[string]string{}
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_ECS": server.URL, "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": server.URL,
		"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_PROFILE": "",
	} {
		before[name] = os.Getenv(name)
		_ = os.Setenv(name, value) // fails only for names that are not allowed
	}

	return func() {
		for name, value := range before {
			_ = os.Setenv(name, value)
		}
		server.Close()
	}
}

func (r *recorder) answerECS(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	const task = "arn:aws:ecs:eu-central-1:" + Account + ":task/web/0123456789abcdef"
	var answer map[string]any
	_, action, _ := strings.Cut(request.Header.Get("X-Amz-Target"), ".")
	switch action {
	case "DescribeServices":
		answer, err = r.describeServices(body)
	case "ListServiceDeployments":
		answer = map[string]any{"serviceDeployments": []any{map[string]any{"serviceDeploymentArn": memberOf(body, "service"), "createdAt": 1}}}
	case "DescribeServiceDeployments":
		answer, err = r.describeDeployment(body)
	case "DescribeServiceRevisions":
		answer, err = r.describeRevision(body)
	case "ListServices":
		// The service itself is not listed: the program looks before it declares the service.
		arns := []string{}
		for _, name := range slices.Sorted(maps.Keys(r.options.Running)) {
			arns = append(arns, "arn:aws:ecs:eu-central-1:"+Account+":service/web/"+name)
		}
		answer = map[string]any{"serviceArns": arns}
	case "ListTasks":
		answer = map[string]any{"taskArns": []string{}}
		if r.options.Failed != "" && strings.Contains(string(body), `"desiredStatus":"STOPPED"`) {
			answer = map[string]any{"taskArns": []string{task}}
		}
	case "RunTask":
		var command Command
		err = json.Unmarshal(body, &command)
		r.graph.Commands = append(r.graph.Commands, command)
		answer = map[string]any{"tasks": []any{map[string]any{"taskArn": task}}}
	case "DescribeTasks":
		answer = map[string]any{"tasks": []any{map[string]any{
			"taskArn": task, "lastStatus": "STOPPED", "containers": []any{map[string]any{"name": "app", "exitCode": r.options.ExitCode}},
		}}}
		if r.options.Failed != "" {
			answer = failedTask(task, r.options.Failed)
		}
	case "DescribeTaskDefinition":
		answer, err = r.describeTaskDefinition()
	case "GetLogEvents":
		answer, err = lastLine(body)
	default:
		err = fmt.Errorf("%s: no answer is known", action)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(answer) // the client notices an answer that is cut off
}

func failedTask(arn, definition string) map[string]any {
	return map[string]any{"tasks": []any{map[string]any{
		"taskArn": arn, "taskDefinitionArn": definition, "lastStatus": "STOPPED", "stoppedReason": "Essential container in task exited",
		"containers": []any{map[string]any{"name": "nginx", "exitCode": 1}, map[string]any{"name": "app", "exitCode": 1}},
	}}}
}

// describeTaskDefinition returns the only one of a service.
func (r *recorder) describeTaskDefinition() (map[string]any, error) {
	var containers any
	for _, declared := range r.graph.OfType("aws:ecs/taskDefinition:TaskDefinition") {
		if err := json.Unmarshal([]byte(declared.Inputs["containerDefinitions"].StringValue()), &containers); err != nil {
			return nil, err
		}
	}

	return map[string]any{"taskDefinition": map[string]any{"containerDefinitions": containers}}, nil
}

// lastLine is that of a command that failed or, in any other stream, one that says which log it stands in.
func lastLine(body []byte) (map[string]any, error) {
	var asked struct {
		Group  string `json:"logGroupName"`
		Stream string `json:"logStreamName"`
	}
	if err := json.Unmarshal(body, &asked); err != nil {
		return nil, err
	}
	line := `relation "users" does not exist`
	if !strings.Contains(asked.Stream, "/commands/") {
		line = "a line in " + asked.Stream + " of " + asked.Group
	}

	return map[string]any{"events": []any{map[string]any{"message": line}}}, nil
}

func (r *recorder) describeServices(body []byte) (map[string]any, error) {
	var earlier []any
	for _, name := range slices.Sorted(maps.Keys(r.options.Running)) {
		if strings.Contains(string(body), "/"+name+`"`) {
			earlier = append(earlier, map[string]any{"serviceName": name, "status": "ACTIVE", "runningCount": r.options.Running[name]})
		}
	}
	if earlier != nil {
		return map[string]any{"services": earlier}, nil
	}
	declared, err := r.service(body, "services")
	if err != nil {
		return nil, err
	}
	status := "ACTIVE"
	if r.options.Deployment != nil && r.options.Deployment(declared) == nil {
		status = "INACTIVE"
	}

	return map[string]any{"services": []any{map[string]any{"serviceName": suffixed(declared), "status": status}}}, nil
}

// describeDeployment describes the only deployment of a service. Its ARN and that of its revision are the service's name.
func (r *recorder) describeDeployment(body []byte) (map[string]any, error) {
	declared, err := r.service(body, "serviceDeploymentArns")
	if err != nil {
		return nil, err
	}
	ended := Deployment{Status: "SUCCESSFUL"}
	if r.options.Deployment != nil {
		ended = *r.options.Deployment(declared)
	}

	return map[string]any{"serviceDeployments": []any{map[string]any{
		"serviceDeploymentArn": suffixed(declared), "status": ended.Status, "statusReason": ended.Reason, "createdAt": 1,
		"targetServiceRevision": map[string]any{"arn": suffixed(declared)},
	}}}, nil
}

func (r *recorder) describeRevision(body []byte) (map[string]any, error) {
	declared, err := r.service(body, "serviceRevisionArns")
	if err != nil {
		return nil, err
	}
	network := declared.Inputs["networkConfiguration"].ObjectValue()
	public := "DISABLED"
	if network["assignPublicIp"].BoolValue() {
		public = "ENABLED"
	}

	return map[string]any{"serviceRevisions": []any{map[string]any{
		"taskDefinition": declared.Inputs["taskDefinition"].StringValue(),
		"networkConfiguration": map[string]any{"awsvpcConfiguration": map[string]any{
			"subnets": stringsOf(network["subnets"]), "securityGroups": stringsOf(network["securityGroups"]), "assignPublicIp": public,
		}},
	}}}, nil
}

func stringsOf(list resource.PropertyValue) []string {
	var all []string
	for _, one := range list.ArrayValue() {
		all = append(all, one.StringValue())
	}

	return all
}

// service returns the declared service that a request names.
func (r *recorder) service(body []byte, member string) (Resource, error) {
	name := memberOf(body, member)
	for _, declared := range r.graph.Resources {
		if declared.Type == "aws:ecs/service:Service" && suffixed(declared) == name {
			return declared, nil
		}
	}

	return Resource{}, fmt.Errorf("service %q: not declared", name)
}

// memberOf is the text of a request's member, or the first one of a list.
func memberOf(body []byte, member string) string {
	request := map[string]any{}
	_ = json.Unmarshal(body, &request) // without the member there is no name
	if list, ok := request[member].([]any); ok && len(list) > 0 {
		request[member] = list[0]
	}
	name, _ := request[member].(string)

	return name
}
