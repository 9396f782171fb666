package endpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path"
	"strings"
	"time"

	"fargate-nginx-sidecar/local/cloud/ecs"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// describesServices are the actions whose answer describes services.
var describesServices = map[string]bool{
	"CreateService":    true,
	"UpdateService":    true,
	"DeleteService":    true,
	"DescribeServices": true,
}

// forgotten are the fields of a service that the emulator accepts and does not give back. Without them every
// preview would show a change, and a deployment would have no circuit breaker.
var forgotten = []string{
	"availabilityZoneRebalancing",
	"capacityProviderStrategy",
	"deploymentConfiguration",
	"enableECSManagedTags",
	"enableExecuteCommand",
	"healthCheckGracePeriodSeconds",
	"networkConfiguration",
	"platformVersion",
	"propagateTags",
}

// syncWait bounds the wait for the scheduler's next look at the emulator.
const syncWait = 10 * time.Second

// answerECS answers what only the scheduler knows.
func (e *Endpoint) answerECS(w http.ResponseWriter, c call) bool {
	request := map[string]any{}
	if err := json.Unmarshal(c.body, &request); err != nil {
		return false // the emulator answers a request that is not JSON with the right error
	}
	switch c.action {
	case "ListTasks":
		return respond(w, map[string]any{"taskArns": e.listTasks(request)})
	case "DescribeTasks":
		return respond(w, e.describeTasks(request))
	case "ListServiceDeployments", "DescribeServiceDeployments", "DescribeServiceRevisions":
		return e.answerDeployments(w, c.action, request)
	case "StopTask":
		return e.stopTask(w, request)
	case "RunTask":
		return e.runTask(w, c.body)
	case "UpdateService":
		// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html#API_UpdateService_Errors
		if running, known := e.options.Tasks.Service(text(request, "service")); known && aws.ToString(running.Status) != "ACTIVE" {
			return fail(w, "ServiceNotActiveException", "Service was not ACTIVE.")
		}
		e.remember(c.action, request)
	case "CreateService":
		e.remember(c.action, request)
	}
	return false
}

// remember keeps the fields of a request that the emulator is going to forget.
func (e *Endpoint) remember(action string, request map[string]any) {
	name, cluster := text(request, "serviceName"), text(request, "cluster")
	if name == "" {
		name = text(request, "service")
	}
	e.services.update(path.Base(cluster)+"/"+path.Base(name), func(before map[string]any) map[string]any {
		fields := map[string]any{}
		if action == "UpdateService" {
			maps.Copy(fields, before)
		}
		for _, field := range forgotten {
			if value, given := request[field]; given {
				fields[field] = updated(fields[field], value)
			}
		}
		return fields
	})
}

// updated puts what a request names into what is known. An update of a deployment configuration names the parts that
// change, and ECS keeps the others.
func updated(known, given any) any {
	before, isObject := known.(map[string]any)
	after, alsoObject := given.(map[string]any)
	if !isObject || !alsoObject {
		return given
	}
	all := maps.Clone(before)
	maps.Copy(all, after)
	return all
}

// Overlay gives the scheduler the fields of a service that the emulator forgets. The ARN is …:service/<cluster>/<name>.
func (e *Endpoint) Overlay(serviceARN string) map[string]any {
	_, key, _ := strings.Cut(serviceARN, ":service/")
	fields, _ := e.services.get(key)
	return fields
}

// Restore gives a service back what an earlier revision of it had, as a rollback does.
func (e *Endpoint) Restore(serviceARN string, members map[string]any) {
	_, key, _ := strings.Cut(serviceARN, ":service/")
	e.services.update(key, func(before map[string]any) map[string]any {
		fields := map[string]any{}
		maps.Copy(fields, before)
		for _, member := range []string{"networkConfiguration", "capacityProviderStrategy", "platformVersion"} {
			if value, given := members[member]; given {
				fields[member] = value
			} else {
				delete(fields, member)
			}
		}
		return fields
	})
}

// amendServices corrects every service in an answer of the emulator's. What a change answers says nothing of what runs, so
// only a description has to wait for the scheduler.
func (e *Endpoint) amendServices(c call, answer map[string]any) error {
	services, _ := answer["services"].([]any)
	if one, ok := answer["service"].(map[string]any); ok {
		services = append(services, one)
	}
	// The scheduler must have seen a new service or task definition before its state is described: otherwise a
	// client that waits for a steady state mistakes the state before its own request for the one after it.
	ctx, cancel := context.WithTimeout(context.Background(), syncWait)
	defer cancel()
	if err := e.options.Tasks.Sync(ctx); err != nil && c.action == "DescribeServices" {
		return fmt.Errorf("the scheduler cannot see the services: %w", err)
	}
	for _, entry := range services {
		service, ok := entry.(map[string]any)
		if !ok {
			continue
		}
		arn := text(service, "serviceArn")
		maps.Copy(service, e.Overlay(arn))
		if strategy, _ := service["capacityProviderStrategy"].([]any); len(strategy) > 0 {
			// ECS names one or the other; the emulator assumes EC2.
			delete(service, "launchType")
		}
		if running, known := e.options.Tasks.Service(arn); known {
			overlayRunning(service, running)
		}
	}
	return nil
}

