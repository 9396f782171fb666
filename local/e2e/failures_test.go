package e2e_test

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var updateTroubleshooting = flag.Bool("update", false, "write the table of docs/troubleshooting.md from this run")

// failing is a way in which a first deployment fails, and what the explanation must name.
type failing struct {
	name          string
	app           string // its settings
	deployment    string // those of the deployment
	cause, remedy string
	// reason is AWS's own stop reason for what cannot happen on one machine, and source the page that documents it.
	reason, source string
}

const awsDocs = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/"

// way is a case whose app fails by itself, as testdata/failing/main.js describes under its name.
func way(name, cause, remedy string) failing {
	return failing{name: name, app: "command: [node, main.js, " + name + "]", cause: cause, remedy: remedy}
}

// inAWS is a case that only AWS itself produces: the local ECS stops the task with the reason that AWS documents.
func inAWS(name, reason, source, cause, remedy string) failing {
	return failing{
		name: name, app: fmt.Sprintf("environment: {LOCAL_STOP_REASON: %q}", reason), cause: cause, remedy: remedy,
		reason: reason, source: awsDocs + source,
	}
}

const noSecret = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "

var failings = []failing{
	way("wrong-port", "it listens on 127.0.0.1:8000", "set app.port: 8000"),
	way("wrong-address", "it listens on 10.", "HOSTNAME: 127.0.0.1"),
	way("only-ipv6", "it listens on [::1]:3000", "let the app listen on 127.0.0.1"),
	way("slow-start", "nothing but NGINX listens", "app.startTime"),
	way("not-found", "status 404", "set app.health"),
	way("host-refused", "status 400 for Host localhost", "ALLOWED_HOSTS"),
	way("login", "status 401", "needs no login"),
	way("error", "status 500", "the app's lines say why"),
	way("hangs", "no answer within", "within 2 s"),
	way("no-http", "does not speak HTTP", "plain HTTP"),
	way("tls", "does not speak HTTP", "TLS for clients ends at the load balancer"),
	way("low-port", "it listens on 127.0.0.1:80", "listen on 3000, the port in its variable PORT"),
	way("crash", "ended with exit code 1", "correct the app"),
	way("missing-variable", "misses the variable DATABASE_URL", "DATABASE_URL"),
	way("read-only", "writes to /app", "app.writablePaths: [/app"),
	way("read-only-directory", "writes to /app/.next", "app.writablePaths: [/app/.next]"),
	way("no-temporary", "no directory for temporary files", "app.writablePaths: [/tmp]"),
	way("wrong-user", "may not use /app/secret.key", "app.user"),
	way("port-taken", "is taken", "http.port"),
	way("database", "cannot reach another service", "network.ports"),
	way("job", "ended by itself without an error", "app.command"),
	way("segfault", "SIGSEGV", "native library"),
	way("memory", "out of memory", "task.memory"),
	{name: "command-not-found", app: "command: [gunicorn, shop]", cause: "not found", remedy: "app.command"},
	{name: "command-not-executable", app: "command: [/app/not-executable]", cause: "cannot be executed", remedy: "chmod +x"},
	{name: "wrong-architecture", app: "command: [/app/foreign]", cause: "the tasks' processor", remedy: "task.architecture"},
	{name: "health-command-missing", app: "command: [node, main.js, healthy], healthCommand: [CMD, curl, localhost]",
		cause: "own health command fails: CMD curl localhost", remedy: "app.health"},
	{name: "migration-fails", app: "command: [node, main.js, healthy]", deployment: "command: [node, main.js, missing-variable]", cause: "exit code 1"},
	inAWS("secret-missing", noSecret+"ResourceNotFoundException: Secrets Manager can't find the specified secret.", "resource-initialization-error.html", "does not exist", "create it"),
	inAWS("no-rights-for-a-secret", noSecret+"AccessDeniedException: User is not authorized to perform: kms:Decrypt", "resource-initialization-error.html", "may not read the secret", "storage.kmsKey"),
	inAWS("no-json-key", noSecret+"retrieved secret from Secrets Manager did not contain json key password", "resource-initialization-error.html", "no such JSON key", "behind #"),
	inAWS("no-route-to-ecr", "CannotPullContainerError: ref pull has been retried 5 time(s): dial tcp 3.122.1.1:443: i/o timeout", "task_cannot_pull_image.html", "cannot reach the registry", "NAT"),
	inAWS("image-gone", "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref 123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop:1: not found",
		"task_cannot_pull_image.html", "does not exist", "app.image"),
	inAWS("quota", "unable to place a task. Reason: You've reached the limit on the number of vCPUs you can run concurrently.",
		"service-event-messages-list.html", "quota of Fargate vCPUs", "Service Quotas"),
	inAWS("no-mount", "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: mount.nfs4: Connection timed out",
		"resource-initialization-error.html", "file system of volumes", "2049"),
}

