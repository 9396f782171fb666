package ecs_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fargate-nginx-sidecar/local/cloud/ecs"
	"fargate-nginx-sidecar/local/cloud/engine/enginetest"
	"fargate-nginx-sidecar/local/cloud/fargate"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/docker/docker/api/types/container"
	imagetypes "github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func TestRollingUpdateLosesNoRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	image := w.image(nil)
	service := w.serve(w.register(nil, abrupt(web(image, "one"))), 2, 8080)
	w.steady(service)

	var failed, served atomic.Int64
	var first atomic.Value
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for i := range 4 {
		path := "/"
		if i == 0 {
			path = "/slow" // two seconds each: some are in flight whenever a task is drained
		}
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				served.Add(1)
				if code, body := w.get(path); code != http.StatusOK {
					failed.Add(1)
					first.CompareAndSwap(nil, fmt.Sprint(code, " ", body))
				}
			}
		})
	}
	fewest := int32(2)
	w.update(service, func(u *awsecs.UpdateServiceInput) {
		u.TaskDefinition = aws.String(w.register(nil, abrupt(web(image, "two"))))
	})
	w.until(service, "updated", 40*time.Second, func(s types.Service) bool {
		fewest = min(fewest, s.RunningCount)
		return len(s.Deployments) == 1 && s.Deployments[0].RolloutState == "COMPLETED"
	})
	close(stop)
	clients.Wait()
	if failed.Load() > 0 {
		t.Errorf("requests: %d of %d failed, the first with %v", failed.Load(), served.Load(), first.Load())
	}
	if served.Load() < 100 {
		t.Errorf("requests: only %d were made", served.Load())
	}
	if fewest < 2 {
		t.Errorf("running tasks: fell to %d; minimumHealthyPercent 75 of 2 allows no less than 2", fewest)
	}
	if _, body := w.get("/"); body != "two" {
		t.Errorf("answer after the update: got %q, want two", body)
	}
}

func TestForcedDeploymentReplacesEveryTask(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	service := w.serve(w.register(nil, web(w.image(nil), "one")), 1, 8080)
	before := w.steady(service)
	old := *w.running()[0].TaskArn
	w.update(service, func(u *awsecs.UpdateServiceInput) { u.ForceNewDeployment = true })
	after := w.steady(service)
	if *before.Deployments[0].Id == *after.Deployments[0].Id {
		t.Errorf("deployment: still %s", *after.Deployments[0].Id)
	}
	if now := w.running(); len(now) != 1 || *now[0].TaskArn == old {
		t.Errorf("tasks: got %d, the old one among them: %t", len(now), len(now) > 0 && *now[0].TaskArn == old)
	}
}

func TestCrashedEssentialContainerIsReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	helper := types.ContainerDefinition{Name: aws.String("helper"), Essential: aws.Bool(false), Command: []string{"idle"}}
	image := w.image(nil)
	helper.Image = &image
	service := w.serve(w.register(nil, web(image, "one"), helper), 1, 8080)
	w.steady(service)
	crashed := w.running()[0]
	fetch("http://" + w.local(crashed) + "/crash")
	w.until(service, "replaced", 20*time.Second, func(types.Service) bool {
		now := w.running()
		return len(now) == 1 && *now[0].TaskArn != *crashed.TaskArn && *now[0].LastStatus == "RUNNING"
	})
	stopped := w.stopped(*crashed.TaskArn)
	if *stopped.StoppedReason != "Essential container in task exited" || stopped.StopCode != "EssentialContainerExited" {
		t.Errorf("stopped: got %s: %s", stopped.StopCode, *stopped.StoppedReason)
	}
	if code := stopped.Containers[0].ExitCode; code == nil || *code != 3 {
		t.Errorf("exit code: got %v, want 3", code)
	}
	if code := stopped.Containers[1].ExitCode; code == nil || *code != 0 {
		t.Errorf("exit code of the other container: got %v, want 0 after its stop signal", code)
	}
}