// amendClusters counts the tasks of every cluster, of which the emulator knows none.
func (e *Endpoint) amendClusters(answer map[string]any) {
	clusters, _ := answer["clusters"].([]any)
	for _, entry := range clusters {
		cluster, ok := entry.(map[string]any)
		if !ok {
			continue
		}
		running := 0
		for _, task := range e.tasksOf(map[string]any{"cluster": text(cluster, "clusterArn")}) {
			if aws.ToString(task.LastStatus) == "RUNNING" {
				running++
			}
		}
		cluster["runningTasksCount"] = running
	}
}

// overlayRunning puts what really runs in place of what the emulator assumes.
func overlayRunning(service map[string]any, running types.Service) {
	described := jsonOf(running).(map[string]any)
	for _, field := range []string{"status", "runningCount", "pendingCount", "desiredCount"} {
		service[field] = described[field]
	}
	for _, field := range []string{"deployments", "events"} {
		list, _ := described[field].([]any)
		service[field] = append([]any{}, list...) // empty, not null
	}
	for _, deployment := range service["deployments"].([]any) {
		for _, field := range []string{"launchType", "platformVersion"} {
			deployment.(map[string]any)[field] = service[field]
		}
	}
}

// tasksOf returns the scheduler's tasks in the cluster that a request names, by ARN or by name.
func (e *Endpoint) tasksOf(request map[string]any) []types.Task {
	wanted := text(request, "cluster")
	var tasks []types.Task
	for _, task := range e.options.Tasks.Tasks() {
		if wanted == "" || path.Base(*task.ClusterArn) == path.Base(wanted) {
			tasks = append(tasks, task)
		}
	}
	return tasks
}

func (e *Endpoint) listTasks(request map[string]any) []string {
	service, family, startedBy := text(request, "serviceName"), text(request, "family"), text(request, "startedBy")
	desired := text(request, "desiredStatus")
	if desired == "" {
		desired = "RUNNING" // the default of the API
	}
	arns := []string{}
	for _, task := range e.tasksOf(request) {
		if (service == "" || "service:"+path.Base(service) == *task.Group) &&
			(family == "" || family == familyOf(task)) &&
			(startedBy == "" || startedBy == aws.ToString(task.StartedBy)) && *task.DesiredStatus == desired {
			arns = append(arns, *task.TaskArn)
		}
	}
	return arns
}

// familyOf reads the family in the ARN of a task's definition, which ends in <family>:<revision>.
func familyOf(task types.Task) string {
	family, _, _ := strings.Cut(path.Base(aws.ToString(task.TaskDefinitionArn)), ":")
	return family
}

func (e *Endpoint) describeTasks(request map[string]any) map[string]any {
	found, failures := []any{}, []any{}
	wanted, _ := request["tasks"].([]any)
	for _, entry := range wanted {
		name, _ := entry.(string)
		if task, known := e.taskNamed(request, name); known {
			found = append(found, jsonOf(task))
		} else {
			failures = append(failures, jsonOf(types.Failure{Arn: &name, Reason: aws.String("MISSING")}))
		}
	}
	return map[string]any{"tasks": found, "failures": failures}
}

func (e *Endpoint) taskNamed(request map[string]any, name string) (task types.Task, known bool) {
	for _, task := range e.tasksOf(request) {
		if path.Base(*task.TaskArn) == path.Base(name) {
			return task, true
		}
	}
	return types.Task{}, false
}

func (e *Endpoint) stopTask(w http.ResponseWriter, request map[string]any) bool {
	name := text(request, "task")
	err := e.options.Tasks.StopTask(name, text(request, "reason"))
	if errors.Is(err, ecs.ErrTaskNotFound) {
		return fail(w, "InvalidParameterException", "The referenced task was not found.")
	}
	if err != nil {
		return fail(w, "ClientException", err.Error())
	}
	answer := map[string]any{}
	if task, known := e.taskNamed(request, name); known {
		answer["task"] = jsonOf(task)
	}
	return respond(w, answer)
}

func (e *Endpoint) runTask(w http.ResponseWriter, body []byte) bool {
	var request awsecs.RunTaskInput
	if err := json.Unmarshal(body, &request); err != nil {
		return fail(w, "SerializationException", err.Error())
	}
	ctx, cancel := context.WithTimeout(context.Background(), syncWait)
	defer cancel()
	started, err := e.options.Tasks.RunTask(ctx, &request)
	if errors.Is(err, ecs.ErrInvalidParameter) {
		return fail(w, "InvalidParameterException", err.Error())
	}
	if err != nil {
		return fail(w, "ClientException", err.Error())
	}
	return respond(w, map[string]any{"tasks": jsonOf(started), "failures": []any{}})
}

// text is a member of a request that is text, "" where there is none.
func text(request map[string]any, member string) string {
	value, _ := request[member].(string)
	return value
}
