// Package faults makes a deployed stack suffer and counts what its clients lose: deploys under load, deploys that cannot
// work, containers that are killed while they serve, and a long time of good and bad traffic. The stack is a local run of
// the unchanged program, in a copy of this checkout.
//
// What it finds is docs/reliability.md. It judges lost requests and the time until all is well again, never the speed of
// answers: the machine may be busy with other things.
package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"fargate-nginx-sidecar/local/cloud/emulator"
	"fargate-nginx-sidecar/local/cloud/run"
	"fargate-nginx-sidecar/local/trial"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// stackName is the environment that the copy of the checkout gets a file for.
const stackName = "faults"

// stackFile leaves what this package measures at its defaults: health checks, grace period, deregistration delay, stop
// timeout, circuit breaker. The rest is what makes the stack small.
const stackFile = `config:
  aws:region: eu-central-1
  fargate-nginx-sidecar:profile: dev
  fargate-nginx-sidecar:task: {cpu: 256, memory: 512}
  fargate-nginx-sidecar:network: {kind: low-cost}
  fargate-nginx-sidecar:monitoring: {containerInsights: false}
`

// tasks is how many the stack runs: the default of scale.min.
const tasks = 2

// upLimit bounds one deploy. The slowest here fail after about three minutes.
const upLimit = 10 * time.Minute

// Options of a Lab.
type Options struct {
	Root string // the checkout
	Port int    // of the load balancer on 127.0.0.1; 0 is any free one
	Seed uint64 // decides which requests are sent, and which task is hit
	Log  io.Writer
}

// Lab is a running stack that may be broken.
type Lab struct {
	options Options
	work    string // holds all that follows
	root    string // the copy of the checkout
	driver  string
	images  *images
	random  *rand.Rand
	// base are the settings of a good deploy. The image of the app comes with each.
	base map[string]string
}

// Open starts a stack. The caller must close it, whatever happens.
func Open(ctx context.Context, options Options) (*Lab, error) {
	work, err := os.MkdirTemp("", "faults-")
	if err != nil {
		return nil, err
	}
	l := &Lab{
		options: options, work: work, root: filepath.Join(work, "checkout"), driver: filepath.Join(work, "local"),
		random: rand.New(rand.NewPCG(options.Seed, 0)), //nolint:gosec // the same faults for the same seed
	}
	if err := l.start(ctx); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Lab) start(ctx context.Context) error {
	if l.options.Port == 0 {
		var err error
		if l.options.Port, err = trial.FreePort(); err != nil {
			return err
		}
	}
	if err := l.copyCheckout(); err != nil {
		return err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", l.driver, ".")
	build.Dir = filepath.Join(l.options.Root, "local")
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build of the local run: %w\n%s", err, output)
	}
	var err error
	if l.images, err = newImages(ctx, l.options.Root, l.work); err != nil {
		return err
	}
	sidecar, err := l.images.sidecar(ctx)
	if err != nil {
		return err
	}
	l.base = map[string]string{"http.image": sidecar}
	l.say("starting the stack on port %d", l.options.Port)
	return l.deploy(ctx)
}

// Close takes the stack down and removes everything.
func (l *Lab) Close() error {
	var failed []error
	if l.images != nil {
		l.say("taking the stack down")
		if output, err := l.local(context.Background(), "down"); err != nil {
			failed = append(failed, fmt.Errorf("local down: %w\n%s", err, output))
		}
		failed = append(failed, l.images.remove(), l.images.close())
	}
	return errors.Join(append(failed, os.RemoveAll(l.work))...)
}

func (l *Lab) say(format string, args ...any) {
	_, _ = fmt.Fprintf(l.options.Log, time.Now().Format(time.TimeOnly)+"  "+format+"\n", args...)
}

func (l *Lab) copyCheckout() error {
	if err := trial.Copy(l.options.Root, l.root); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(l.root, "Pulumi."+stackName+".yaml"), []byte(stackFile), 0o644)
}

func (l *Lab) url() string { return "http://127.0.0.1:" + strconv.Itoa(l.options.Port) }

// local runs a command of the local run and returns what it printed.
func (l *Lab) local(ctx context.Context, arguments ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, upLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, l.driver, append([]string{"--root", l.root}, arguments...)...)
	cmd.Env = append(os.Environ(), "LOCAL_PORT="+strconv.Itoa(l.options.Port))
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = time.Minute
	output, err := cmd.CombinedOutput()
	return string(output), err
}

// up deploys with the base's settings and others, and returns what was printed.
func (l *Lab) up(ctx context.Context, others map[string]string) (string, error) {
	settings := maps.Clone(l.base)
	maps.Copy(settings, others)
	arguments := []string{"up", "--stack", stackName}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		arguments = append(arguments, "--set", name+"="+settings[name])
	}
	return l.local(ctx, arguments...)
}

// deploy deploys the next revision of the app, which must succeed.
func (l *Lab) deploy(ctx context.Context) error {
	app, err := l.images.app(ctx, "")
	if err != nil {
		return err
	}
	l.base["app.image"] = app
	if output, err := l.up(ctx, nil); err != nil {
		return fmt.Errorf("local up: %w\n%s", err, output)
	}
	return nil
}

// cloud reads the emulator as anybody with the AWS API would.
type cloud struct {
	ecs *ecs.Client
	elb *elasticloadbalancingv2.Client
}