func TestUnhealthyTargetIsReplacedBeforeItStops(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	service := w.serve(w.register(nil, web(w.image(nil), "one")), 2, 8080)
	w.steady(service)
	ill := w.running()[0]
	fetch("http://" + w.local(ill) + "/break")
	w.until(service, "replaced", 40*time.Second, func(s types.Service) bool {
		return w.stopped(*ill.TaskArn).TaskArn != nil && s.RunningCount == 2
	})
	if want := "Task failed ELB health checks in (target-group " + w.group + ")"; aws.ToString(w.stopped(*ill.TaskArn).StoppedReason) != want {
		t.Errorf("stopped reason: got %q, want %q", aws.ToString(w.stopped(*ill.TaskArn).StoppedReason), want)
	}
	replacement := w.running()[1]
	if gone := w.stopped(*ill.TaskArn).StoppingAt; replacement.StartedAt.After(*gone) {
		t.Errorf("order: the ill task stopped at %s, its replacement ran at %s", gone, replacement.StartedAt)
	}
}

func TestFailedDeploymentRollsBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	image := w.image(nil)
	good := w.register(nil, web(image, "one"))
	service := w.serve(good, 2, 8080)
	w.steady(service)
	broken := web(image, "broken")
	broken.Environment = append(broken.Environment, types.KeyValuePair{Name: aws.String("BROKEN"), Value: aws.String("1")})
	w.update(service, func(u *awsecs.UpdateServiceInput) { u.TaskDefinition = aws.String(w.register(nil, broken)) })
	// The failed deployment itself leaves the list with its last task: its events stay.
	w.until(service, "failed", 60*time.Second, func(s types.Service) bool {
		return slices.ContainsFunc(s.Events, func(e types.ServiceEvent) bool { return strings.Contains(*e.Message, "rolling back") })
	})
	status := w.steady(service)
	states := []types.ServiceDeploymentStatus{}
	for _, d := range w.scheduler.ServiceDeployments() {
		states = append(states, d.Status)
	}
	if !slices.Equal(states, []types.ServiceDeploymentStatus{types.ServiceDeploymentStatusSuccessful, types.ServiceDeploymentStatusRollbackSuccessful}) {
		t.Errorf("history: %v", states)
	}
	if *status.Deployments[0].TaskDefinition != good {
		t.Errorf("task definition: got %s, want %s", *status.Deployments[0].TaskDefinition, good)
	}
	held, err := w.ecs.DescribeServices(t.Context(), &awsecs.DescribeServicesInput{Cluster: &w.cluster, Services: []string{service}})
	must(t, err)
	if got := aws.ToString(held.Services[0].TaskDefinition); got != good {
		t.Errorf("emulator's task definition: got %s, want %s", got, good)
	}
	if _, body := w.get("/"); body != "one" {
		t.Errorf("answer after the rollback: got %q, want one", body)
	}
	for _, want := range []string{
		"deployment failed: tasks failed to start.", "(service web) rolling back to deployment ecs-svc/",
		"unhealthy in (target-group", "Health checks failed with these codes: [503]",
	} {
		if !slices.ContainsFunc(status.Events, func(e types.ServiceEvent) bool { return strings.Contains(*e.Message, want) }) {
			t.Errorf("events: no %q", want)
		}
	}
}

func TestATaskDefinitionThatCannotBeReadHoldsUpItsOwnServiceOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	image := w.image(nil)
	service := w.serve(w.register(nil, web(image, "one")), 1, 8080)
	w.steady(service)
	hidden, err := w.ecs.RegisterTaskDefinition(t.Context(), &awsecs.RegisterTaskDefinitionInput{
		Family: aws.String("hidden"), Cpu: aws.String("256"), Memory: aws.String("512"), NetworkMode: types.NetworkModeAwsvpc,
		RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate}, ContainerDefinitions: []types.ContainerDefinition{web(image, "two")},
	})
	must(t, err)
	w.hide("hidden")
	w.update(service, func(u *awsecs.UpdateServiceInput) { u.TaskDefinition = hidden.TaskDefinition.TaskDefinitionArn })
	// A client that waits must not see the end of the deployment before.
	seen, _ := w.scheduler.Service(service)
	if len(seen.Deployments) != 2 || seen.Deployments[0].RolloutState != types.DeploymentRolloutStateInProgress ||
		*seen.Deployments[0].TaskDefinition != *hidden.TaskDefinition.TaskDefinitionArn {
		t.Fatalf("with an unreadable task definition: %+v", seen.Deployments)
	}
	other := w.create(&awsecs.CreateServiceInput{
		Cluster: &w.cluster, ServiceName: aws.String("other"), TaskDefinition: aws.String(w.register(nil, web(image, "other"))), DesiredCount: aws.Int32(1), LaunchType: types.LaunchTypeFargate,
		NetworkConfiguration: &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{w.subnet}, SecurityGroups: []string{}}},
	})
	w.steady(other)
	w.hide("")
	w.steady(service)
	if _, body := w.get("/"); body != "two" {
		t.Errorf("after the task definition can be read: %q, want two", body)
	}
}

