package endpoint

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"fargate-nginx-sidecar/local/cloud/fargate"
)

// ecsPrefix begins the X-Amz-Target of every ECS action.
const ecsPrefix = "AmazonEC2ContainerServiceV20141113."

// serviceActions are the actions whose answer describes services.
var serviceActions = map[string]bool{
	ecsPrefix + "CreateService":    true,
	ecsPrefix + "UpdateService":    true,
	ecsPrefix + "DeleteService":    true,
	ecsPrefix + "DescribeServices": true,
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

// Tasks is the scheduler, which knows what runs.
type Tasks interface {
	Service(arn string) (fargate.ServiceStatus, bool)
	Tasks(clusterARN string) []fargate.Task
	StopTask(arn, reason string) error
	Sync(ctx context.Context) error
}

// remembered holds, by cluster and service name, what a service was created and updated with.
type remembered struct {
	mutex sync.Mutex
	sent  map[string]map[string]any
}

// note keeps the fields of a request that the emulator is going to forget.
func (r *remembered) note(action string, request map[string]any) {
	if action != "CreateService" && action != "UpdateService" {
		return
	}
	name, _ := request["serviceName"].(string)
	if name == "" {
		name, _ = request["service"].(string)
	}
	cluster, _ := request["cluster"].(string)
	key := path.Base(cluster) + "/" + path.Base(name)

	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.sent == nil {
		r.sent = map[string]map[string]any{}
	}
	if r.sent[key] == nil || action == "CreateService" {
		r.sent[key] = map[string]any{}
	}
	for _, field := range forgotten {
		if value, given := request[field]; given {
			r.sent[key][field] = updated(r.sent[key][field], value)
		}
	}
}

// updated puts what a request names into what is known. An update of a deployment configuration names the parts that
// change, and ECS keeps the others.
func updated(known, given any) any {
	before, isObject := known.(map[string]any)
	after, alsoObject := given.(map[string]any)
	if !isObject || !alsoObject {
		return given
	}
	// Nobody may see an object change that was handed out before.
	all := maps.Clone(before)
	maps.Copy(all, after)
	return all
}

// of returns what is known of the service with this ARN (…:service/<cluster>/<name>).
func (r *remembered) of(arn string) map[string]any {
	_, key, _ := strings.Cut(arn, ":service/")
	r.mutex.Lock()
	defer r.mutex.Unlock()
	fields := make(map[string]any, len(r.sent[key]))
	for field, value := range r.sent[key] {
		fields[field] = value
	}
	return fields
}

// Overlay gives the scheduler the fields of a service that the emulator forgets.
func (e *Endpoint) Overlay(serviceARN string) map[string]any { return e.services.of(serviceARN) }

// serveECS answers what only the scheduler knows, and lets the emulator answer the rest.
func (e *Endpoint) serveECS(w http.ResponseWriter, r *http.Request, action string) {
	body, err := peek(w, r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	request := map[string]any{}
	if err := json.Unmarshal(body, &request); err != nil {
		// The emulator has the right words for a request that is not JSON.
		e.proxy.ServeHTTP(w, r)
		return
	}
	switch action {
	case "ListTasks":
		respond(w, map[string]any{"taskArns": e.listTasks(request)})
	case "DescribeTasks":
		respond(w, e.describeTasks(request))
	case "StopTask":
		e.stopTask(w, request)
	default:
		e.services.note(action, request)
		e.proxy.ServeHTTP(w, r)
	}
}

// amendServices corrects every service in an answer of the emulator's.
func (e *Endpoint) amendServices(answer map[string]any) {
	services, _ := answer["services"].([]any)
	if one, ok := answer["service"].(map[string]any); ok {
		services = append(services, one)
	}
	// The scheduler must have seen a new service or task definition before its state is told: else a client that
	// waits for a steady state takes the state before its own request for the one after.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = e.options.Tasks.Sync(ctx)

	for _, entry := range services {
		service, ok := entry.(map[string]any)
		if !ok {
			continue
		}
		arn, _ := service["serviceArn"].(string)
		for field, value := range e.services.of(arn) {
			service[field] = value
		}
		if strategy, _ := service["capacityProviderStrategy"].([]any); len(strategy) > 0 {
			// ECS names one or the other; the emulator takes EC2 for granted.
			delete(service, "launchType")
		}
		if status, known := e.options.Tasks.Service(arn); known {
			overlayStatus(service, status)
		}
	}
}

// overlayStatus puts what really runs in place of what the emulator assumes.
func overlayStatus(service map[string]any, status fargate.ServiceStatus) {
	service["status"] = status.Status
	service["runningCount"] = status.RunningCount
	service["pendingCount"] = status.PendingCount
	service["desiredCount"] = status.DesiredCount
	deployments := make([]any, 0, len(status.Deployments))
	for _, deployment := range status.Deployments {
		deployments = append(deployments, map[string]any{
			"id":                 deployment.ID,
			"status":             deployment.Status,
			"taskDefinition":     deployment.TaskDefinition,
			"desiredCount":       deployment.DesiredCount,
			"runningCount":       deployment.RunningCount,
			"pendingCount":       deployment.PendingCount,
			"failedTasks":        deployment.FailedTasks,
			"rolloutState":       deployment.RolloutState,
			"rolloutStateReason": deployment.RolloutStateReason,
			"createdAt":          seconds(deployment.CreatedAt),
			"updatedAt":          seconds(deployment.UpdatedAt),
			"launchType":         service["launchType"],
			"platformVersion":    service["platformVersion"],
		})
	}
	service["deployments"] = deployments
	events := make([]any, 0, len(status.Events))
	for _, event := range status.Events {
		events = append(events, map[string]any{"id": event.ID, "createdAt": seconds(event.CreatedAt), "message": event.Message})
	}
	service["events"] = events
}

// seconds is a point in time as the JSON protocols of AWS write it.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// tasksOf returns the scheduler's tasks in the cluster that a request names, by ARN or by name.
func (e *Endpoint) tasksOf(request map[string]any) []fargate.Task {
	wanted, _ := request["cluster"].(string)
	var tasks []fargate.Task
	for _, task := range e.options.Tasks.Tasks("") {
		if wanted == "" || path.Base(task.ClusterARN) == path.Base(wanted) {
			tasks = append(tasks, task)
		}
	}
	return tasks
}

func (e *Endpoint) listTasks(request map[string]any) []string {
	service, _ := request["serviceName"].(string)
	desired, _ := request["desiredStatus"].(string)
	if desired == "" {
		desired = "RUNNING" // the default of the API
	}
	arns := []string{}
	for _, task := range e.tasksOf(request) {
		if (service == "" || path.Base(service) == task.ServiceName) && task.DesiredStatus == desired {
			arns = append(arns, task.ARN)
		}
	}
	return arns
}

func (e *Endpoint) describeTasks(request map[string]any) map[string]any {
	found, failures := []any{}, []any{}
	wanted, _ := request["tasks"].([]any)
	for _, entry := range wanted {
		name, _ := entry.(string)
		task := e.taskNamed(request, name)
		if task == nil {
			failures = append(failures, map[string]any{"arn": name, "reason": "MISSING"})
			continue
		}
		found = append(found, describeTask(*task))
	}
	return map[string]any{"tasks": found, "failures": failures}
}

func (e *Endpoint) taskNamed(request map[string]any, name string) *fargate.Task {
	for _, task := range e.tasksOf(request) {
		if path.Base(task.ARN) == path.Base(name) {
			return &task
		}
	}
	return nil
}

// describeTask writes a task as DescribeTasks does.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html
func describeTask(task fargate.Task) map[string]any {
	described := map[string]any{
		"taskArn":           task.ARN,
		"clusterArn":        task.ClusterARN,
		"group":             task.Group,
		"startedBy":         task.StartedBy,
		"taskDefinitionArn": task.TaskDefinition,
		"lastStatus":        task.LastStatus,
		"desiredStatus":     task.DesiredStatus,
		"healthStatus":      task.HealthStatus,
		"launchType":        "FARGATE",
		"cpu":               task.CPU,
		"memory":            task.Memory,
		"availabilityZone":  task.AvailabilityZone,
	}
	for name, value := range map[string]string{"stopCode": task.StopCode, "stoppedReason": task.StoppedReason} {
		if value != "" {
			described[name] = value
		}
	}
	for name, at := range map[string]time.Time{
		"createdAt": task.CreatedAt, "pullStartedAt": task.PullStartedAt, "pullStoppedAt": task.PullStoppedAt,
		"startedAt": task.StartedAt, "stoppingAt": task.StoppingAt, "stoppedAt": task.StoppedAt,
	} {
		if !at.IsZero() {
			described[name] = seconds(at)
		}
	}
	containers := make([]any, 0, len(task.Containers))
	for _, container := range task.Containers {
		containers = append(containers, describeContainer(task, container))
	}
	described["containers"] = containers
	return described
}

func describeContainer(task fargate.Task, container fargate.Container) map[string]any {
	described := map[string]any{
		"containerArn":      container.ARN,
		"taskArn":           task.ARN,
		"name":              container.Name,
		"image":             container.Image,
		"imageDigest":       container.ImageDigest,
		"runtimeId":         container.RuntimeID,
		"lastStatus":        container.LastStatus,
		"networkInterfaces": []any{map[string]any{"privateIpv4Address": task.PrivateIP}},
	}
	if container.HealthStatus != "" {
		described["healthStatus"] = container.HealthStatus
	}
	if container.Reason != "" {
		described["reason"] = container.Reason
	}
	if container.ExitCode != nil {
		described["exitCode"] = *container.ExitCode
	}
	return described
}

func (e *Endpoint) stopTask(w http.ResponseWriter, request map[string]any) {
	name, _ := request["task"].(string)
	reason, _ := request["reason"].(string)
	err := e.options.Tasks.StopTask(name, reason)
	if errors.Is(err, fargate.ErrTaskNotFound) {
		fail(w, "InvalidParameterException", "The referenced task was not found.")
		return
	}
	if err != nil {
		fail(w, "ClientException", err.Error())
		return
	}
	answer := map[string]any{}
	if task := e.taskNamed(request, name); task != nil {
		answer["task"] = describeTask(*task)
	}
	respond(w, answer)
}

func respond(w http.ResponseWriter, answer map[string]any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(answer)
}

// fail answers with an error in the form of AWS's JSON protocols.
func fail(w http.ResponseWriter, kind, message string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": kind, "message": message})
}