func (l *Lab) cloud() (cloud, error) {
	current, err := run.Load(run.Dir(l.root))
	if err != nil {
		return cloud{}, err
	}
	config := emulator.Config(current.Endpoint, current.Region)
	return cloud{ecs.NewFromConfig(config), elasticloadbalancingv2.NewFromConfig(config)}, nil
}

// running returns the tasks of the stack that are RUNNING and not being stopped, oldest first.
func (l *Lab) running(ctx context.Context) ([]types.Task, error) {
	c, err := l.cloud()
	if err != nil {
		return nil, err
	}
	clusters, err := c.ecs.ListClusters(ctx, &ecs.ListClustersInput{})
	if err != nil {
		return nil, err
	}
	var found []types.Task
	for _, cluster := range clusters.ClusterArns {
		listed, err := c.ecs.ListTasks(ctx, &ecs.ListTasksInput{Cluster: &cluster})
		if err != nil {
			return nil, err
		}
		if len(listed.TaskArns) == 0 {
			continue
		}
		described, err := c.ecs.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: &cluster, Tasks: listed.TaskArns})
		if err != nil {
			return nil, err
		}
		for _, task := range described.Tasks {
			if aws.ToString(task.LastStatus) == "RUNNING" {
				found = append(found, task)
			}
		}
	}
	slices.SortFunc(found, func(a, b types.Task) int { return a.CreatedAt.Compare(*b.CreatedAt) })
	return found, nil
}

// healthy counts the targets to which the load balancer sends requests.
func (l *Lab) healthy(ctx context.Context) (int, error) {
	c, err := l.cloud()
	if err != nil {
		return 0, err
	}
	groups, err := c.elb.DescribeTargetGroups(ctx, &elasticloadbalancingv2.DescribeTargetGroupsInput{})
	if err != nil {
		return 0, err
	}
	n := 0
	for _, group := range groups.TargetGroups {
		health, err := c.elb.DescribeTargetHealth(ctx, &elasticloadbalancingv2.DescribeTargetHealthInput{TargetGroupArn: group.TargetGroupArn})
		if err != nil {
			return 0, err
		}
		for _, target := range health.TargetHealthDescriptions {
			if target.TargetHealth.State == elbtypes.TargetHealthStateEnumHealthy {
				n++
			}
		}
	}
	return n, nil
}

// whole reports whether as many tasks serve as should, without some.
func (l *Lab) whole(ctx context.Context, without ...string) (bool, error) {
	found, err := l.running(ctx)
	if err != nil || len(found) != tasks || slices.ContainsFunc(found, func(t types.Task) bool { return slices.Contains(without, taskID(t)) }) {
		return false, err
	}
	healthy, err := l.healthy(ctx)
	return healthy == tasks, err
}

// recoveryLimit bounds the wait for a stack that is whole again.
const recoveryLimit = 4 * time.Minute

// awaitWhole returns when all tasks serve.
func (l *Lab) awaitWhole(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, recoveryLimit)
	defer cancel()
	for {
		if ok, err := l.whole(ctx); ok || err != nil && ctx.Err() == nil {
			return err
		}
		if err := pause(ctx, 250*time.Millisecond); err != nil {
			return fmt.Errorf("not all tasks serve again within %s", recoveryLimit)
		}
	}
}

// stillRun returns an error unless all of the tasks run. On a machine that is too busy, health checks of healthy tasks fail, and
// then nothing that was counted says anything.
func (l *Lab) stillRun(ctx context.Context, before []types.Task) error {
	now, err := l.running(ctx)
	if err != nil {
		return err
	}
	for _, task := range before {
		if !slices.ContainsFunc(now, func(t types.Task) bool { return taskID(t) == taskID(task) }) {
			return fmt.Errorf("task %s of the old revision no longer runs; is this machine too busy for its health checks?", taskID(task))
		}
	}
	return nil
}

// pause waits, or ends with the context.
func pause(ctx context.Context, long time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(long):
		return nil
	}
}

func taskID(task types.Task) string { return path.Base(aws.ToString(task.TaskArn)) }

// What the local run writes on containers.
const (
	labelRun       = "fargate-nginx-sidecar.run"
	labelTask      = "fargate-nginx-sidecar.task"
	labelContainer = "fargate-nginx-sidecar.container"
)

// container is the Docker container of that name in a task.
func (l *Lab) container(ctx context.Context, task types.Task, name string) (string, error) {
	found, err := l.containers(ctx, labelTask+"="+taskID(task), labelContainer+"="+name)
	if err != nil || len(found) != 1 {
		return "", errors.Join(err, fmt.Errorf("task %s: %d containers %s; want one", taskID(task), len(found), name))
	}
	return found[0], nil
}

// containers are those of the run with some labels.
func (l *Lab) containers(ctx context.Context, labels ...string) ([]string, error) {
	current, err := run.Load(run.Dir(l.root))
	if err != nil {
		return nil, err
	}
	arguments := []string{"ps", "--quiet", "--no-trunc"}
	for _, label := range append([]string{labelRun + "=" + current.ID}, labels...) {
		arguments = append(arguments, "--filter", "label="+label)
	}
	output, err := command(ctx, "docker", arguments...)
	return strings.Fields(output), err
}