// The task definition stays the same: only the history of the service shows that its deployment failed.
func TestADeploymentToSubnetsThatDoNotExistIsRolledBackWithItsSubnets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	service := w.serve(w.register(nil, web(w.image(nil), "one")), 1, 0)
	subnets := func(subnet string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.overlay[service] = map[string]any{"networkConfiguration": map[string]any{"awsvpcConfiguration": map[string]any{
			"subnets": []any{subnet}, "securityGroups": []any{}, "assignPublicIp": "DISABLED",
		}}, "deploymentConfiguration": w.overlay[service]["deploymentConfiguration"]}
	}
	subnets(w.subnet)
	must(t, w.scheduler.Sync(t.Context()))
	w.steady(service)
	subnets("subnet-00000000000000000")
	must(t, w.scheduler.Sync(t.Context()))
	w.until(service, "rolled back", 60*time.Second, func(types.Service) bool {
		all := w.scheduler.ServiceDeployments()
		return all[len(all)-1].Status == types.ServiceDeploymentStatusRollbackSuccessful
	})
	w.steady(service)
	all := w.scheduler.ServiceDeployments()
	last := all[len(all)-1]
	revisions := map[string]types.ServiceRevision{}
	for _, revision := range w.scheduler.ServiceRevisions() {
		revisions[*revision.ServiceRevisionArn] = revision
	}
	of := func(arn *string) []string { return revisions[*arn].NetworkConfiguration.AwsvpcConfiguration.Subnets }
	if got := of(last.TargetServiceRevision.Arn); !slices.Equal(got, []string{"subnet-00000000000000000"}) {
		t.Errorf("the failed revision's subnets: %v", got)
	}
	if got := of(last.Rollback.ServiceRevisionArn); !slices.Equal(got, []string{w.subnet}) {
		t.Errorf("the subnets that the service returned to: %v", got)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if got := fmt.Sprint(w.overlay[service]); !strings.Contains(got, w.subnet) {
		t.Errorf("the service now has %s", got)
	}
}

func TestFirstDeploymentThatFailsStaysFailed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	image := w.image(nil)
	crash := web(image, "crash")
	crash.Command = []string{"exit", "7"}
	service := w.serve(w.register(nil, crash), 1, 0)
	status := w.until(service, "failed", 30*time.Second, func(s types.Service) bool {
		return len(s.Deployments) == 1 && s.Deployments[0].RolloutState == "FAILED"
	})
	tasks := len(w.scheduler.Tasks())
	time.Sleep(5 * time.Second) // longer than the back-off after three failures
	if now := len(w.scheduler.Tasks()); now != tasks {
		t.Errorf("tasks: %d more were started after the deployment failed", now-tasks)
	}
	if got, want := *status.Deployments[0].RolloutStateReason, "ECS deployment circuit breaker: tasks failed to start."; got != want {
		t.Errorf("reason: got %q, want %q", got, want)
	}
	if status.RunningCount != 0 || status.Deployments[0].FailedTasks != 3 {
		t.Errorf("status: got %d running, %d failed; want 0 and the breaker's threshold 3", status.RunningCount, status.Deployments[0].FailedTasks)
	}
	if all := w.scheduler.ServiceDeployments(); len(all) != 1 || all[0].Status != types.ServiceDeploymentStatusStopped || all[0].Rollback != nil {
		t.Errorf("history: %+v", all)
	}
	if code := w.scheduler.Tasks()[0].Containers[0].ExitCode; code == nil || *code != 7 {
		t.Errorf("exit code: got %v, want 7", code)
	}
}

