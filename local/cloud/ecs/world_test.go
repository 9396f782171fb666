package ecs_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"fargate-nginx-sidecar/local/cloud/alb"
	"fargate-nginx-sidecar/local/cloud/cloudmap"
	"fargate-nginx-sidecar/local/cloud/ecs"
	"fargate-nginx-sidecar/local/cloud/emulator"
	"fargate-nginx-sidecar/local/cloud/emulator/emulatortest"
	"fargate-nginx-sidecar/local/cloud/engine"
	"fargate-nginx-sidecar/local/cloud/fargate"
	"fargate-nginx-sidecar/local/cloud/ports"
	"fargate-nginx-sidecar/local/cloud/secrets"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func TestMain(m *testing.M) { emulatortest.Main(m) }

const region = "eu-central-1"

// world is an emulator, a registry, a load balancer and a scheduler, all real.
type world struct {
	t         *testing.T
	runID     string
	endpoint  string
	docker    client.APIClient
	registry  string
	scheduler *ecs.Scheduler
	balancer  *alb.Balancer
	instances *cloudmap.Map
	ecs       *awsecs.Client
	elb       *elb.Client
	logs      *cloudwatchlogs.Client
	secrets   *secretsmanager.Client
	url       string // of the load balancer
	cluster   string
	group     string
	subnet    string
	stop      context.CancelFunc

	mu         sync.Mutex
	overlay    map[string]map[string]any
	unreadable string // family of a task definition that the scheduler cannot read
}

// newWorld starts everything. Without a Docker engine the test fails and says what to do.
func newWorld(t *testing.T) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("skipped: -short; this test runs containers")
	}
	docker, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := docker.Ping(t.Context()); err != nil {
		t.Fatalf("the Docker engine does not answer: start it, or use `make test`: %v", err)
	}
	w := &world{
		t: t, docker: docker, endpoint: emulatortest.Start(t), overlay: map[string]map[string]any{},
		runID: "test-" + strings.ToLower(strings.NewReplacer("_", "-", "/", "-").Replace(t.Name())),
	}
	listener, _, err := engine.Listen(t.Context(), docker, w.runID+"-registry", slog.New(slog.NewTextHandler(testLog{t}, nil)))
	must(t, err)
	t.Cleanup(func() { must(t, fargate.Cleanup(context.Background(), w.runID+"-registry")) })
	server := httptest.NewUnstartedServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	must(t, server.Listener.Close())
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	w.registry = listener.Addr().String()
	config := emulator.Config(w.endpoint, region)
	w.ecs, w.elb, w.logs = awsecs.NewFromConfig(config), elb.NewFromConfig(config), cloudwatchlogs.NewFromConfig(config)
	w.secrets = secretsmanager.NewFromConfig(config)
	must(t, fargate.Cleanup(t.Context(), w.runID)) // what a test run left that was killed
	w.declare()
	w.start()
	return w
}

func (w *world) start() {
	logger := slog.New(slog.NewTextHandler(testLog{w.t}, &slog.HandlerOptions{Level: slog.LevelInfo}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(w.t, err)
	port := ports.Hold(listener)
	w.t.Cleanup(func() { must(w.t, port.Close()) })
	w.balancer, err = alb.New(alb.Options{Endpoint: w.endpoint, Region: region, Ports: map[int]*ports.Port{80: port}, Logger: logger})
	must(w.t, err)
	w.instances = cloudmap.New(w.watched(), region, logger)
	scheduler, err := ecs.New(w.t.Context(), ecs.Options{
		Options: fargate.Options{
			RunID: w.runID, Endpoint: w.watched(), Region: region, Logger: logger, Secret: secrets.New(w.endpoint, region).Resolve,
		},
		LoadBalancer: w.balancer,
		Registry:     w.instances,
		SettleTime:   time.Second,
		Overlay: func(arn string) map[string]any {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.overlay[arn]
		},
		Restore: func(arn string, members map[string]any) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.overlay[arn] = members
		},
	})
	must(w.t, err)
	w.mu.Lock()
	w.scheduler = scheduler
	w.mu.Unlock()
	w.url = "http://" + port.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = cancel
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{w.balancer.Run, w.scheduler.Run} {
		running.Go(func() {
			if err := run(ctx); err != nil {
				w.t.Error(err)
			}
		})
	}
	w.t.Cleanup(func() {
		stop, done := context.WithTimeout(context.Background(), 20*time.Second)
		defer done()
		_ = w.scheduler.Stop(stop)
		cancel()
		running.Wait()
		must(w.t, fargate.Cleanup(context.Background(), w.runID))
		w.removeImages()
		w.t.Log("nothing is left of", w.runID)
	})
}

// watched is the emulator behind a proxy that fails the test if a request arrives while the scheduler holds its lock, for
// which every description of a service waits.
func (w *world) watched() string {
	emulator, err := url.Parse(w.endpoint)
	must(w.t, err)
	proxy := httputil.NewSingleHostReverseProxy(emulator)
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if scheduler := w.current(); scheduler != nil && !answers(scheduler) {
			w.t.Errorf("the scheduler holds its lock during %s", r.Header.Get("X-Amz-Target"))
		}
		if w.hides(r.Header.Get("X-Amz-Target"), string(body)) {
			out.WriteHeader(http.StatusInternalServerError)
			return
		}
		proxy.ServeHTTP(out, r)
	}))
	w.t.Cleanup(server.Close)
	return server.URL
}

