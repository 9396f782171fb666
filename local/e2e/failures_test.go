package e2e_test

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fargate-nginx-sidecar/infra/deployment"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

var updateTroubleshooting = flag.Bool("update", false, "write the table of docs/troubleshooting.md from this run")

// failing is a way in which a first deployment fails, and what the explanation must name.
type failing struct {
	title, name string
	// What the program is given, as settings and, with command and variables, in the app's container.
	command       []string
	variables     map[string]string
	settings      string // more of the app's
	deployment    string // those of the deployment
	cause, remedy string
	// source is the page on which AWS documents a reason that one machine cannot produce.
	source string
}

const awsDocs = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/"

// way is a case whose app fails by itself, as testdata/failing/main.js describes under its name.
func way(title, name, cause, remedy string) failing {
	return failing{title: title, name: name, command: []string{"node", "main.js", name}, cause: cause, remedy: remedy}
}

// inAWS is a case that only AWS itself produces: the local ECS stops the task with the reason that AWS documents.
func inAWS(title, name, reason, source, cause, remedy string) failing {
	return failing{title: title, name: name, variables: map[string]string{"LOCAL_STOP_REASON": reason}, cause: cause, remedy: remedy, source: awsDocs + source}
}

var healthyApp = []string{"node", "main.js", "healthy"}

const noSecret = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "

var failings = []failing{
	way("Another port", "wrong-port", "it listens on 127.0.0.1:8000", "set app.port: 8000"),
	way("Another address", "wrong-address", "(connection refused); it listens on ", "HOSTNAME: 127.0.0.1"),
	way("Only IPv6", "only-ipv6", "an address that its task does not have", "let the app listen on 127.0.0.1"),
	way("A slow start", "slow-start", "nothing but NGINX listens", "app.startTime"),
	way("404 on the health path", "not-found", "status 404", "set app.health"),
	way("The Host is refused", "host-refused", "status 400 for Host localhost", "ALLOWED_HOSTS"),
	way("The health path needs a login", "login", "status 401", "needs no login"),
	way("500 on the health path", "error", "status 500", "the app's lines say why"),
	way("The app does not answer", "hangs", "no answer within", "within 2 s"),
	way("The app does not speak HTTP", "no-http", "does not speak HTTP", "plain HTTP"),
	way("The app expects TLS", "tls", "does not speak HTTP", "TLS for clients ends at the load balancer"),
	way("A port below 1024", "low-port", "port below 1024", "listen on 3000"),
	way("A crash", "crash", "ended with exit code 1", "correct the app"),
	way("A missing variable", "missing-variable", "misses the variable DATABASE_URL", "DATABASE_URL"),
	way("A file in the read-only root", "read-only", "writes to /app", "app.writablePaths: [/app"),
	way("A directory in the read-only root", "read-only-directory", "writes to /app/.next", "app.writablePaths: [/app/.next]"),
	way("No directory for temporary files", "no-temporary", "no directory for temporary files", "app.writablePaths: [/tmp]"),
	way("A file of another user", "wrong-user", "may not use /app/secret.key", "app.user"),
	way("The port is taken", "port-taken", "is taken", "http.port"),
	way("A service out of reach", "database", "cannot reach another service", "network.ports"),
	way("The app ends by itself", "job", "ended by itself without an error", "app.command"),
	way("A crash of a native library", "segfault", "SIGSEGV", "native library"),
	way("Too little memory", "memory", "out of memory", "task.memory"),
	{title: "The command is missing", name: "command-not-found", command: []string{"gunicorn", "shop"}, cause: "not found", remedy: "app.command"},
	{title: "The command cannot be executed", name: "command-not-executable", command: []string{"/app/not-executable"}, cause: "cannot be executed", remedy: "chmod +x"},
	{title: "Another processor", name: "wrong-architecture", command: []string{"/app/foreign"}, cause: "the tasks' processor", remedy: "task.architecture"},
	{title: "The health command is missing", name: "health-command-missing", command: healthyApp, settings: "healthCommand: [CMD, curl, localhost]",
		cause: "own health command fails: CMD curl localhost", remedy: "app.health"},
	{title: "The migration fails", name: "migration-fails", command: healthyApp, deployment: "command: [node, main.js, missing-variable]",
		cause: `deployment.command ["node", "main.js", "missing-variable"]: the app misses the variable DATABASE_URL`, remedy: "app.environment: {DATABASE_URL: …}"},
	inAWS("The secret is missing", "secret-missing", noSecret+"ResourceNotFoundException: Secrets Manager can't find the specified secret.", "resource-initialization-error.html", "does not exist", "create it"),
	inAWS("No right to read the secret", "no-rights-for-a-secret", noSecret+"AccessDeniedException: User is not authorized to perform: kms:Decrypt", "resource-initialization-error.html", "may not read a secret", "storage.kmsKey"),
	inAWS("The secret lacks the JSON key", "no-json-key", noSecret+"retrieved secret from Secrets Manager did not contain json key password", "resource-initialization-error.html", "no such JSON key", "behind #"),
	inAWS("No route to ECR", "no-route-to-ecr", "CannotPullContainerError: ref pull has been retried 5 time(s): dial tcp 3.122.1.1:443: i/o timeout", "task_cannot_pull_image.html", "cannot reach the registry", "NAT"),
	inAWS("The image is gone", "image-gone", "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref 123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop:1: not found",
		"task_cannot_pull_image.html", "does not exist", "app.image"),
	inAWS("The quota is used up", "quota", "unable to place a task. Reason: You've reached the limit on the number of vCPUs you can run concurrently.",
		"service-event-messages-list.html", "quota of Fargate vCPUs", "Service Quotas"),
	inAWS("The file system is out of reach", "no-mount", "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: mount.nfs4: Connection timed out",
		"resource-initialization-error.html", "file system of app.volumes", "2049"),
}