// While it is silent, nothing starts or counts as a failure; when it answers again, the deployment goes on. So an engine that is
// restarted fails no deployment.
func TestADeploymentWaitsForAnEngineThatIsAway(t *testing.T) {
	direct, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	must(t, err)
	line := enginetest.NewLine(t)
	t.Setenv("DOCKER_HOST", line.Host)
	w := newWorld(t)
	image := w.image(nil)
	service := w.serve(w.register(nil, web(image, "one")), 1, 8080)
	w.steady(service)
	before := w.running()[0]

	line.Cut()
	w.update(service, func(u *awsecs.UpdateServiceInput) { u.TaskDefinition = aws.String(w.register(nil, web(image, "two"))) })
	time.Sleep(5 * time.Second) // longer than the back-off after three failures
	if _, body := w.get("/"); body != "one" {
		t.Errorf("answer meanwhile: %q, want that of the running task", body)
	}
	status, _ := w.scheduler.Service(service)
	if d := status.Deployments[0]; d.RolloutState != "IN_PROGRESS" || d.FailedTasks != 0 || len(w.scheduler.Tasks()) != 1 {
		t.Errorf("meanwhile: deployment %s, %d tasks failed, %d in all", d.RolloutState, d.FailedTasks, len(w.scheduler.Tasks()))
	}
	line.Mend(t)
	w.steady(service)
	if _, body := w.get("/"); body != "two" || w.stopped(*before.TaskArn).TaskArn == nil {
		t.Errorf("afterwards: answer %q; the old task stops: %t", body, w.stopped(*before.TaskArn).TaskArn != nil)
	}

	// A task that no check has found healthy yet, and that ends with the engine.
	idle := web(image, "three")
	idle.Command = []string{"idle"}
	w.update(service, func(u *awsecs.UpdateServiceInput) { u.TaskDefinition = aws.String(w.register(nil, idle)) })
	var taken types.Task
	w.until(service, "the new task runs", 20*time.Second, func(types.Service) bool {
		all := w.running()
		taken = all[len(all)-1]
		return len(all) == 2 && *taken.LastStatus == "RUNNING"
	})
	line.Cut()
	must(t, direct.ContainerKill(t.Context(), *taken.Containers[0].RuntimeId, "KILL"))
	line.Mend(t)
	status = w.until(service, "it has stopped", 20*time.Second, func(types.Service) bool {
		return aws.ToString(w.stopped(*taken.TaskArn).LastStatus) == "STOPPED"
	})
	if got := w.stopped(*taken.TaskArn); got.StopCode != types.TaskStopCodeEssentialContainerExited || status.Deployments[0].FailedTasks != 0 {
		t.Errorf("stopped: %s; %d tasks count as failed, want none", got.StopCode, status.Deployments[0].FailedTasks)
	}
}

// chain is a task of three containers: last depends on middle, middle on first.
func (w *world) chain(image string) []types.ContainerDefinition {
	container := func(name, on string) types.ContainerDefinition {
		c := types.ContainerDefinition{Name: &name, Image: &image, Command: []string{"idle"}, LogConfiguration: awslogs("/ecs/web")}
		if on != "" {
			c.DependsOn = []types.ContainerDependency{{ContainerName: &on, Condition: types.ContainerConditionStart}}
		}
		return c
	}
	return []types.ContainerDefinition{container("first", ""), container("middle", "first"), container("last", "middle")}
}

func TestContainersStopInReverseOrderWithTheImagesSignalAndEveryLineIsShipped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	service := w.serve(w.register(nil, w.chain(w.image(func(c *v1.Config) { c.StopSignal = "SIGQUIT" }))...), 1, 0)
	w.steady(service)
	task := w.running()[0]
	w.update(service, func(u *awsecs.UpdateServiceInput) { u.DesiredCount = aws.Int32(0) })
	w.until(service, "stopped", 20*time.Second, func(types.Service) bool { return aws.ToString(w.stopped(*task.TaskArn).LastStatus) == "STOPPED" })
	began, ended := map[string]int64{}, map[string]int64{}
	for _, name := range []string{"first", "middle", "last"} {
		lines := w.lines("web/" + name + "/" + path.Base(*task.TaskArn))
		if len(lines) != 4 || lines[3] != "and no newline" || lines[0] != "idle" || !strings.HasPrefix(lines[1], "signal quit at ") {
			t.Fatalf("lines of %s: got %q, want idle, signal quit at …, ended at …, and no newline", name, lines)
		}
		var at, end int64
		_, _ = fmt.Sscanf(lines[1], "signal quit at %d", &at)
		_, _ = fmt.Sscanf(lines[2], "ended at %d", &end)
		began[name], ended[name] = at, end
	}
	if began["middle"] < ended["last"] || began["first"] < ended["middle"] {
		t.Errorf("stop order: last ended at %d, middle got its signal at %d and ended at %d, first got its signal at %d",
			ended["last"], began["middle"], ended["middle"], began["first"])
	}
	if got := aws.ToString(w.stopped(*task.TaskArn).StoppedReason); !strings.HasPrefix(got, "Scaling activity initiated by (deployment ecs-svc/") {
		t.Errorf("stopped reason: got %q", got)
	}
}