func (w *world) current() *ecs.Scheduler {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.scheduler
}

func (w *world) hides(target, body string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.unreadable != "" && strings.HasSuffix(target, ".DescribeTaskDefinition") && strings.Contains(body, w.unreadable+":")
}

func (w *world) hide(family string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unreadable = family
}

// answers says whether the scheduler describes a service while the emulator waits.
func answers(scheduler *ecs.Scheduler) bool {
	described := make(chan struct{})
	go func() { scheduler.Service(""); close(described) }()
	select {
	case <-described:
		return true
	case <-time.After(3 * time.Second):
		return false
	}
}

// removeImages takes the images of this world's registry out of the engine.
func (w *world) removeImages() {
	all, err := w.docker.ImageList(context.Background(), image.ListOptions{Filters: filters.NewArgs(filters.Arg("reference", w.registry+"/*"))})
	must(w.t, err)
	for _, i := range all {
		for _, reference := range append(i.RepoTags, i.RepoDigests...) {
			// By name: another test may hold the same image under its own registry's name.
			if strings.HasPrefix(reference, w.registry) {
				_, _ = w.docker.ImageRemove(context.Background(), reference, image.RemoveOptions{})
			}
		}
	}
}

// testLog sends log lines to the test that caused them.
type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// declare makes what every test needs: network, load balancer, target group, listener, cluster, log group.
func (w *world) declare() {
	t, ctx := w.t, w.t.Context()
	vpc := w.ec2("CreateVpc", "vpcId", "CidrBlock", "10.1.0.0/16")
	w.subnet = w.ec2("CreateSubnet", "subnetId", "VpcId", vpc, "CidrBlock", "10.1.1.0/24", "AvailabilityZone", region+"a")
	other := w.ec2("CreateSubnet", "subnetId", "VpcId", vpc, "CidrBlock", "10.1.2.0/24", "AvailabilityZone", region+"b")
	balancer, err := w.elb.CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{Name: aws.String("web"), Subnets: []string{w.subnet, other}})
	must(t, err)
	group, err := w.elb.CreateTargetGroup(ctx, &elb.CreateTargetGroupInput{
		Name: aws.String("web"), Protocol: elbtypes.ProtocolEnumHttp, Port: aws.Int32(8080), VpcId: &vpc, TargetType: elbtypes.TargetTypeEnumIp,
		HealthCheckPath: aws.String("/health"), HealthCheckIntervalSeconds: aws.Int32(5), HealthCheckTimeoutSeconds: aws.Int32(2),
		HealthyThresholdCount: aws.Int32(2), UnhealthyThresholdCount: aws.Int32(2),
	})
	must(t, err)
	w.group = *group.TargetGroups[0].TargetGroupArn
	_, err = w.elb.ModifyTargetGroupAttributes(ctx, &elb.ModifyTargetGroupAttributesInput{TargetGroupArn: &w.group, Attributes: []elbtypes.TargetGroupAttribute{
		{Key: aws.String("deregistration_delay.timeout_seconds"), Value: aws.String("10")}}})
	must(t, err)
	_, err = w.elb.CreateListener(ctx, &elb.CreateListenerInput{
		LoadBalancerArn: balancer.LoadBalancers[0].LoadBalancerArn, Protocol: elbtypes.ProtocolEnumHttp, Port: aws.Int32(80),
		DefaultActions: []elbtypes.Action{{Type: elbtypes.ActionTypeEnumForward, ForwardConfig: &elbtypes.ForwardActionConfig{
			TargetGroups: []elbtypes.TargetGroupTuple{{TargetGroupArn: &w.group, Weight: aws.Int32(100)}}}}},
	})
	must(t, err)
	cluster, err := w.ecs.CreateCluster(ctx, &awsecs.CreateClusterInput{ClusterName: aws.String("web")})
	must(t, err)
	w.cluster = *cluster.Cluster.ClusterArn
	_, err = w.logs.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("/ecs/web")})
	must(t, err)
}