// few are the cases where FAILURES names none: one of each kind of evidence.
const few = "wrong-port,read-only-directory,command-not-found"

// failStack is a guest of the owner's load balancer, so that a case has no load balancer to wait for. Its tasks fail soon: three at
// once, each after one failed check.
const failStack = "fail"

// settings are those of the stack file, after the guest's.
func (f failing) settings() string {
	all := "  fargate-nginx-sidecar:scale: {min: 3}\n"
	if f.deployment != "" {
		all += "  fargate-nginx-sidecar:deployment: {" + f.deployment + "}\n"
	}

	return all + "  fargate-nginx-sidecar:app: {context: local/e2e/testdata/failing, startTime: 0s, " + f.app + "}\n"
}

// explained is what the user reads, from the first line of the explanation to its last.
var explained = regexp.MustCompile(`(?ms)service web: .*?(?:pulumi up|has not been changed)$`)

// indentation is the engine's.
var indentation = regexp.MustCompile(`(?m)^    `)

func TestEveryFailureOfAFirstDeploymentNamesItsCauseAndItsRemedy(t *testing.T) {
	c := newCheckout(t)
	t.Cleanup(func() { _, _ = c.try(t, "down") })
	c.local(t, "up", "--stack", ownerStack)
	guest, err := os.ReadFile(filepath.Join("testdata", "Pulumi."+guestStack+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	wanted := cmp.Or(os.Getenv("FAILURES"), few)
	deploy := func() (string, error) { return c.try(t, "up", "--stack", failStack) }
	for _, f := range failings {
		if wanted != "all" && !slices.Contains(strings.Split(wanted, ","), f.name) {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			settings := strings.Replace(string(guest), "memory: 512}", "memory: 512, stopTimeout: 5s}", 1) + f.settings()
			if err := os.WriteFile(filepath.Join(c.root, "Pulumi."+failStack+".yaml"), []byte(settings), 0o600); err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			output, err := deploy()
			took := time.Since(begun).Round(time.Second)
			text := indentation.ReplaceAllString(explained.FindString(output), "")
			if err == nil || text == "" {
				t.Fatalf("the deploy ends after %s without an explanation: %v\n%s", took, err, output)
			}
			lines := strings.Count(text, "\n") + 1
			if !strings.Contains(text, f.cause) || !strings.Contains(text, f.remedy) || lines >= 15 {
				t.Fatalf("after %s: %d lines, without %q or %q:\n%s", took, lines, f.cause, f.remedy, text)
			}
			t.Logf("after %s:\n%s", took, text)
			if *updateTroubleshooting {
				write(t, explanation{f.title(), took.String(), f.origin(), text})
			}
		})
		// Only the first one is made by make local, which leaves what a shell needs; the others spare its look at the tools.
		deploy = func() (string, error) { return c.shell(t, "pulumi up --yes --skip-preview --suppress-progress 2>&1") }
	}
}

func (f failing) title() string {
	title := strings.ReplaceAll(f.name, "-", " ")

	return strings.ToUpper(title[:1]) + title[1:]
}

// origin says how a case was produced.
func (f failing) origin() string {
	if f.reason != "" { // its settings only make the local ECS give the reason
		return "given by the local ECS as [AWS documents it](" + f.source + ")"
	}
	settings := "with `app: {" + f.app + "}`"
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

// write puts a case into the document, between the two comments. The others stay as they are there.
func write(t *testing.T, ran explanation) {
	t.Helper()
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
		if i := slices.IndexFunc(cases, func(e explanation) bool { return e.title == f.title() }); i >= 0 {
			table += cases[i].row()
			sections += cases[i].section()
		}
	}
	if err := os.WriteFile(file, []byte(before+tableBegins+table+"\n"+sections+tableEnds+after), 0o644); err != nil { //nolint:gosec // a document
		t.Fatal(err)
	}
}