func TestContainerSeesWhatFargateWouldGiveIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := web(w.image(nil), "one")
	c.MountPoints = []types.MountPoint{
		{SourceVolume: aws.String("kept"), ContainerPath: aws.String("/declared")},
		{SourceVolume: aws.String("bare"), ContainerPath: aws.String("/plain")},
	}
	c.Environment = c.Environment[:1] // VERSION, which it serves, comes from a secret
	c.Secrets = []types.Secret{{Name: aws.String("VERSION"), ValueFrom: aws.String(w.secret("release", `{"version":"two"}`) + ":version::")}}
	service := w.serve(w.register([]string{"kept", "bare"}, c), 1, 8080)
	w.steady(service)
	if _, body := w.get("/"); body != "two" {
		t.Errorf("value of a secret: got %q, want two", body)
	}
	_, body := w.get("/facts")
	var got map[string]any
	must(t, json.Unmarshal([]byte(body), &got))
	task := w.running()[0]
	address := *task.Containers[0].NetworkInterfaces[0].PrivateIpv4Address
	for name, want := range map[string]any{
		"uid": 101.0, "gid": 101.0,
		"root":     "open /probe: read-only file system",
		"declared": "1777 1000:1000 1 files, written",
		"plain":    "755 0:0 0 files, open /plain/probe: permission denied",
		"port80":   "permission denied",
		"region":   region,
		"host":     "ip-" + strings.ReplaceAll(address, ".", "-") + "." + region + ".compute.internal",
	} {
		if got[name] != want {
			t.Errorf("%s: got %v, want %v", name, got[name], want)
		}
	}
	if !strings.HasPrefix(address, "10.1.1.") || *task.AvailabilityZone != region+"a" {
		t.Errorf("placement: got %s in %s, want an address of 10.1.1.0/24 in %sa", address, *task.AvailabilityZone, region)
	}
}

func TestDependantWaitsUntilTheOtherContainerIsHealthy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	image := w.image(nil)
	backend := types.ContainerDefinition{
		Name: aws.String("app"), Image: &image, Command: []string{"serve"},
		Environment: []types.KeyValuePair{{Name: aws.String("PORT"), Value: aws.String("3000")}, {Name: aws.String("LATE"), Value: aws.String("1s")}},
		HealthCheck: &types.HealthCheck{Command: []string{"CMD", "/app", "health"}, Interval: aws.Int32(5), Timeout: aws.Int32(3), Retries: aws.Int32(2)},
	}
	job := types.ContainerDefinition{Name: aws.String("job"), Image: &image, Essential: aws.Bool(false), Command: []string{"exit", "0"}}
	front := web(image, "front")
	front.DependsOn = []types.ContainerDependency{
		{ContainerName: aws.String("app"), Condition: types.ContainerConditionHealthy},
		{ContainerName: aws.String("job"), Condition: types.ContainerConditionSuccess},
	}
	service := w.serve(w.register(nil, front, backend, job), 1, 8080)
	w.until(service, "running", 20*time.Second, func(s types.Service) bool {
		for _, task := range w.running() {
			if *task.Containers[0].LastStatus == "RUNNING" && task.Containers[1].HealthStatus != "HEALTHY" {
				t.Errorf("front runs while app is %s", task.Containers[1].HealthStatus)
			}
		}
		return s.RunningCount == 1
	})
	w.steady(service)
	task := w.running()[0]
	if task.HealthStatus != "HEALTHY" {
		t.Errorf("task health: got %s, want HEALTHY", task.HealthStatus)
	}

	// The app dies inside: its check fails for good and the whole task is replaced.
	out, err := w.exec(*task.Containers[1].RuntimeId, "/app", "break")
	if err != nil {
		t.Fatal(err, out)
	}
	w.until(service, "replaced", 40*time.Second, func(types.Service) bool {
		return aws.ToString(w.stopped(*task.TaskArn).StoppedReason) == "Task failed container health checks"
	})
}