// ec2 makes one call of EC2's query protocol and returns one element of the answer.
func (w *world) ec2(action, element string, pairs ...string) string {
	form := "Action=" + action + "&Version=2016-11-15"
	for i := 0; i < len(pairs); i += 2 {
		form += "&" + pairs[i] + "=" + pairs[i+1]
	}
	request, err := http.NewRequest(http.MethodPost, w.endpoint, strings.NewReader(form))
	must(w.t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	emulator.Address(request, region, "ec2")
	response, err := http.DefaultClient.Do(request)
	must(w.t, err)
	body, _ := io.ReadAll(response.Body)
	_ = response.Body.Close()
	_, rest, ok := strings.Cut(string(body), "<"+element+">")
	value, _, _ := strings.Cut(rest, "<")
	if !ok {
		w.t.Fatalf("%s: %s", action, body)
	}
	return value
}

// secret makes a secret and returns its ARN.
func (w *world) secret(name, value string) string {
	made, err := w.secrets.CreateSecret(w.t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: &value})
	must(w.t, err)
	return *made.ARN
}

var buildApp = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "app")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "app"), "./testdata/app")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH)
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	return os.ReadFile(filepath.Join(dir, "app"))
})

// image pushes an image FROM scratch and returns its reference by digest.
func (w *world) image(adjust func(*v1.Config)) string {
	program, err := buildApp()
	must(w.t, err)
	layer := archive(program)
	content, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer)), nil })
	must(w.t, err)
	built, err := mutate.AppendLayers(empty.Image, content)
	must(w.t, err)
	file, err := built.ConfigFile()
	must(w.t, err)
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", runtime.GOARCH
	file.Config.Entrypoint = []string{"/app"}
	file.Config.Volumes = map[string]struct{}{"/declared": {}}
	if adjust != nil {
		adjust(&file.Config)
	}
	built, err = mutate.ConfigFile(built, file)
	must(w.t, err)
	tag, err := name.NewTag(w.registry + "/app:latest")
	must(w.t, err)
	must(w.t, remote.Write(tag, built))
	digest, err := built.Digest()
	must(w.t, err)
	return w.registry + "/app@" + digest.String()
}

// archive is a root file system: the program and two directories that anybody may write to.
func archive(program []byte) []byte {
	var layer bytes.Buffer
	out := tar.NewWriter(&layer)
	_ = out.WriteHeader(&tar.Header{Name: "app", Mode: 0o755, Size: int64(len(program))})
	_, _ = out.Write(program)
	// A file that is executable and no program.
	for _, dir := range []string{"declared", "plain"} {
		_ = out.WriteHeader(&tar.Header{Name: dir + "/", Typeflag: tar.TypeDir, Mode: 0o1777, Uid: 1000, Gid: 1000})
		_ = out.WriteHeader(&tar.Header{Name: dir + "/script", Mode: 0o755})
	}
	_ = out.Close()
	return layer.Bytes()
}

// web is a container that serves behind the load balancer.
func web(image, version string) types.ContainerDefinition {
	return types.ContainerDefinition{
		Name: aws.String("web"), Image: &image, Command: []string{"serve"}, User: aws.String("101:101"),
		ReadonlyRootFilesystem: aws.Bool(true), Essential: aws.Bool(true), StopTimeout: aws.Int32(10),
		PortMappings: []types.PortMapping{{ContainerPort: aws.Int32(8080)}},
		Environment: []types.KeyValuePair{
			{Name: aws.String("PORT"), Value: aws.String("8080")}, {Name: aws.String("VERSION"), Value: &version},
		},
		LogConfiguration: awslogs("/ecs/web"),
	}
}

// abrupt makes a server end on its stop signal whatever is in flight, so that only draining can save a request.
func abrupt(c types.ContainerDefinition) types.ContainerDefinition {
	c.Environment = append(c.Environment, types.KeyValuePair{Name: aws.String("ABRUPT"), Value: aws.String("1")})
	return c
}

func awslogs(group string) *types.LogConfiguration {
	return &types.LogConfiguration{LogDriver: types.LogDriverAwslogs, Options: map[string]string{
		"awslogs-group": group, "awslogs-region": region, "awslogs-stream-prefix": "web", "mode": "non-blocking", "max-buffer-size": "25m",
	}}
}

// register makes a task definition and returns its ARN.
func (w *world) register(volumes []string, containers ...types.ContainerDefinition) string {
	input := &awsecs.RegisterTaskDefinitionInput{
		Family: aws.String("web"), Cpu: aws.String("256"), Memory: aws.String("512"), NetworkMode: types.NetworkModeAwsvpc,
		RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate}, ContainerDefinitions: containers,
		RuntimePlatform: &types.RuntimePlatform{CpuArchitecture: map[string]types.CPUArchitecture{"amd64": types.CPUArchitectureX8664, "arm64": types.CPUArchitectureArm64}[runtime.GOARCH]},
	}
	for _, v := range volumes {
		input.Volumes = append(input.Volumes, types.Volume{Name: &v})
	}
	made, err := w.ecs.RegisterTaskDefinition(w.t.Context(), input)
	must(w.t, err)
	return *made.TaskDefinition.TaskDefinitionArn
}