// few are the cases where FAILURES names none: one of each kind of evidence.
const few = "read-only-directory,command-not-found,quota"

// failStack is a stack whose tasks fail soon: three at once, each after one failed check.
const failStack = "fail"

// stackFile is the stack's, with the settings of a case.
func (f failing) stackFile() string {
	all := "config:\n  aws:region: eu-central-1\n  fargate-nginx-sidecar:scale: {min: 3}\n" +
		"  fargate-nginx-sidecar:task: {cpu: 256, memory: 512, stopTimeout: 10s}\n"
	if f.deployment != "" {
		all += "  fargate-nginx-sidecar:deployment: {" + f.deployment + "}\n"
	}

	return all + "  fargate-nginx-sidecar:app: {context: local/e2e/testdata/failing, startTime: 0s, " + f.app() + "}\n"
}

// app are the app's settings of a case, on one line.
func (f failing) app() string {
	var all []string
	if f.command != nil {
		all = append(all, "command: ["+strings.Join(f.command, ", ")+"]")
	}
	if f.settings != "" {
		all = append(all, f.settings)
	}

	return strings.Join(all, ", ")
}

// needsEngine reports whether a case has settings of which more follows than a command and variables of the app.
func (f failing) needsEngine() bool { return f.settings != "" || f.deployment != "" }

// explained is what the user reads, from the first line of the explanation to its last.
var explained = regexp.MustCompile(`(?ms)service web: [^\n]*\nRemedy: .*?(?:pulumi up|has not been changed)$`)

// failedAfter is the time of a deployment, in its explanation.
var failedAfter = regexp.MustCompile(`The deployment failed after (\w+),`)

// indentation is the engine's.
var indentation = regexp.MustCompile(`(?m)^    `)

// TestEveryFailureOfAFirstDeploymentNamesItsCauseAndItsRemedy runs the first case, and those that need it, with make local and
// pulumi up. The others are services of their own beside it, with the first one's task definition but for the app's command and
// variables: the program's own code waits for them and explains why they fail.
func TestEveryFailureOfAFirstDeploymentNamesItsCauseAndItsRemedy(t *testing.T) {
	c := newCheckout(t)
	t.Cleanup(func() { _, _ = c.try(t, "down") })
	wanted := cmp.Or(os.Getenv("FAILURES"), few)
	skips := func(f failing) bool { return wanted != "all" && !slices.Contains(strings.Split(wanted, ","), f.name) }
	first := failings[0]
	t.Run(first.name, func(t *testing.T) {
		c.configureFailing(t, first)
		begun := time.Now()
		output, err := c.try(t, "up", "--stack", failStack)
		first.judge(t, indentation.ReplaceAllString(output, ""), err, time.Since(begun))
	})
	t.Run("services", func(t *testing.T) {
		original, places := c.original(t), make(chan struct{}, atOnce)
		for _, f := range failings[1:] {
			if skips(f) || f.needsEngine() {
				continue
			}
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				places <- struct{}{}
				defer func() { <-places }()
				begun := time.Now()
				err := original.deploy(t, f)
				f.judge(t, fmt.Sprint(err), err, time.Since(begun))
			})
		}
	})
	for _, f := range failings[1:] {
		if skips(f) || !f.needsEngine() {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			c.configureFailing(t, f)
			begun := time.Now()
			output, err := c.shell(t, "pulumi up --yes --skip-preview --suppress-progress 2>&1")
			f.judge(t, indentation.ReplaceAllString(output, ""), err, time.Since(begun))
		})
	}
}