func TestStopReasonsAreECSs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	image := w.image(nil)
	missing := web(strings.Replace(image, "/app@", "/none@", 1), "x")
	unlogged := web(image, "x")
	unlogged.LogConfiguration = awslogs("/ecs/none")
	unfound := web(image, "x")
	unfound.EntryPoint = []string{"/none"}
	unformatted := web(image, "x")
	unformatted.EntryPoint = []string{"/declared/script"}
	refused := web(image, "x")
	refused.LinuxParameters = &types.LinuxParameters{Tmpfs: []types.Tmpfs{{ContainerPath: aws.String("/tmp"), Size: 1}}}
	from := func(source string) types.ContainerDefinition {
		c := web(image, "x")
		c.Secrets = []types.Secret{{Name: aws.String("TOKEN"), ValueFrom: &source}}
		return c
	}
	for _, c := range []struct {
		name, code, reason string
		container          types.ContainerDefinition
	}{
		{"missing image", "TaskFailedToStart", "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref " + *missing.Image, missing},
		{"missing log group", "TaskFailedToStart", "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log stream: ResourceNotFoundException", unlogged},
		{"missing program", "TaskFailedToStart", "CannotStartContainerError: ", unfound},
		{"not a program", "EssentialContainerExited", "Essential container in task exited", unformatted},
		{"missing parameter", "TaskFailedToStart", "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid ssm parameters: /some/none", from("arn:aws:ssm:" + region + ":123456789012:parameter/some/none")},
		{"missing field", "TaskFailedToStart", "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): retrieved secret from Secrets Manager did not contain json key none", from(w.secret("token", `{"key":"hidden"}`) + ":none::")},
		{"tmpfs", "TaskFailedToStart", "ResourceInitializationError: container web: tmpfs, devices, sharedMemorySize, maxSwap, swappiness: not supported on Fargate", refused},
	} {
		arn := w.register(nil, c.container)
		service := w.serve(arn, 1, 0)
		var stopped types.Task
		w.until(service, c.name, 20*time.Second, func(types.Service) bool {
			i := slices.IndexFunc(w.scheduler.Tasks(), func(task types.Task) bool {
				stopped = task
				return *task.TaskDefinitionArn == arn && *task.LastStatus == "STOPPED"
			})
			return i >= 0
		})
		if string(stopped.StopCode) != c.code || !strings.HasPrefix(*stopped.StoppedReason, c.reason) {
			t.Errorf("%s: got %s: %s", c.name, stopped.StopCode, *stopped.StoppedReason)
		}
		_, err := w.ecs.DeleteService(t.Context(), &awsecs.DeleteServiceInput{Cluster: &w.cluster, Service: &service, Force: aws.Bool(true)})
		must(t, err)
		w.until(service, "gone", 20*time.Second, func(s types.Service) bool { return aws.ToString(s.Status) == "INACTIVE" })
	}
}

func TestDeletedServiceDrainsAndLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := abrupt(web(w.image(nil), "one"))
	c.MountPoints = []types.MountPoint{{SourceVolume: aws.String("scratch"), ContainerPath: aws.String("/declared")}}
	service := w.serve(w.register([]string{"scratch"}, c), 2, 8080)
	w.steady(service)
	answered := make(chan int)
	go func() {
		code, _ := w.get("/slow")
		answered <- code
	}()
	time.Sleep(200 * time.Millisecond)
	_, err := w.ecs.DeleteService(t.Context(), &awsecs.DeleteServiceInput{Cluster: &w.cluster, Service: &service, Force: aws.Bool(true)})
	must(t, err)
	must(t, w.scheduler.Sync(t.Context()))
	if status, _ := w.scheduler.Service(service); *status.Status != "DRAINING" {
		t.Errorf("status while tasks stop: got %s, want DRAINING", *status.Status)
	}
	if code := <-answered; code != http.StatusOK {
		t.Errorf("request in flight: got %d, want 200", code)
	}
	w.until(service, "inactive", 30*time.Second, func(s types.Service) bool { return aws.ToString(s.Status) == "INACTIVE" })
	if left := w.containers(); len(left) > 0 {
		t.Errorf("containers: %d are left", len(left))
	}
	if left := w.volumes(); len(left) > 0 {
		t.Errorf("volumes: %v are left", left)
	}
	if code, _ := w.get("/"); code != http.StatusServiceUnavailable {
		t.Errorf("load balancer without targets: got %d, want 503", code)
	}
}