// serve creates the service, behind the load balancer unless port is 0, and returns its ARN.
func (w *world) serve(taskDefinition string, desired int32, port int32) string {
	input := &awsecs.CreateServiceInput{
		Cluster: &w.cluster, ServiceName: aws.String("web"), TaskDefinition: &taskDefinition, DesiredCount: &desired, LaunchType: types.LaunchTypeFargate,
		NetworkConfiguration: &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{w.subnet}, SecurityGroups: []string{}}},
	}
	if port != 0 {
		input.LoadBalancers = []types.LoadBalancer{{TargetGroupArn: &w.group, ContainerName: aws.String("web"), ContainerPort: &port}}
	}
	return w.create(input)
}

// create creates a service and returns its ARN.
func (w *world) create(input *awsecs.CreateServiceInput) string {
	made, err := w.ecs.CreateService(w.t.Context(), input)
	must(w.t, err)
	arn := *made.Service.ServiceArn
	w.mu.Lock()
	w.overlay[arn] = map[string]any{"deploymentConfiguration": map[string]any{
		"maximumPercent": 200, "minimumHealthyPercent": 75, "deploymentCircuitBreaker": map[string]any{"enable": true, "rollback": true}}}
	w.mu.Unlock()
	must(w.t, w.scheduler.Sync(w.t.Context()))
	return arn
}

func (w *world) update(arn string, change func(*awsecs.UpdateServiceInput)) {
	input := &awsecs.UpdateServiceInput{Cluster: &w.cluster, Service: &arn}
	change(input)
	_, err := w.ecs.UpdateService(w.t.Context(), input)
	must(w.t, err)
	must(w.t, w.scheduler.Sync(w.t.Context()))
}

// until waits for a service's status to be as wanted.
func (w *world) until(arn, what string, limit time.Duration, is func(types.Service) bool) types.Service {
	w.t.Helper()
	began := time.Now()
	for {
		status, _ := w.scheduler.Service(arn)
		if is(status) {
			w.t.Logf("%s after %.1f s", what, time.Since(began).Seconds())
			return status
		}
		if time.Since(began) > limit {
			shown, _ := json.MarshalIndent(status, "", " ")
			tasks, _ := json.MarshalIndent(w.scheduler.Tasks(), "", " ")
			w.t.Fatalf("%s: not within %s\n%s\n%s", what, limit, shown, tasks)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (w *world) steady(arn string) types.Service {
	w.t.Helper()
	return w.until(arn, "steady", 40*time.Second, func(s types.Service) bool {
		return len(s.Deployments) == 1 && s.Deployments[0].RolloutState == "COMPLETED" && s.RunningCount == s.DesiredCount
	})
}

func (w *world) get(path string) (int, string) { return fetch(w.url + path) }

func fetch(url string) (int, string) {
	response, err := http.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(body)
}

// containers lists what Docker holds of this run.
func (w *world) containers() []container.Summary {
	all, err := w.docker.ContainerList(context.Background(), container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", "fargate-nginx-sidecar.run="+w.runID))})
	must(w.t, err)
	return all
}

func (w *world) volumes() []string {
	all, err := w.docker.VolumeList(context.Background(), volume.ListOptions{Filters: filters.NewArgs(filters.Arg("label", "fargate-nginx-sidecar.run="+w.runID))})
	must(w.t, err)
	var names []string
	for _, v := range all.Volumes {
		names = append(names, v.Name)
	}
	return names
}

func (w *world) networks() []string {
	all, err := w.docker.NetworkList(context.Background(), network.ListOptions{Filters: filters.NewArgs(filters.Arg("label", "fargate-nginx-sidecar.run="+w.runID))})
	must(w.t, err)
	var names []string
	for _, n := range all {
		names = append(names, n.Name)
	}
	return names
}

// exec runs a command in a container and fails when the command does.
func (w *world) exec(id string, command ...string) (string, error) {
	created, err := w.docker.ContainerExecCreate(w.t.Context(), id, container.ExecOptions{Cmd: command, AttachStdout: true, AttachStderr: true})
	if err != nil {
		return "", err
	}
	stream, err := w.docker.ContainerExecAttach(w.t.Context(), created.ID, container.ExecAttachOptions{})
	if err != nil {
		return "", err
	}
	defer stream.Close()
	out, _ := io.ReadAll(stream.Reader)
	found, err := w.docker.ContainerExecInspect(w.t.Context(), created.ID)
	if err == nil && found.ExitCode != 0 {
		err = fmt.Errorf("%v: exit code %d", command, found.ExitCode)
	}
	return string(out), err
}