// atOnce is how many services fail side by side.
const atOnce = 3

func (c *checkout) configureFailing(t *testing.T, f failing) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(c.root, "Pulumi."+failStack+".yaml"), []byte(f.stackFile()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// judge looks for the explanation in what a deployment printed, and at what it names.
func (f failing) judge(t *testing.T, output string, err error, lasted time.Duration) {
	t.Helper()
	took := lasted.Round(time.Second)
	text := explained.FindString(output)
	if err == nil || text == "" {
		t.Fatalf("the deploy ends after %s without an explanation: %v\n%s", took, err, output)
	}
	lines := strings.Count(text, "\n") + 1
	if !strings.Contains(text, f.cause) || !strings.Contains(text, f.remedy) || lines >= 15 {
		t.Fatalf("after %s: %d lines, without %q or %q:\n%s", took, lines, f.cause, f.remedy, text)
	}
	t.Logf("after %s:\n%s", took, text)
	if *updateTroubleshooting {
		after := took.String()
		if of := failedAfter.FindStringSubmatch(text); of != nil && f.source == "" { // without what came before the deployment
			after = of[1]
		}
		write(t, explanation{f.title, after, f.origin(), text})
	}
}

// original is the service that the program has made, from which those of the other cases are copied.
type original struct {
	clients    deployment.Clients
	ecs        *ecs.Client
	region     string
	service    types.Service
	definition types.TaskDefinition
}

func (c *checkout) original(t *testing.T) original {
	t.Helper()
	at := c.cloud(t)
	cluster := one(t, "cluster", must[*ecs.ListClustersOutput](t)(at.ecs.ListClusters(t.Context(), &ecs.ListClustersInput{})).ClusterArns)
	services := must[*ecs.ListServicesOutput](t)(at.ecs.ListServices(t.Context(), &ecs.ListServicesInput{Cluster: &cluster})).ServiceArns
	described := must[*ecs.DescribeServicesOutput](t)(at.ecs.DescribeServices(t.Context(), &ecs.DescribeServicesInput{Cluster: &cluster, Services: services}))
	service := one(t, "service", slices.DeleteFunc(described.Services, func(s types.Service) bool { return *s.Status != "ACTIVE" }))
	definition := must[*ecs.DescribeTaskDefinitionOutput](t)(at.ecs.DescribeTaskDefinition(t.Context(), &ecs.DescribeTaskDefinitionInput{TaskDefinition: service.TaskDefinition}))

	return original{
		clients: deployment.Clients{ECS: at.ecs, Logs: at.logs}, ecs: at.ecs, region: c.current(t).Region,
		service: service, definition: *definition.TaskDefinition,
	}
}

// deploy makes a service that fails as a case says, and returns what the program says of it.
func (o original) deploy(t *testing.T, f failing) error {
	t.Helper()
	name, definition := "web-"+f.name, o.register(t, f)
	_, err := o.ecs.CreateService(t.Context(), &ecs.CreateServiceInput{
		ServiceName: &name, TaskDefinition: &definition, Cluster: o.service.ClusterArn, DesiredCount: aws.Int32(o.service.DesiredCount),
		NetworkConfiguration: o.service.NetworkConfiguration, LoadBalancers: o.service.LoadBalancers,
		LaunchType: o.service.LaunchType, CapacityProviderStrategy: o.service.CapacityProviderStrategy,
		DeploymentConfiguration: o.service.DeploymentConfiguration, HealthCheckGracePeriodSeconds: o.service.HealthCheckGracePeriodSeconds,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		_, _ = o.ecs.DeleteService(context.WithoutCancel(t.Context()), &ecs.DeleteServiceInput{Cluster: o.service.ClusterArn, Service: &name, Force: aws.Bool(true)})
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	rollout := deployment.Rollout{
		Clients: o.clients, Cluster: path.Base(*o.service.ClusterArn), Service: name, Region: o.region,
		Requested: deployment.Revision{TaskDefinition: definition, Network: *o.service.NetworkConfiguration.AwsvpcConfiguration},
	}

	return deployment.In("web", rollout.Await(ctx))
}

// register makes the task definition of a case and returns its ARN.
func (o original) register(t *testing.T, f failing) string {
	t.Helper()
	containers := slices.Clone(o.definition.ContainerDefinitions)
	for i := range containers {
		if *containers[i].Name != "app" {
			continue
		}
		containers[i].Command = f.command
		containers[i].Environment = slices.Clone(containers[i].Environment)
		for name, value := range f.variables {
			containers[i].Environment = append(containers[i].Environment, types.KeyValuePair{Name: &name, Value: &value})
		}
	}
	d := o.definition
	registered := must[*ecs.RegisterTaskDefinitionOutput](t)(o.ecs.RegisterTaskDefinition(t.Context(), &ecs.RegisterTaskDefinitionInput{
		Family: aws.String("web-" + f.name), ContainerDefinitions: containers, Volumes: d.Volumes, NetworkMode: d.NetworkMode,
		Cpu: d.Cpu, Memory: d.Memory, ExecutionRoleArn: d.ExecutionRoleArn, TaskRoleArn: d.TaskRoleArn,
		RequiresCompatibilities: d.RequiresCompatibilities, RuntimePlatform: d.RuntimePlatform,
	}))

	return *registered.TaskDefinition.TaskDefinitionArn
}

// origin says how a case was produced.
func (f failing) origin() string {
	if f.source != "" { // its variable only makes the local ECS give the reason
		return "given by the local ECS as [AWS documents it](" + f.source + ")"
	}
	settings := "with `app: {" + f.app() + "}`"
	if f.deployment != "" {
		settings += " and `deployment: {" + f.deployment + "}`"
	}

	return "on the local stack, " + settings
}

// explanation is a case's part of docs/troubleshooting.md: the text that ended the deploy, and after how long.
type explanation struct{ title, took, origin, text string }

func (e explanation) section() string {
	return fmt.Sprintf("## %s\n\nAfter %s, %s:\n\n```\n%s\n```\n\n", e.title, e.took, e.origin, e.text)
}

// row is its line of the table.
func (e explanation) row() string {
	lines := strings.Split(e.text, "\n")
	remedy := strings.TrimPrefix(lines[1], "Remedy: ")

	return fmt.Sprintf("| [%s](#%s) | %s | %s | %d | %s |\n", e.title, strings.ToLower(strings.ReplaceAll(e.title, " ", "-")),
		cell(strings.TrimPrefix(lines[0], "service web: ")), cell(remedy), len(lines), e.took)
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// anExplanation reads a section back.
var anExplanation = regexp.MustCompile("(?s)## ([^\n]+)\n\nAfter ([^,]+), ([^\n]+):\n\n```\n(.*?)\n```\n")

const (
	tableBegins = "<!-- begin failures -->\n"
	tableEnds   = "<!-- end failures -->\n"
)

// writing lets one case after the other write the document.
var writing sync.Mutex

// write puts a case into the document, between the two comments. The others stay as they are there.
func write(t *testing.T, ran explanation) {
	t.Helper()
	writing.Lock()
	defer writing.Unlock()
	file := filepath.Join("..", "..", "docs", "troubleshooting.md")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(content), tableBegins)
	written, after, found := strings.Cut(rest, tableEnds)
	if !found {
		t.Fatalf("%s has no %q … %q", file, tableBegins, tableEnds)
	}
	cases := []explanation{ran}
	for _, one := range anExplanation.FindAllStringSubmatch(written, -1) {
		cases = append(cases, explanation{one[1], one[2], one[3], one[4]})
	}
	table, sections := "\n| What is wrong | Cause, as the text names it | Remedy | Lines | Ended after |\n|---|---|---|---:|---:|\n", ""
	for _, f := range failings {
		if i := slices.IndexFunc(cases, func(e explanation) bool { return e.title == f.title }); i >= 0 {
			table += cases[i].row()
			sections += cases[i].section()
		}
	}
	if err := os.WriteFile(file, []byte(before+tableBegins+table+"\n"+sections+tableEnds+after), 0o644); err != nil { //nolint:gosec // a document
		t.Fatal(err)
	}
}