func TestStoppedTaskIsReplacedAndServiceScales(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	service := w.serve(w.register(nil, web(w.image(nil), "one")), 1, 8080)
	w.steady(service)
	task := w.running()[0]
	must(t, w.scheduler.StopTask(*task.TaskArn, "by hand"))
	w.until(service, "replaced", 20*time.Second, func(types.Service) bool {
		now := w.running()
		return aws.ToString(w.stopped(*task.TaskArn).StoppedReason) == "by hand" && len(now) == 1 && *now[0].LastStatus == "RUNNING"
	})
	if err := w.scheduler.StopTask("none", ""); !errors.Is(err, ecs.ErrTaskNotFound) {
		t.Errorf("unknown task: got %v, want %v", err, ecs.ErrTaskNotFound)
	}
	deployment := *w.steady(service).Deployments[0].Id
	w.update(service, func(u *awsecs.UpdateServiceInput) { u.DesiredCount = aws.Int32(3) })
	if got := w.steady(service); got.RunningCount != 3 || *got.Deployments[0].Id != deployment {
		t.Errorf("scaled out: got %d running in deployment %s, want 3 in %s", got.RunningCount, *got.Deployments[0].Id, deployment)
	}
	w.update(service, func(u *awsecs.UpdateServiceInput) { u.DesiredCount = aws.Int32(1) })
	w.steady(service)
}

func TestCleanupRemovesWhatADeadSchedulerLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	// As a scheduler that was killed leaves it: a running container on the run's network, with a volume.
	must(t, w.scheduler.Sync(t.Context())) // the network is there
	ctx, labels := t.Context(), map[string]string{"fargate-nginx-sidecar.run": w.runID}
	image := w.image(nil)
	progress, err := w.docker.ImagePull(ctx, image, imagetypes.PullOptions{})
	must(t, err)
	_, _ = io.Copy(io.Discard, progress)
	_, err = w.docker.VolumeCreate(ctx, volume.CreateOptions{Name: w.runID + "-left", Labels: labels})
	must(t, err)
	left, err := w.docker.ContainerCreate(ctx, &container.Config{Image: image, Cmd: []string{"idle"}, Labels: labels},
		&container.HostConfig{NetworkMode: container.NetworkMode(w.networks()[0]), Binds: []string{w.runID + "-left:/plain"}}, nil, nil, "")
	must(t, err)
	must(t, w.docker.ContainerStart(ctx, left.ID, container.StartOptions{}))
	must(t, fargate.Cleanup(ctx, w.runID))
	if len(w.containers()) != 0 || len(w.volumes()) != 0 || len(w.networks()) != 0 {
		t.Errorf("left by Cleanup: %d containers, volumes %v, networks %v", len(w.containers()), w.volumes(), w.networks())
	}
	must(t, fargate.Cleanup(ctx, w.runID)) // and again, with nothing to do
}

func (w *world) running() []types.Task {
	return slices.DeleteFunc(w.scheduler.Tasks(), func(t types.Task) bool { return *t.DesiredStatus != "RUNNING" })
}

// local is the address on this machine that reaches the one published port of a task.
func (w *world) local(task types.Task) string {
	found, err := w.docker.ContainerInspect(w.t.Context(), *task.Containers[0].RuntimeId)
	must(w.t, err)
	_, pause, _ := strings.Cut(string(found.HostConfig.NetworkMode), ":")
	found, err = w.docker.ContainerInspect(w.t.Context(), pause)
	must(w.t, err)
	return "127.0.0.1:" + found.NetworkSettings.Ports["8080/tcp"][0].HostPort
}

// stopped returns a task when it is stopping or has stopped.
func (w *world) stopped(arn string) types.Task {
	for _, t := range w.scheduler.Tasks() {
		if *t.TaskArn == arn && *t.DesiredStatus == "STOPPED" {
			return t
		}
	}
	return types.Task{}
}

func (w *world) lines(stream string) []string {
	found, err := w.logs.GetLogEvents(w.t.Context(), &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String("/ecs/web"), LogStreamName: &stream, StartFromHead: aws.Bool(true)})
	must(w.t, err)
	var lines []string
	for _, e := range found.Events {
		lines = append(lines, *e.Message)
	}
	return lines
}
