package infra_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/images/nginx"
	"fargate-nginx-sidecar/infra"
	"fargate-nginx-sidecar/infra/infratest"
	"fargate-nginx-sidecar/infra/settings"
)

// refused runs the program with wrong settings and returns the lines of its error. Nothing may be declared.
func refused(t *testing.T, settings map[string]string) []string {
	t.Helper()

	graph, err := infratest.Run(infra.Program, options(settings))
	if err == nil {
		t.Fatal("the program runs")
	}
	if len(graph.Resources) != 0 || len(graph.Calls) != 0 {
		t.Errorf("%d resources and %d calls in spite of: %v", len(graph.Resources), len(graph.Calls), err)
	}
	_, list, found := strings.Cut(err.Error(), "configuration of stack test:\n")
	if !found {
		t.Fatalf("error: %v", err)
	}

	return strings.Split(strings.TrimSpace(list), "\n")
}

const (
	private = `["subnet-0123456789abcdef2"]`
	public  = `["subnet-0123456789abcdef0","subnet-0123456789abcdef1"]`
)

// exampleKey is the one of AWS's documentation.
const exampleKey = "AKIAIOSFODNN7EXAMPLE"

// databaseGroup is a security group of another stack.
const databaseGroup = "sg-0123456789abcdef9"

const serviceNameAllowed = "1 to 20 characters of a-z, 0-9 and single hyphens, beginning with a letter, but not with aws or ssm; " +
	"reserved: all, and internal, sg, sthree and amzn-s3-demo, alone or before a hyphen"

const domainAllowed = "a host name in lower case of at most 64 characters, such as www.example.com"

// Values that are wrong by themselves.
var wrong = []struct{ key, value, want string }{
	{"profile", "test", `profile: "test"; allowed: dev, prod`},
	{"aws:region", "", `aws:region: ""; allowed: a region such as eu-central-1`},
	{"aws:region", "Frankfurt", `aws:region: "Frankfurt"; allowed: a region such as eu-central-1`},
	{"app.name", "", `app.name: ""; allowed: ` + serviceNameAllowed},
	{"app.name", "Web", `app.name: "Web"; allowed: ` + serviceNameAllowed},
	{"app.name", "a-name-of-21-letters-", `app.name: "a-name-of-21-letters-"; allowed: ` + serviceNameAllowed},
	{"app.name", "a-name-of-21-lettersx", `app.name: "a-name-of-21-lettersx"; allowed: ` + serviceNameAllowed},
	{"app.name", "internal-tools", `app.name: "internal-tools"; allowed: ` + serviceNameAllowed},
	{"app.name", "internal", `app.name: "internal"; allowed: ` + serviceNameAllowed},
	{"app.name", "aws-shop", `app.name: "aws-shop"; allowed: ` + serviceNameAllowed},
	{"app.name", "ssmart", `app.name: "ssmart"; allowed: ` + serviceNameAllowed},
	{"app.name", "sg", `app.name: "sg"; allowed: ` + serviceNameAllowed},
	{"app.name", "sg-shop", `app.name: "sg-shop"; allowed: ` + serviceNameAllowed},
	{"app.name", "sthree-shop", `app.name: "sthree-shop"; allowed: ` + serviceNameAllowed},
	{"app.name", "amzn-s3-demo", `app.name: "amzn-s3-demo"; allowed: ` + serviceNameAllowed},
	{"app.name", "all", `app.name: "all"; allowed: ` + serviceNameAllowed},
	{"app.image", "team/app", `app.image: "team/app"; allowed: an image with a tag or digest, such as public.ecr.aws/team/app:1.2.3`},
	{"app.image", "localhost:5000/app", `app.image: "localhost:5000/app"; allowed: an image with a tag or digest, such as public.ecr.aws/team/app:1.2.3`},
	{"http.image", "app@sha256:1234", `http.image: "app@sha256:1234"; allowed: an image with a tag or digest, such as public.ecr.aws/team/app:1.2.3`},
	{"http.image", "nginx:1 2", `http.image: "nginx:1 2"; allowed: an image with a tag or digest, such as public.ecr.aws/team/app:1.2.3`},
	{"app.context", "/srv/app", `app.context: "/srv/app"; allowed: a relative path with forward slashes, such as images/app or ../..`},
	{"app.context", "images/../../app", `app.context: "images/../../app"; allowed: a relative path with forward slashes, such as images/app or ../..`},
	{"app.secretKeys", `["alias/shop"]`, `app.secretKeys: "alias/shop"; allowed: a list of: the ARN of a key, arn:aws:kms:<region>:<account>:key/<id>`},
	{"app.imageSecret", "ssm:/ghcr", `app.imageSecret: not what is allowed; allowed: secretsmanager:<name or ARN of a secret>`},
	{"task.permissionsBoundary", "boundary", `task.permissionsBoundary: "boundary"; allowed: the ARN of an IAM policy`},
	{"http.headers", `{"Content-Length":"1"}`, `http.headers: "Content-Length: 1"; allowed: ` + nginx.AnswerHeaders.Each},
	{"http.headers", `{"X-A":"$host"}`, `http.headers: "X-A: $host"; allowed: ` + nginx.AnswerHeaders.Each},
	{"http.streamUploads", `["v2"]`, `http.streamUploads: "v2"; allowed: a list of: /, or a path such as /api or /v1/orders, of letters, digits, dots, hyphens and underscores`},
	{"ingress.internal", "private", `ingress.internal: "private"; allowed: true, false`},
	{"app.dockerfile", "/Dockerfile", `app.dockerfile: "/Dockerfile"; allowed: a relative path inside app.context, with forward slashes`},
	{"app.dockerfile", "../Dockerfile", `app.dockerfile: "../Dockerfile"; allowed: a relative path inside app.context, with forward slashes`},
	{"app.target", "runs", `app.target: "runs", which is no stage of Dockerfile; allowed: dependencies, 1`},
	{"app.target", "a b", `app.target: "a b"; allowed: the name of a stage: letters, digits, dots, hyphens, underscores`},
	{"http.buildArgs", `["a"]`, `http.buildArgs: ["a"] is not an object; allowed: an object that maps names to values`},
	{"app.buildArgs", `["a"]`, `app.buildArgs: ["a"] is not an object; allowed: an object that maps names to values`},
	{"app.buildArgs", `{"A-B":"1"}`, `app.buildArgs: "A-B"; allowed: names of letters, digits, dots and underscores that do not begin with a digit`},
	{"app.command", `["node",""]`, `app.command: ["node",""]; allowed: a list of words, none of them empty`},
	{"app.health", "", `app.health: ""; allowed: a path of letters, digits, dots, hyphens, underscores and tildes, at most 1024 characters`},
	{"app.health", "/a b", `app.health: "/a b"; allowed: a path of letters, digits, dots, hyphens, underscores and tildes, at most 1024 characters`},
	{"app.healthCommand", `["node","healthcheck.js"]`, `app.healthCommand: ["node","healthcheck.js"]; allowed: CMD, a program and its arguments, or CMD-SHELL and one line`},
	{"app.healthCommand", `["CMD-SHELL","curl","localhost"]`, `app.healthCommand: ["CMD-SHELL","curl","localhost"]; allowed: CMD, a program and its arguments, or CMD-SHELL and one line`},
	{"app.user", "root", `app.user: "root"; allowed: a number above 0, or two with a colon between them, such as 1000:1000`},
	{"app.user", "0:1000", `app.user: "0:1000"; allowed: a number above 0, or two with a colon between them, such as 1000:1000`},
	{"app.writablePaths", `["/"]`, `app.writablePaths: "/"; allowed: a list of: an absolute path below /, such as /tmp`},
	{"app.writablePaths", `["/tmp","/tmp"]`, `app.writablePaths: "/tmp" twice; allowed: each once`},
	{"app.protocol", "grpc", `app.protocol: "grpc"; allowed: http, fastcgi, uwsgi; not grpc, which needs HTTP/2 as far as the app: gRPC-Web and Connect work with http`},
	{"app.documentRoot", "/app/../public", `app.documentRoot: "/app/../public"; allowed: an absolute path below /, such as /tmp`},
	{"app.environment", `{"A":["b"]}`, "app.environment.A: not a single value; allowed: a string, a number or a boolean"},
	{"app.environment", `{"1ST":"a"}`, `app.environment: "1ST"; allowed: names of letters, digits, dots and underscores that do not begin with a digit`},
	{"app.environment", `{"AWS_ACCESS_KEY_ID":"a"}`, "app.environment.AWS_ACCESS_KEY_ID: AWS keys are not passed to tasks; allowed: permissions granted through app.policies"},
	{"app.environment", `{"AWS_SECRET_ACCESS_KEY":"a"}`, "app.environment.AWS_SECRET_ACCESS_KEY: AWS keys are not passed to tasks; allowed: permissions granted through app.policies"},
	{"app.environment", `{"AWS_SESSION_TOKEN":"a"}`, "app.environment.AWS_SESSION_TOKEN: AWS keys are not passed to tasks; allowed: permissions granted through app.policies"},
	{"app.environment", `{"ECS_ENGINE_AUTH_DATA":"a"}`, "app.environment.ECS_ENGINE_AUTH_DATA: AWS keys are not passed to tasks; allowed: permissions granted through app.policies"},
	{"app.environment", `{"KEY":"` + exampleKey + `"}`, `app.environment.KEY: holds an AWS access key; allowed: permissions granted through app.policies`},
	{"app.environment", `{"PORT":"80"}`, "app.environment.PORT: reserved: set by the program; set app.port"},
	{"app.secrets", `{"AWS_SECRET_ACCESS_KEY":"ssm:/key"}`, "app.secrets.AWS_SECRET_ACCESS_KEY: AWS keys are not passed to tasks; allowed: permissions granted through app.policies"},
	{"app.secrets", `{"DATABASE_URL":"/shop/database"}`, "app.secrets.DATABASE_URL: not the name of a secret; allowed: ssm:<name of a parameter>, secretsmanager:<name or ARN of a secret> or secretsmanager:<name>#<field>"},
	{"app.secrets", `{"DATABASE_URL":"ssm:/shop/database#field"}`, "app.secrets.DATABASE_URL: not the name of a secret; allowed: ssm:<name of a parameter>, secretsmanager:<name or ARN of a secret> or secretsmanager:<name>#<field>"},
	{"containers", `[]`, `containers: "[]"; allowed: a group of settings, as in {name: value}`},
	{"containers", `{"a":{"image":"a:1","user":"1","port":80}}`, "containers.a.port: unknown setting; nearest: app.port"},
	{"containers", `{"app":{"image":"a:1","user":"1"}}`, "containers.app: reserved: the name of another container or log stream; reserved are nginx, app, commands, log-router"},
	{"containers", `{"Otel":{"image":"a:1","user":"1"}}`, `containers: "Otel"; allowed: names of 1 to 20 of a-z, 0-9 and hyphens that begin with a letter`},
	{"containers", `{"a":{"image":"a","user":"1"}}`, `containers.a.image: "a"; allowed: an image with a tag or digest, such as public.ecr.aws/team/app:1.2.3`},
	{"containers", `{"a":{"image":"a:1"}}`, "containers.a.user: missing; allowed: a number above 0, or two with a colon between them, such as 1000:1000"},
	{"containers", `{"a":{"image":"a:1","user":"0"}}`, `containers.a.user: "0"; allowed: a number above 0, or two with a colon between them, such as 1000:1000`},
	{"containers", `{"a":{"image":"a:1","user":"1","command":["b",""]}}`, `containers.a.command: ["b",""]; allowed: a list of words, none of them empty`},
	{"containers", `{"a":{"image":"a:1","user":"1","writablePaths":["tmp"]}}`, `containers.a.writablePaths: "tmp"; allowed: a list of: an absolute path below /, such as /tmp`},
	{"containers", `{"a":{"image":"a:1","user":"1","writablePaths":["/tmp","/tmp"]}}`, `containers.a.writablePaths: "/tmp" twice; allowed: each once`},
	{"containers", `{"a":{"image":"a:1","user":"1","healthCommand":["curl"]}}`, `containers.a.healthCommand: ["curl"]; allowed: CMD, a program and its arguments, or CMD-SHELL and one line`},
	{"containers", `{"a":{"image":"a:1","user":"1","cpu":-1}}`, "containers.a.cpu: -1; allowed: 1 to 16384 CPU units"},
	{"containers", `{"a":{"image":"a:1","user":"1","memory":5}}`, "containers.a.memory: 5; allowed: 6 to 122880 MiB"},
	{"containers", `{"a":{"image":"a:1","user":"1","environment":{"A-B":"1"}}}`, `containers.a.environment: "A-B"; allowed: names of letters, digits, dots and underscores that do not begin with a digit`},
	{"containers", `{"a":{"image":"a:1","user":"1","environment":{"AWS_SECRET_ACCESS_KEY":"1"}}}`, "containers.a.environment.AWS_SECRET_ACCESS_KEY: AWS keys are not passed to tasks; allowed: permissions granted through app.policies"},
	{"containers", `{"a":{"image":"a:1","user":"1","secrets":{"KEY":"key"}}}`, "containers.a.secrets.KEY: not the name of a secret; allowed: ssm:<name of a parameter>, secretsmanager:<name or ARN of a secret> or secretsmanager:<name>#<field>"},
	{"containers", `{"a":{"image":"a:1","user":"1","environment":{"KEY":"1"},"secrets":{"KEY":"ssm:/key"}}}`, "containers.a.secrets: KEY is in environment, too; allowed: each variable once"},
	{"containers", `{"a":{"image":"a:1","user":"1","environment":{"A":["b"]}}}`, "containers.a.environment.A: not a single value; allowed: a string, a number or a boolean"},
	{"containers", `{"a":{},"b":{},"c":{},"d":{},"e":{},"f":{},"g":{},"h":{}}`, `containers.a.image: missing; allowed: an image with a tag or digest, such as public.ecr.aws/team/app:1.2.3
containers.a.user: missing; allowed: a number above 0, or two with a colon between them, such as 1000:1000
containers.b.image: missing; allowed: an image with a tag or digest, such as public.ecr.aws/team/app:1.2.3
containers.b.user: missing; allowed: a number above 0, or two with a colon between them, such as 1000:1000
containers.c.image: missing; allowed: an image with a tag or digest, such as public.ecr.aws/team/app:1.2.3
containers.c.user: missing; allowed: a number above 0, or two with a colon between them, such as 1000:1000
containers.d.image: missing; allowed: an image with a tag or digest, such as public.ecr.aws/team/app:1.2.3
containers.d.user: missing; allowed: a number above 0, or two with a colon between them, such as 1000:1000
containers.e.image: missing; allowed: an image with a tag or digest, such as public.ecr.aws/team/app:1.2.3
containers.e.user: missing; allowed: a number above 0, or two with a colon between them, such as 1000:1000
containers.f.image: missing; allowed: an image with a tag or digest, such as public.ecr.aws/team/app:1.2.3
containers.f.user: missing; allowed: a number above 0, or two with a colon between them, such as 1000:1000
containers.g.image: missing; allowed: an image with a tag or digest, such as public.ecr.aws/team/app:1.2.3
containers.g.user: missing; allowed: a number above 0, or two with a colon between them, such as 1000:1000
containers.h.image: missing; allowed: an image with a tag or digest, such as public.ecr.aws/team/app:1.2.3
containers.h.user: missing; allowed: a number above 0, or two with a colon between them, such as 1000:1000
containers: 8 containers; allowed: at most 7`},
	{"logRouter", `{"outputs":{}}`, `logRouter.image: missing; allowed: an image with a tag or digest, such as public.ecr.aws/team/app:1.2.3
logRouter.user: missing; allowed: a number above 0, or two with a colon between them, such as 1000:1000
logRouter.output.Name: ""; allowed: the name of one of Fluent Bit's outputs, such as http
logRouter.outputs: unknown setting; nearest: logRouter.output`},
	{"logRouter", `{"user":"1","output":{"Name":"http"}}`, "logRouter.image: missing; allowed: an image with a tag or digest, such as public.ecr.aws/team/app:1.2.3"},
	{"logRouter", `{"image":"r:1","output":{"Name":"http"}}`, "logRouter.user: missing; allowed: a number above 0, or two with a colon between them, such as 1000:1000"},
	{"logRouter", `{"image":"r:1","user":"1","output":{"name":"http"}}`, `logRouter.output.Name: ""; allowed: the name of one of Fluent Bit's outputs, such as http`},
	{"logRouter", `{"image":"r:1","user":"1","output":{"Name":"s3"}}`, `logRouter.output.Name: s3 writes to the disk, which is read-only; allowed: an output that does not, such as http`},
	{"logRouter", `{"image":"r:1","user":"1","output":{"Name":"http","Match":"*"}}`, "logRouter.output.Match: reserved: set by the program; allowed: no value; ECS gives each container its own"},
	{"logRouter", `{"image":"r:1","user":"1","output":{"Name":"http","log-driver-buffer-limit":1}}`, "logRouter.output.log-driver-buffer-limit: reserved: set by the program; allowed: no value; it is as large as the buffer of a container without a log router"},
	{"logRouter", `{"image":"r:1","user":"1","output":{"Name":"http","a b":"1"}}`, `logRouter.output: "a b"; allowed: names of letters, digits, dots, hyphens and underscores that begin with a letter`},
	{"logRouter", `{"image":"r:1","user":"1","output":{"Name":"http","Host":"a\n[INPUT]"}}`, `logRouter.output.Host: "a\n[INPUT]"; allowed: one line`},
	{"logRouter", `{"image":"r:1","user":"1","output":{"Name":"http","Key":"` + exampleKey + `"}}`, `logRouter.output.Key: holds an AWS access key; allowed: permissions granted through app.policies`},
	{"logRouter", `{"image":"r:1","user":"1","output":{"Name":"http","Key":"1"},"secrets":{"Key":"ssm:/key"}}`, `logRouter.output.Key: in secrets, too; allowed: each option once`},
	{"logRouter", `{"image":"r:1","user":"1","output":{"Name":"http"},"secrets":{"Key":"key"}}`, "logRouter.secrets.Key: not the name of a secret; allowed: ssm:<name of a parameter>, secretsmanager:<name or ARN of a secret> or secretsmanager:<name>#<field>"},
	{"network.groups", `[{"port":5432,"group":"sg-1"}]`, `network.groups[0].id: missing; allowed: sg- and 8 or 17 hexadecimal digits
network.groups[0].group: unknown setting; nearest: network.groups`},
	{"network.groups", `[{"port":0,"id":"` + databaseGroup + `"}]`, `network.groups[0].port: 0; allowed: 1 to 65535`},
	{"network.groups", `[{"port":5432}]`, "network.groups[0].id: missing; allowed: sg- and 8 or 17 hexadecimal digits"},
	{"network.groups", `[{"port":5432,"id":"` + databaseGroup + `"},{"port":5432,"id":"` + databaseGroup + `","addIngressRule":true}]`, `network.groups[1]: port 5432 of ` + databaseGroup + ` twice; allowed: each once`},
	{"app.policies", `["ReadOnly"]`, `app.policies: "ReadOnly"; allowed: a list of: the ARN of an IAM policy that grants less than everything`},
	{"app.policies", `["arn:aws:iam::aws:policy/AdministratorAccess"]`, `app.policies: "arn:aws:iam::aws:policy/AdministratorAccess"; allowed: a list of: the ARN of an IAM policy that grants less than everything`},
	{"task.exec", "on", `task.exec: "on"; allowed: true, false`},
	{"storage.kmsKey", "alias/key", `storage.kmsKey: "alias/key"; allowed: the ARN of a key, arn:aws:kms:<region>:<account>:key/<id>`},
	{"task.architecture", "x86_64", `task.architecture: "x86_64"; allowed: X86_64, ARM64`},
	{"storage.forceDelete", "yes", `storage.forceDelete: "yes"; allowed: true, false`},
	{"task.cpu", "300", "task.cpu: 300; allowed: 256, 512, 1024, 2048, 4096, 8192, 16384 CPU units"},
	{"task.cpu", "1 vCPU", `task.cpu: "1 vCPU" is not a whole number; allowed: 256, 512, 1024, 2048, 4096, 8192, 16384 CPU units`},
	{"task.memory", "511", "task.memory: 511; allowed: 512 to 122880 MiB"},
	{"task.memory", "1024", "task.memory: 1024 with cpu 1024 is not a Fargate size; allowed: 2048 to 8192 in steps of 1024 MiB"},
	{"task.memory", "2.5", "task.memory: 2.5 is not a whole number; allowed: 512 to 122880 MiB"},
	{"http.port", "80", "http.port: 80; allowed: 1024 to 65535"},
	{"app.port", "65536", "app.port: 65536; allowed: 1024 to 65535"},
	{"task.stopTimeout", "121s", `task.stopTimeout: "121s"; allowed: 2s to 2m`},
	{"app.startTime", "301s", `app.startTime: "301s"; allowed: 0s to 5m`},
	{"storage.logRetention", "31d", `storage.logRetention: "31d"; allowed: 1d, 3d, 5d, 7d, 14d, 30d, 60d, 90d, 120d, 150d, 180d, 365d, 400d, 545d, 731d, 1096d, 1827d, 2192d, 2557d, 2922d, 3288d, 3653d`},
	{"scale.min", "0", "scale.min: 0; allowed: 1 to 5000 tasks"},
	{"deployment.timeout", "4m", `deployment.timeout: "4m"; allowed: 5m to 2h`},
	{"deployment.command", `["npm",""]`, `deployment.command: ["npm",""]; allowed: a list of words, none of them empty`},
	{"schedule", `{"a":{"cron":"x"}}`, `schedule.a.at: missing; allowed: at(2030-01-31T08:00:00), rate(5 minutes) or cron(0 8 ? * MON-FRI *)
schedule.a.command: missing; allowed: a list of words, none of them empty
schedule.a.cron: unknown setting; known here: at, timezone, command`},
	{"schedule", `{"Report":{"at":"rate(1 day)","command":["a"]}}`, `schedule: "Report"; allowed: names of 1 to 20 of a-z, 0-9 and hyphens that begin with a letter`},
	{"schedule", `{"a":{"at":"0 6 * * *","command":["a"]}}`, `schedule.a.at: "0 6 * * *"; allowed: at(2030-01-31T08:00:00), rate(5 minutes) or cron(0 8 ? * MON-FRI *)`},
	{"schedule", `{"a":{"at":"rate(1 day)","timezone":"+02:00","command":["a"]}}`, `schedule.a.timezone: "+02:00"; allowed: a name such as Europe/Berlin`},
	{"schedule", `{"a":{"at":"rate(1 day)","command":[]}}`, "schedule.a.command: []; allowed: a list of words, none of them empty"},
	{"task.storage", "20GiB", `task.storage: "20GiB"; allowed: 21GiB to 200GiB`},
	{"task.storage", "201GiB", `task.storage: "201GiB"; allowed: 21GiB to 200GiB`},
	{"app.volumes", `[{"path":"/a"}]`, `app.volumes[0].name: missing; allowed: 1 to 20 of a-z, 0-9 and hyphens, beginning with a letter
app.volumes[0].fileSystem: missing; allowed: fs- and 8 or 17 hexadecimal digits
app.volumes[0].accessPoint: missing; allowed: fsap- and 8 or 17 hexadecimal digits
app.volumes[0].mountPath: missing; allowed: an absolute path below /, such as /tmp
app.volumes[0].path: unknown setting; nearest: http.limits.paths[].path`},
	{"app.volumes", strings.Replace(uploads, "uploads", "Uploads", 1), `app.volumes[0].name: "Uploads"; allowed: 1 to 20 of a-z, 0-9 and hyphens, beginning with a letter`},
	{"app.volumes", strings.Replace(uploads, "fs-", "file-", 1), `app.volumes[0].fileSystem: "file-0123456789abcdef0"; allowed: fs- and 8 or 17 hexadecimal digits`},
	{"app.volumes", strings.Replace(uploads, "fsap-", "fs-", 1), `app.volumes[0].accessPoint: "fs-0123456789abcdef1"; allowed: fsap- and 8 or 17 hexadecimal digits`},
	{"app.volumes", strings.Replace(uploads, "/srv/uploads", "/srv/../etc", 1), `app.volumes[0].mountPath: "/srv/../etc"; allowed: an absolute path below /, such as /tmp`},
	{"monitoring.containerInsights", "on", `monitoring.containerInsights: "on"; allowed: false, enabled, enhanced`},
	{"scale.min", "0", "scale.min: 0; allowed: 1 to 5000 tasks"},
	{"scale.max", "5001", "scale.max: 5001; allowed: 1 to 5000 tasks"},
	{"scale.cpu", "101", "scale.cpu: 101; allowed: false, or 1 to 100 percent"},
	{"scale.memory", "-1", "scale.memory: -1; allowed: false, or 1 to 100 percent"},
	{"scale.requests", "many", `scale.requests: "many" is not a whole number; allowed: false, or 1 to 10000000 requests a minute`},
	{"scale.spot", "101", "scale.spot: 101; allowed: false, or 1 to 100 percent"},
	{"scale.schedules", `[{"cron":"x"}]`, `scale.schedules[0].name: missing; allowed: 1 to 20 of a-z, 0-9 and hyphens, beginning with a letter
scale.schedules[0].at: missing; allowed: at(2030-01-31T08:00:00), rate(5 minutes) or cron(0 8 ? * MON-FRI *)
scale.schedules[0].min: missing; allowed: 0 to 5000 tasks
scale.schedules[0].max: missing; allowed: 0 to 5000 tasks
scale.schedules[0].cron: unknown setting; known here: name, at, timezone, min, max`},
	{"scale.schedules", `[{"name":"Night","at":"rate(1 day)","max":1}]`, `scale.schedules[0].name: "Night"; allowed: 1 to 20 of a-z, 0-9 and hyphens, beginning with a letter
scale.schedules[0].min: missing; allowed: 0 to 5000 tasks`},
	{"scale.schedules", `[{"name":"night","at":"0 20 * * *","max":1}]`, `scale.schedules[0].at: "0 20 * * *"; allowed: at(2030-01-31T08:00:00), rate(5 minutes) or cron(0 8 ? * MON-FRI *)
scale.schedules[0].min: missing; allowed: 0 to 5000 tasks`},
	{"scale.schedules", `[{"name":"night","at":"rate(1 day)","timezone":"+02:00","max":1}]`, `scale.schedules[0].timezone: "+02:00"; allowed: a name such as Europe/Berlin
scale.schedules[0].min: missing; allowed: 0 to 5000 tasks`},
	{"scale.schedules", `[{"name":"night","at":"rate(1 day)","min":2,"max":1}]`, "scale.schedules[0].min: 2 and max 1; allowed: a min that is not above max"},
	{"ingress.kind", "nlb", `ingress.kind: "nlb"; allowed: alb, shared, api-gateway`},
	{"ingress.shared", `{"listener":"x"}`, `ingress.shared.listener: "x"; allowed: arn:aws:elasticloadbalancing:<region>:<account>:listener/app/<name>/<id>/<id>`},
	{"login", `{"domain":"x"}`, `login.issuer: missing; allowed: an address such as https://login.example.com/token, as the provider's /.well-known/openid-configuration has it
login.authorizationEndpoint: missing; allowed: an address such as https://login.example.com/token, as the provider's /.well-known/openid-configuration has it
login.tokenEndpoint: missing; allowed: an address such as https://login.example.com/token, as the provider's /.well-known/openid-configuration has it
login.userInfoEndpoint: missing; allowed: an address such as https://login.example.com/token, as the provider's /.well-known/openid-configuration has it
login.clientId: missing; allowed: the id that the provider gave this application
login.clientSecret: missing; allowed: ssm:<name of a parameter>, secretsmanager:<name or ARN of a secret> or secretsmanager:<name>#<field>
login.domain: unknown setting; known here: issuer, authorizationEndpoint, tokenEndpoint, userInfoEndpoint, clientId, clientSecret, scopes, paths`},
	{"ingress.throttle", "0", "ingress.throttle: 0; allowed: 1 to 1000000 requests a second"},
	{"ingress.health", "health", `ingress.health: "health"; allowed: a path of letters, digits, dots, hyphens, underscores and tildes, at most 1024 characters`},
	{"ingress.health", "/a?b", `ingress.health: "/a?b"; allowed: a path of letters, digits, dots, hyphens, underscores and tildes, at most 1024 characters`},
	{"http.paths", `[]`, "http.paths: []; allowed: at least one: /, or a path such as /api or /v1/orders, of letters, digits, dots, hyphens and underscores"},
	{"http.paths", `["api"]`, `http.paths: "api"; allowed: a list of: /, or a path such as /api or /v1/orders, of letters, digits, dots, hyphens and underscores`},
	{"http.static", `{"assets":"/app/public"}`, `http.static: "assets"; allowed: /, or a path such as /assets, of letters, digits, hyphens and underscores`},
	{"http.static", `{"/assets":"public"}`, `http.static./assets: "public"; allowed: a directory of the app's image, such as /app/public`},
	{"http.static", `{"/assets":"/app/../etc"}`, `http.static./assets: "/app/../etc"; allowed: a directory of the app's image, such as /app/public`},
	{"http.cors", `{"origins":["shop.example.com"]}`, `http.cors.origins: "shop.example.com"; allowed: a list of: an origin such as https://shop.example.com, with a port unless it is the scheme's`},
	{"http.allow", `["slash"]`, `http.allow: "slash"; allowed: a list of: one of encoded-slash, encoded-percent, dots, double-slash, semicolon`},
	{"http.staticHistory", `{"path":"/a"}`, `http.staticHistory.fileSystem: missing; allowed: fs- and 8 or 17 hexadecimal digits
http.staticHistory.accessPoint: missing; allowed: fsap- and 8 or 17 hexadecimal digits
http.staticHistory.path: unknown setting; nearest: http.limits.paths[].path`},
	{"http.staticHistory", strings.Replace(history, "fs-", "file-", 1), `http.staticHistory.fileSystem: "file-0123456789abcdef0"; allowed: fs- and 8 or 17 hexadecimal digits`},
	{"http.staticHistory", `{"fileSystem":"fs-01234567"}`, `http.staticHistory.accessPoint: missing; allowed: fsap- and 8 or 17 hexadecimal digits`},
	{"http.staticHashed", `["assets"]`, `http.staticHashed: "assets"; allowed: a list of: /, or a path such as /assets, of letters, digits, hyphens and underscores`},
	{"http.spaFallback", "on", `http.spaFallback: "on"; allowed: true, false`},
	{"http.headerLimit", "17KiB", `http.headerLimit: "17KiB"; allowed: 2KiB to 16KiB`},
	{"http.hosts", `["Example.com"]`, `http.hosts: "Example.com"; allowed: a list of: a host name in lower case, such as www.example.com or *.example.com`},
	{"http.hosts", `["a.*.com"]`, `http.hosts: "a.*.com"; allowed: a list of: a host name in lower case, such as www.example.com or *.example.com`},
	{"http.limits.paths", `[{"path":"/api/login","rate":1}]`, `http.limits.paths[0].perMinute: missing; allowed: 1 to 999999 requests a minute
http.limits.paths[0].rate: unknown setting; nearest: http.limits.paths[0].path`},
	{"http.limits.paths", `[{"path":"/","perMinute":1}]`, `http.limits.paths[0].path: "/"; allowed: a path such as /api/login, of letters, digits, dots, hyphens and underscores`},
	{"http.limits.paths", `[{"path":"/api","burst":1}]`, "http.limits.paths[0].perMinute: missing; allowed: 1 to 999999 requests a minute"},
	{"http.limits.paths", `[{"path":"/api","perMinute":1,"burst":-1}]`, "http.limits.paths[0].burst: -1; allowed: 0 to 99999 requests"},
	{"http.limits.paths", "[" + strings.Repeat(`{"path":"/api","perMinute":1},`, 10) + `{"path":"/api","perMinute":1}]`, `http.limits.paths: 11 limits; allowed: at most 10`},
	{"http.paths", `["/","/api"]`, "http.paths: /, /api; allowed: / alone, which covers all the others, or paths without it"},
	{"http.paths", `["/api/"]`, `http.paths: "/api/"; allowed: a list of: /, or a path such as /api or /v1/orders, of letters, digits, dots, hyphens and underscores`},
	{"http.paths", `["/api/"]`, `http.paths: "/api/"; allowed: a list of: /, or a path such as /api or /v1/orders, of letters, digits, dots, hyphens and underscores`},
	{"http.paths", `["/a|b"]`, `http.paths: "/a|b"; allowed: a list of: /, or a path such as /api or /v1/orders, of letters, digits, dots, hyphens and underscores`},
	{"http.methods", `["TRACE"]`, `http.methods: "TRACE"; allowed: a list of: a registered method in upper case, such as GET, PATCH or PROPFIND, other than CONNECT, PRI and TRACE`},
	{"http.bodyLimit", "0KiB", `http.bodyLimit: "0KiB"; allowed: 1KiB to 1GiB`},
	{"http.limits.perSecond", "-1", "http.limits.perSecond: -1; allowed: false, or 1 to 100000 requests a second"},
	{"http.readTimeout", "4000s", `http.readTimeout: "4000s"; allowed: 1s to 3999s`},
	{"app.keepAlive", "5001s", `app.keepAlive: "5001s"; allowed: 2s to 5000s`},
	{"app.keepAlive", "1s", `app.keepAlive: "1s"; allowed: 2s to 5000s`},
	{"http.trustedProxies", `["10.0.0.1/16"]`, `http.trustedProxies: "10.0.0.1/16"; allowed: a list of: an address range without host bits, such as 130.176.0.0/16 or 2600:9000::/28, with IPv4 addresses in their own form, or the id of a prefix list, such as pl-0123456789abcdef0`},
	{"http.trustedProxies", `["::ffff:1.2.3.0/120"]`, `http.trustedProxies: "::ffff:1.2.3.0/120"; allowed: a list of: an address range without host bits, such as 130.176.0.0/16 or 2600:9000::/28, with IPv4 addresses in their own form, or the id of a prefix list, such as pl-0123456789abcdef0`},
	{"http.trustedProxies", `["everyone"]`, `http.trustedProxies: "everyone"; allowed: a list of: an address range without host bits, such as 130.176.0.0/16 or 2600:9000::/28, with IPv4 addresses in their own form, or the id of a prefix list, such as pl-0123456789abcdef0`},
	{"ingress.sticky", "true", `ingress.sticky: true; allowed: false, or 1s to 7d`},
	{"ingress.idleTimeout", "4s", `ingress.idleTimeout: "4s"; allowed: 5s to 4000s`},
	{"domain.name", "WWW.example.com", `domain.name: "WWW.example.com"; allowed: ` + domainAllowed},
	{"domain.name", "localhost", `domain.name: "localhost"; allowed: a host name in lower case of at most 64 characters, such as www.example.com`},
	{"domain.name", "*.example.com", `domain.name: "*.example.com"; allowed: a host name in lower case of at most 64 characters, such as www.example.com`},
	{"domain.name", strings.Repeat("a", 53) + ".example.com", `domain.name: "` + strings.Repeat("a", 53) + `.example.com"; allowed: ` + domainAllowed},
	{"domain.zone", "example.com", `domain.zone: "example.com"; allowed: up to 32 digits and capital letters`},
	{"domain.certificate", "arn:aws:iam::123456789012:server-certificate/old", `domain.certificate: "arn:aws:iam::123456789012:server-certificate/old"; allowed: arn:aws:acm:<region>:<account>:certificate/<id>`},
	{"ingress.http", "forward", `ingress.http: "forward"; allowed: false, redirect`},
	{"ingress.clients", `["203.0.113.1/24"]`, `ingress.clients: "203.0.113.1/24"; allowed: a list of: a range without host bits, such as 203.0.113.0/24 or 2001:db8::/32, or the id of a prefix list, such as pl-0123456789abcdef0`},
	{"ingress.clients", `["2001:db8::1/32"]`, `ingress.clients: "2001:db8::1/32"; allowed: a list of: a range without host bits, such as 203.0.113.0/24 or 2001:db8::/32, or the id of a prefix list, such as pl-0123456789abcdef0`},
	{"ingress.clients", `["::ffff:203.0.113.0/120"]`, `ingress.clients: "::ffff:203.0.113.0/120"; allowed: a list of: a range without host bits, such as 203.0.113.0/24 or 2001:db8::/32, or the id of a prefix list, such as pl-0123456789abcdef0`},
	{"domain.aliases", `["EXAMPLE.com"]`, `domain.aliases: "EXAMPLE.com"; allowed: a list of: a host name in lower case of at most 64 characters, such as www.example.com`},
	{"domain.aliases", `["a.example.com","b.example.com","c.example.com","d.example.com","e.example.com","f.example.com","g.example.com","h.example.com","i.example.com","j.example.com"]`,
		`domain.aliases: 10 names; allowed: at most 9`},
	{"ingress.clients", `[]`, "ingress.clients: []; allowed: at least one: a range without host bits, such as 203.0.113.0/24 or 2001:db8::/32, or the id of a prefix list, such as pl-0123456789abcdef0"},
	{"task.stopDelay", "9s", `task.stopDelay: "9s"; allowed: false, or 10s to 110s`},
	{"ingress.ipv6", "ipv6", `ingress.ipv6: "ipv6"; allowed: true, false`},
	{"network.kind", "private", `network.kind: "private"; allowed: low-cost, large, existing`},
	{"network.cidr", "10.0.0.0/15", `network.cidr: "10.0.0.0/15"; allowed: a private IPv4 range of /16 to /24 without host bits, such as 10.0.0.0/16`},
	{"network.cidr", "10.0.0.1/16", `network.cidr: "10.0.0.1/16"; allowed: a private IPv4 range of /16 to /24 without host bits, such as 10.0.0.0/16`},
	{"network.cidr", "8.8.0.0/16", `network.cidr: "8.8.0.0/16"; allowed: a private IPv4 range of /16 to /24 without host bits, such as 10.0.0.0/16`},
	{"network.cidr", "fd00::/16", `network.cidr: "fd00::/16"; allowed: a private IPv4 range of /16 to /24 without host bits, such as 10.0.0.0/16`},
	{"network.zones", `["us-east-1-atl-1a","us-east-1a"]`, `network.zones: "us-east-1-atl-1a"; allowed: a list of: an availability zone such as eu-central-1a
network.zones: 1 given; allowed: two, or none (the program then chooses two)`},
	{"network.zones", `["eu-central-1a"]`, "network.zones: 1 given; allowed: two, or none (the program then chooses two)"},
	{"ingress.firewall", "true", "ingress.firewall: true; allowed: false, or managed, or arn:aws:wafv2:<region>:<account>:regional/webacl/<name>/<id>"},
	{"ingress.firewall", "arn:aws:wafv2:us-east-1:123456789012:global/webacl/a/1", `ingress.firewall: "arn:aws:wafv2:us-east-1:123456789012:global/webacl/a/1"; allowed: false, or managed, or arn:aws:wafv2:<region>:<account>:regional/webacl/<name>/<id>`},
	{"network.egress", "nat", `network.egress: "nat"; allowed: nat-per-az, nat-single, endpoints, public`},
	{"ingress.accessLogs", "yes", `ingress.accessLogs: "yes"; allowed: true, false`},
	{"storage.logRetention", "0d", `storage.logRetention: "0d"; allowed: 1d, 3d, 5d, 7d, 14d, 30d, 60d, 90d, 120d, 150d, 180d, 365d, 400d, 545d, 731d, 1096d, 1827d, 2192d, 2557d, 2922d, 3288d, 3653d`},
	{"storage.forceDelete", "on", `storage.forceDelete: "on"; allowed: true, false`},
	{"network.vpc", "vpc-xyz", `network.vpc: "vpc-xyz"; allowed: vpc- and 8 or 17 hexadecimal digits`},
	{"network.publicSubnets", `subnet-1`, `network.publicSubnets: "subnet-1" is not a list; allowed: a list of: subnet- and 8 or 17 hexadecimal digits`},
	{"network.publicSubnets", `["subnet-1"]`, `network.publicSubnets: "subnet-1"; allowed: a list of: subnet- and 8 or 17 hexadecimal digits`},
	{"network.privateSubnets", `[1]`, "network.privateSubnets: 1; allowed: a list of: subnet- and 8 or 17 hexadecimal digits"},
	{"monitoring.alarms", "yes", `monitoring.alarms: "yes"; allowed: true, false`},
	{"monitoring.email", "team", `monitoring.email: "team"; allowed: an address such as team@example.com`},
	{"monitoring.email", "Team <team@example.com>", `monitoring.email: "Team <team@example.com>"; allowed: an address such as team@example.com`},
	{"monitoring.latency", "0ms", `monitoring.latency: "0ms"; allowed: 1ms to 1h`},
	{"monitoring.dashboard", "", `monitoring.dashboard: ""; allowed: true, false`},
	{"network.ports", `[443,0]`, "network.ports: 0; allowed: a list of: 1 to 65535"},
	{"network.ports", `[443,443]`, "network.ports: 443 twice; allowed: each once"},
	{"network.ports", `[80]`, "network.ports: [80]; allowed: a list that contains 443, the port through which the tasks pull images and write logs"},
	{"network.ports", `[]`, "network.ports: []; allowed: a list that contains 443, the port through which the tasks pull images and write logs"},
}

func TestWrongSettingsAreRefusedBeforeAnythingIsDeclared(t *testing.T) {
	for _, test := range wrong {
		t.Run(test.key+"="+test.value, func(t *testing.T) {
			settings := defaults(t, map[string]string{test.key: test.value})
			if got := refused(t, settings); strings.Join(got, "\n") != test.want {
				t.Errorf("error:\n%s\nwant:\n%s", strings.Join(got, "\n"), test.want)
			}
		})
	}
}

func TestNamesThatOnlyResembleReservedOnesAreAccepted(t *testing.T) {
	for _, name := range []string{"awesome", "sgx", "sthrees", "allowed", "internals", "amzn-s3"} {
		run(t, defaults(t, map[string]string{"app.name": name}))
	}
}

// Values that are allowed by themselves but contradict each other; each message names every key involved.
var contradictory = map[string]struct {
	settings map[string]string
	want     []string
}{
	"a listener, but a load balancer of its own": {
		map[string]string{"ingress.shared": behindAnother["ingress.shared"]},
		[]string{"ingress.shared, ingress.kind: set, but without effect with ingress.kind alb; allowed with: shared"},
	},
	"a shared load balancer without one": {
		with(existing, map[string]string{"ingress.kind": "shared"}),
		[]string{"ingress.kind, ingress.shared: the kind is shared; set listener, and hosts or paths"},
	},
	"a shared load balancer in a network of its own": {
		map[string]string{"ingress.kind": "shared", "ingress.shared": behindAnother["ingress.shared"]},
		[]string{"ingress.kind, network.kind: the ingress is shared, but the network is low-cost; allowed with: existing, the network of the load balancer"},
	},
	"a listener in another region": {
		with(behindAnother, map[string]string{
			"ingress.shared": strings.Replace(behindAnother["ingress.shared"], "eu-central-1", "us-east-1", 1),
		}),
		[]string{"ingress.shared.listener, aws:region: the listener is in us-east-1; allowed: one in eu-central-1, like the tasks"},
	},
	"what belongs to the load balancer's owner": {
		with(behindAnother, map[string]string{
			"domain.certificate": certificateARN, "ingress.clients": `["pl-0123456789abcdef0"]`,
			"ingress.accessLogs": "true", "ingress.firewall": "managed",
		}),
		[]string{
			"domain.certificate, ingress.kind: set, but without effect with ingress.kind shared: this belongs to the owner of the load balancer; allowed with: alb, api-gateway",
			"ingress.accessLogs, ingress.kind: set, but without effect with ingress.kind shared: this belongs to the owner of the load balancer; allowed with: alb, api-gateway",
			"ingress.clients, ingress.kind: set, but without effect with ingress.kind shared: this belongs to the owner of the load balancer; allowed with: alb",
			"ingress.firewall, ingress.kind: set, but without effect with ingress.kind shared: this belongs to the owner of the load balancer; allowed with: alb",
		},
	},
	"what an API cannot do": {
		with(behindAPI, map[string]string{
			"ingress.idleTimeout": "31s", "ingress.targetTls": "true", "ingress.clients": `["203.0.113.0/24"]`, "ingress.health": "/api/health",
			"http.bodyLimit": "10241KiB", "http.trustedProxies": `["203.0.113.0/24"]`, "scale.requests": "1", "ingress.firewall": "managed",
			"http.methods": `["GET","PROPFIND"]`,
		}),
		[]string{
			"scale.requests, scale.max: set, but the number of tasks is fixed; allowed with: a scale.max above scale.min",
			"ingress.clients, ingress.kind: set, but without effect with ingress.kind api-gateway: an HTTP API is open to every address; allowed with: alb",
			"ingress.firewall, ingress.kind: set, but without effect with ingress.kind api-gateway: an HTTP API has none; allowed with: alb",
			"ingress.health, ingress.kind: set, but without effect with ingress.kind api-gateway: without a load balancer there is no such check; allowed with: alb, shared",
			"ingress.targetTls, ingress.kind: set, but without effect with ingress.kind api-gateway: API Gateway accepts no certificate that a task has made itself; allowed with: alb, shared",
			"ingress.idleTimeout, ingress.kind: 31s is more than 30s, after which API Gateway answers 503",
			"http.bodyLimit, ingress.kind: the ingress is api-gateway, and API Gateway takes no body above 10240KiB",
			"http.trustedProxies, ingress.kind: the ingress is api-gateway, and API Gateway names only the client that connects to it",
			"http.methods, ingress.kind: the ingress is api-gateway, and API Gateway takes GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS alone",
			"scale.requests, ingress.kind: the ingress is api-gateway, and only a load balancer counts the requests of a task",
		},
	},
	"a login without HTTPS": {
		map[string]string{"login": login(""), "http.headerLimit": "16KiB"},
		[]string{"login, domain.name, domain.certificate: a login is set, but there is no certificate, and a load balancer offers a login only over HTTPS; allowed with: domain.name or domain.certificate"},
	},
	"a login at an API": {
		with(behindAPI, map[string]string{"login": login(""), "http.headerLimit": "16KiB"}),
		[]string{"login, ingress.kind: set, but without effect with ingress.kind api-gateway: an HTTP API has none; allowed with: alb, shared"},
	},
	"cookies of a login that are too long": {
		with(encrypted, map[string]string{"login": login(""), "http.headerLimit": "8KiB"}),
		[]string{"login, http.headerLimit: 8KiB is less than the 16KiB that the cookies of a login can have; allowed: 16KiB"},
	},
	"a login on a path that can be written in two ways": {
		with(encrypted, map[string]string{"login": login(`,"paths":["/api/admin"]`), "http.headerLimit": "16KiB", "http.allow": `["dots"]`}),
		[]string{"http.allow, login: an app may read such a path as the plain one, which would evade the login; allowed: one of them, or a login for all paths"},
	},
	"a login with too many paths": {
		with(behindAnother, map[string]string{"login": login(`,"paths":["/a","/b","/c"]`), "http.headerLimit": "16KiB"}),
		[]string{"login.paths, ingress.shared.hosts: 3 paths of the login and 2 hosts, beside the callback; allowed: at most 4 together"},
	},
	"an address for no alarms": {
		map[string]string{"monitoring.email": "team@example.com"},
		[]string{"monitoring.email, monitoring.alarms: set, but there are no alarms; allowed with: alarms: true"},
	},
	"alarms on tasks that nobody counts": {
		map[string]string{"monitoring.alarms": "true", "monitoring.containerInsights": "false"},
		[]string{"monitoring.alarms, monitoring.containerInsights: containerInsights is false, so nothing would count the running tasks; allowed with: enabled, enhanced"},
	},
	"an alarm that never goes off": {
		map[string]string{"monitoring.alarms": "true", "monitoring.latency": "29000ms"},
		[]string{"monitoring.latency, http.readTimeout, ingress.idleTimeout: 29s is not less than 29s, after which NGINX answers 504, so the alarm would never fire"},
	},
	"rules that share numbers with others": {
		with(behindAnother, map[string]string{"ingress.shared.priority": "12"}),
		[]string{"ingress.shared.priority: 12; allowed: each third number, so that the three of a stack meet no others: 1, 4, 7 and so on, here 10 or 13"},
	},
	"an alarm above the longest request": {
		map[string]string{"monitoring.alarms": "true", "http.readTimeout": "2s", "monitoring.latency": "2000ms"},
		[]string{"monitoring.latency, http.readTimeout, ingress.idleTimeout: 2s is not less than 2s, after which NGINX answers 504, so the alarm would never fire"},
	},
	"one port twice": {
		map[string]string{"http.port": "3000"},
		[]string{"http.port, app.port: both are 3000, but the containers of a task share one network interface"},
	},
	"killed while draining": {
		map[string]string{"task.stopTimeout": "29s", "overrides.targetGroup": `{"deregistrationDelay":30}`},
		[]string{"overrides.targetGroup.deregistrationDelay, task.stopTimeout: 30s is more than 29s; a task would be killed while it may still be answering requests"},
	},
	"a stop that the load balancer does not ask about": {
		map[string]string{"task.stopDelay": "20s", "ingress.health": "/api/health"},
		[]string{"task.stopDelay, ingress.health: the load balancer requests /api/health, but only the page at / fails during a stop; allowed with: /"},
	},
	"a stop longer than its time": {
		map[string]string{"task.stopDelay": "22s"},
		[]string{"task.stopDelay, http.readTimeout, task.stopTimeout: 22s and a request of 29s are more than the 50s that NGINX has before it is killed"},
	},
	"a stop longer than Spot gives": {
		map[string]string{"task.stopDelay": "20s", "task.stopTimeout": "72s", "scale.spot": "50"},
		[]string{"task.stopDelay, http.readTimeout, task.stopTimeout, scale.spot: 20s, a request of 29s and up to 72s for the app's own stop are more than 2m; Spot gives a task no more time"},
	},
	"two volumes in one directory": {
		map[string]string{"app.socket": "true", "app.writablePaths": `["/run/app"]`},
		[]string{"app.socket, app.writablePaths: /run/app is the directory of the socket, which the app may write to anyway"},
	},
	"further containers that take the whole task": {
		map[string]string{"containers": `{"a":{"image":"a:1","user":"1","cpu":512,"memory":1024},"b":{"image":"a:1","user":"1","cpu":512,"memory":1024}}`},
		[]string{
			"containers, task.cpu: the containers claim 1024 of the task's 1024 CPU units, which leaves none for NGINX and the app; allowed: a smaller sum",
			"containers, task.memory: the containers may take 2048 of the task's 2048 MiB, which leaves none for NGINX and the app; allowed: a smaller sum",
		},
	},
	"further images that no endpoint reaches": {
		map[string]string{"network.egress": "endpoints", "network.kind": "large", "containers": "{" + agent + "}", "logRouter": router},
		[]string{
			"network.egress, containers.agent: egress is endpoints, through which public.ecr.aws/team/agent:7.1 cannot be reached; allowed: an image in ECR in eu-central-1",
			"network.egress, logRouter: egress is endpoints, through which public.ecr.aws/aws-observability/aws-for-fluent-bit:3.4.14 cannot be reached; allowed: an image in ECR in eu-central-1",
		},
	},
	"the router's port": {
		map[string]string{"app.port": "24224", "logRouter": router},
		[]string{"logRouter, app.port: the log router listens on 24224; allowed: another port"},
	},
	"a lower limit of scaling above the upper one": {
		map[string]string{"scale.max": "10", "scale.min": "11"},
		[]string{"scale.min, scale.max: 11 is more than 10"},
	},
	"scaling on nothing": {
		map[string]string{"scale.max": "10", "scale.cpu": "false", "scale.memory": "false"},
		[]string{"scale.max, scale.cpu, scale.memory, scale.requests, scale.schedules: the number of tasks may change, but there is nothing to scale on; allowed: one target, or a schedule"},
	},
	"Spot for none of the tasks": {
		map[string]string{"scale.spot": "50", "scale.min": "1"},
		[]string{"scale.spot, scale.max: there is at most 1 task, which runs on demand, so 50 % Spot would have no effect; allowed with: two tasks or more"},
	},
	"a health check that NGINX answers with 404": {
		map[string]string{"ingress.health": "/ready"},
		[]string{"ingress.health, http.paths: /ready is neither / (answered by NGINX) nor below /api (answered by the app)"},
	},
	"hashed names without files": {
		map[string]string{"http.staticHashed": `["/a"]`},
		[]string{"http.staticHashed, http.static: /a has no static files; allowed: a path of http.static, or one below it"},
	},
	"a page to fall back to without files": {
		map[string]string{"http.spaFallback": "true"},
		[]string{"http.spaFallback, http.static: there are no static files, so there is no page to fall back to; allowed with: at least one path"},
	},
	"static files at the app's prefix": {
		map[string]string{"http.static": `{"/api":"/app/public"}`, "app.image": "app:1"},
		[]string{"http.static, http.paths: /api is in both; allowed: in one of them"},
	},
	"static files where the app may write": {
		map[string]string{"http.static": `{"/a":"/tmp/public","/b":"/run/app"}`, "app.image": "app:1", "app.writablePaths": `["/tmp"]`, "app.socket": "true"},
		[]string{
			"http.static, app.writablePaths: the directories /tmp/public and /tmp overlap, but each is a volume; allowed: separate ones",
			"http.static, app.socket: the directories /run/app and /run/app overlap, but each is a volume; allowed: separate ones",
		},
	},
	"a file system in a directory of static files, and one around another": {
		map[string]string{
			"http.static": `{"/a":"/app/public","/b":"/srv/uploads/b"}`, "app.image": "app:1", "network.groups": toEFS,
			"app.volumes": strings.Replace(uploads, "]", ","+strings.Trim(strings.NewReplacer(`"uploads"`, `"shared"`, "/srv/uploads", "/app/public/shared").Replace(uploads), "[]")+"]", 1),
		},
		[]string{
			"app.volumes, http.static: /srv/uploads of uploads and the directory /srv/uploads/b overlap, so the app and NGINX would see different files there; allowed: separate ones",
			"app.volumes, http.static: /app/public/shared of shared and the directory /app/public overlap, so the app and NGINX would see different files there; allowed: separate ones",
		},
	},
	"a history without files, way and role": {
		map[string]string{"http.staticHistory": strings.Replace(history, "}", `,"iam":true}`, 1)},
		[]string{
			"http.staticHistory, http.static: there are no static files to keep; allowed with: at least one path",
			"http.staticHistory, app.policies: the history has iam, but the tasks have no role; allowed with: a policy that grants elasticfilesystem:ClientMount",
			"http.staticHistory, network.groups: the tasks may not connect to EFS; allowed with: port 2049 and the security group of the mount targets",
		},
	},
	"a limit at a path of static files": {
		map[string]string{
			"http.static": `{"/assets":"/app/public"}`, "app.image": "app:1",
			"http.limits.paths": `[{"path":"/assets/login","perMinute":10,"burst":5},{"path":"/api/login","perMinute":10,"burst":5}]`,
		},
		[]string{"http.limits.paths, http.static: /assets/login is a path of static files, whose requests are not counted; allowed: a path of the app's"},
	},
	"a health check at a path of static files": {
		map[string]string{"http.static": `{"/assets":"/app/public"}`, "app.image": "app:1", "http.paths": `["/"]`, "ingress.health": "/assets/up"},
		[]string{"ingress.health, http.static: /assets/up is a path of static files, which NGINX serves whether the app is healthy or not; allowed: /.sidecar/health, or a path of the app's"},
	},
	"static files of a directory that is no volume": {
		map[string]string{"http.static": `{"/a":"/run/app","/b":"/app/public"}`},
		[]string{"http.static, app.context: images/app/Dockerfile does not declare VOLUME /app/public, without which the directory would be empty; allowed: directories that it declares"},
	},
	"a health check with a Host that is not allowed": {
		map[string]string{"http.hosts": `["example.com"]`, "ingress.health": "/api/health"},
		[]string{"http.hosts, ingress.health: the load balancer requests /api/health with the task's address as its Host, which is not among the names; allowed with: /, which is for any Host"},
	},
	"a site's health check below the sidecar's own path": {
		map[string]string{"ingress.health": "/.sidecar/ready", "http.paths": `["/"]`},
		[]string{"ingress.health, http.paths: /.sidecar/ready is neither /.sidecar/health (answered by NGINX) nor below / (answered by the app)"},
	},
	"a delayed stop that the load balancer of a site does not see": {
		map[string]string{"task.stopDelay": "20s", "ingress.health": "/", "http.paths": `["/"]`},
		[]string{"task.stopDelay, ingress.health: the load balancer requests /, but only the page at /.sidecar/health fails during a stop; allowed with: /.sidecar/health"},
	},
	"a health check beside a prefix that begins the same": {
		map[string]string{"ingress.health": "/apis/ready", "http.paths": `["/api","/v1"]`},
		[]string{"ingress.health, http.paths: /apis/ready is neither / (answered by NGINX) nor below /api, /v1 (answered by the app)"},
	},
	"NGINX waits longer than the load balancer": {
		map[string]string{"http.readTimeout": "60s"},
		[]string{"http.readTimeout, ingress.idleTimeout: 1m is not less than 1m; the load balancer would give up before NGINX can answer"},
	},
	"preflight requests of no origin, and a prefix that is none": {
		map[string]string{"http.cors.preflight": "true", "http.paths": `["/"]`, "http.stripPrefix": "true"},
		[]string{
			"http.cors.preflight, http.cors.origins: there are no origins to answer; allowed with: at least one origin",
			"http.stripPrefix, http.paths: the prefix is /, which leaves nothing to cut off; allowed with: paths without it",
		},
	},
	"uploads that reach no app, or one that needs their length": {
		map[string]string{"http.streamUploads": `["/files","/api/v2"]`, "app.protocol": "uwsgi"},
		[]string{
			"http.streamUploads, http.paths: /files does not reach the app; allowed: a path of http.paths, or one below it",
			"http.streamUploads, app.protocol: the variables of CGI hold the length of a body, which is known once it has come; allowed: one of them",
		},
	},
	"fastcgi without a document root, with a prefix and a cache": {
		map[string]string{"app.protocol": "fastcgi", "http.stripPrefix": "true", "overrides.sidecar": `{"NGINX_CACHE_SECONDS":5}`},
		[]string{
			"app.protocol, app.documentRoot: fastcgi needs a document root, and no other protocol has one; allowed: both or none",
			"app.protocol, http.stripPrefix: the scripts of fastcgi are files at their paths, which have no prefix to cut off; allowed: one of them",
			"app.protocol, overrides.sidecar.NGINX_CACHE_SECONDS: only answers of an app that speaks http are cached; allowed: one of them",
		},
	},
	"a document root that is no volume, or one for something else": {
		map[string]string{"app.protocol": "fastcgi", "app.documentRoot": "/app/public", "app.writablePaths": `["/app/public/uploads","/app"]`, "http.static": `{"/build":"/app/public/build"}`,
			"network.groups": toEFS, "app.volumes": strings.Replace(uploads, "/srv/uploads", "/app/public", 1)},
		[]string{
			"app.documentRoot, app.writablePaths: the directories /app/public and /app overlap, but each is a volume; allowed: separate ones",
			"http.static, app.writablePaths: the directories /app/public/build and /app overlap, but each is a volume; allowed: separate ones",
			"http.static, app.documentRoot: the directories /app/public/build and /app/public overlap, but each is a volume; allowed: separate ones",
			"app.volumes, http.static: /app/public of uploads and the directory /app/public/build overlap, so the app and NGINX would see different files there; allowed: separate ones",
			"app.volumes, app.documentRoot: /app/public of uploads would hide the files of /app/public; allowed: a directory below it, or elsewhere",
			"app.documentRoot, app.context: images/app/Dockerfile does not declare VOLUME /app/public, without which the directory would be empty; allowed: directories that it declares",
			"http.static, app.context: images/app/Dockerfile does not declare VOLUME /app/public/build, without which the directory would be empty; allowed: directories that it declares",
		},
	},
	"a limit on a path that can be written in two ways": {
		map[string]string{"http.allow": `["dots"]`, "http.limits.paths": `[{"path":"/api/login","perMinute":10}]`},
		[]string{"http.allow, http.limits.paths: an app may read such a path as the plain one, which would evade the limit; allowed: one of them"},
	},
	"a burst without a rate, and a choice of what is not compressed": {
		map[string]string{"overrides.sidecar": `{"NGINX_RATE_BURST":5,"NGINX_GZIP":"safe","NGINX_GZIP_LEVEL":0}`},
		[]string{
			"overrides.sidecar.NGINX_RATE_BURST, http.limits.perSecond: a burst is set, but no rate; allowed with: perSecond",
			"overrides.sidecar.NGINX_GZIP, overrides.sidecar.NGINX_GZIP_LEVEL: level 0 compresses nothing; allowed: one of them",
		},
	},
	"an idle timeout below the load balancer's": {
		map[string]string{"overrides.sidecar": `{"NGINX_KEEPALIVE_TIMEOUT":30}`},
		[]string{`http: container nginx: NGINX_KEEPALIVE_TIMEOUT: got "30", allowed: more than NGINX_IDLE_TIMEOUT (60 s)`},
	},
	"a Dockerfile that does not exist": {
		map[string]string{"app.dockerfile": "Dockerfile.prod"},
		[]string{`app.dockerfile: "Dockerfile.prod", which is not a file in "images/app"; allowed: a file inside app.context`},
	},
	"a stage of an image that is not built": {
		map[string]string{"app.target": "run", "app.image": "team/app:1"},
		[]string{"app.target, app.image: both are set, but a prebuilt image is not built; allowed: one of them"},
	},
	"build arguments of an image that is not built": {
		map[string]string{"app.buildArgs": `{"VERSION":"1"}`, "app.image": "team/app:1"},
		[]string{"app.buildArgs, app.image: both are set, but a prebuilt image is not built; allowed: one of them"},
	},
	"build arguments of an NGINX that is not built": {
		map[string]string{"http.buildArgs": `{"BASE_IMAGE":"nginx:1"}`, "http.image": "team/nginx:1"},
		[]string{"http.buildArgs, http.image: both are set, but a prebuilt image is not built; allowed: one of them"},
	},
	"one variable in environment and secrets": {
		map[string]string{"app.environment": `{"LEVEL":"1","URL":"a"}`, "app.secrets": `{"URL":"ssm:/url"}`},
		[]string{"app.environment, app.secrets: URL is in both; allowed: in one of them"},
	},
	"a key of another region": {
		map[string]string{"storage.kmsKey": strings.Replace(someKey, "eu-central-1", "us-east-1", 1)},
		[]string{"storage.kmsKey, aws:region: the key is in us-east-1; allowed: one in eu-central-1, like the logs and images"},
	},
	"a certificate that nothing validates": {
		map[string]string{"domain.name": "www.example.com"},
		[]string{"domain.name, domain.zone, domain.certificate: domain is www.example.com, but neither a zone nor a certificate is set; allowed: domain.zone, in which a record validates a new certificate, or domain.certificate"},
	},
	"a zone without a name": {
		map[string]string{"domain.zone": encrypted["domain.zone"]},
		[]string{"domain.zone, domain.name: a zone is set, but no name; allowed: a name in that zone"},
	},
	"no port open": {
		map[string]string{"ingress.http": "false"},
		[]string{"ingress.http, domain.name, domain.certificate: set, but there is no certificate, and port 80 serves the app; allowed with: domain.name and domain.zone, or domain.certificate"},
	},
	"a certificate of another region": {
		map[string]string{"domain.certificate": "arn:aws:acm:us-east-1:123456789012:certificate/1"},
		[]string{"domain.certificate, aws:region: the certificate is in us-east-1; allowed: one in eu-central-1, like the load balancer"},
	},
	"a prefix list that restricts nothing": {
		map[string]string{"ingress.clients": `["0.0.0.0/0","pl-0123456789abcdef0"]`},
		[]string{"ingress.clients: 0.0.0.0/0 admits every client, so another range or list would restrict nothing; allowed: 0.0.0.0/0 alone, or others without it"},
	},
	"a range that restricts nothing": {
		map[string]string{"ingress.clients": `["10.0.0.0/8","0.0.0.0/0"]`},
		[]string{"ingress.clients: 0.0.0.0/0 admits every client, so another range or list would restrict nothing; allowed: 0.0.0.0/0 alone, or others without it"},
	},
	"an IPv6 range that restricts nothing": {
		with(dualstack, map[string]string{"ingress.clients": `["2001:db8::/32","::/0"]`}),
		[]string{"ingress.clients: ::/0 admits every client, so another range or list would restrict nothing; allowed: ::/0 alone, or others without it"},
	},
	"an IPv6 range without IPv6": {
		map[string]string{"ingress.clients": `["0.0.0.0/0","::/0"]`},
		[]string{"ingress.ipv6, ingress.clients: an IPv6 range is given, but the load balancer has IPv4 addresses alone; allowed with: ipv6: true"},
	},
	"IPv6 that nobody may use": {
		with(dualstack, map[string]string{"ingress.clients": `["0.0.0.0/0"]`}),
		[]string{"ingress.ipv6, ingress.clients: true, but no IPv6 range may connect; allowed with: such a range, as in [0.0.0.0/0, ::/0]"},
	},
	"an internal load balancer with IPv6": {
		with(dualstack, map[string]string{"ingress.internal": "true"}),
		[]string{"ingress.ipv6, ingress.internal: both are set, but the subnets of the tasks are looked up for IPv4 alone; allowed: one of them"},
	},
	"credentials of a registry for an image that is built": {
		map[string]string{"app.imageSecret": "secretsmanager:ghcr"},
		[]string{"app.imageSecret, app.image: an image that is built lies in ECR, which needs no such secret; allowed with: image"},
	},
	"IPv6 in a network without": {
		map[string]string{"ingress.ipv6": "true", "ingress.clients": `["0.0.0.0/0","::/0"]`},
		[]string{"ingress.ipv6, network.kind: true, but the network is low-cost, whose subnets have no IPv6 ranges; allowed with: existing"},
	},
	"further names without a first": {
		map[string]string{"domain.aliases": `["example.com"]`},
		[]string{"domain.aliases, domain.name: aliases are set, but no name; allowed: a name, and aliases"},
	},
	"a name twice": {
		with(encrypted, map[string]string{"domain.aliases": `["example.com","www.example.com"]`}),
		[]string{"domain.aliases, domain.name: a name is given twice; allowed: each name once"},
	},
	"a web ACL of another region": {
		map[string]string{"ingress.firewall": "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/shop/1a"},
		[]string{"ingress.firewall, aws:region: the web ACL is in us-east-1; allowed: one in eu-central-1, like the load balancer"},
	},
	"one NAT gateway where there is none": {
		map[string]string{"network.egress": "nat-single"},
		[]string{"network.egress, network.kind: set, but without effect on a network of kind low-cost; allowed with: large"},
	},
	"endpoints in a VPC of somebody else's": {
		map[string]string{"network.egress": "endpoints", "network.kind": "existing", "network.vpc": infratest.ExistingVPC, "network.publicSubnets": public},
		[]string{"network.egress, network.kind: set, but without effect on a network of kind existing; allowed with: large"},
	},
	"endpoints to a public registry": {
		map[string]string{"network.egress": "endpoints", "network.kind": "large", "app.image": "public.ecr.aws/team/app:1"},
		[]string{"network.egress, app.image: egress is endpoints, through which public.ecr.aws/team/app:1 cannot be reached; allowed: an image in ECR in eu-central-1"},
	},
	"endpoints to another region": {
		map[string]string{"network.egress": "endpoints", "network.kind": "large", "http.image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/nginx:1"},
		[]string{"network.egress, http.image: egress is endpoints, through which 123456789012.dkr.ecr.us-east-1.amazonaws.com/nginx:1 cannot be reached; allowed: an image in ECR in eu-central-1"},
	},
	"zones of another region": {
		map[string]string{"network.zones": `["eu-west-1a","eu-central-1b"]`},
		[]string{"network.zones, aws:region: eu-west-1a is in another region; allowed: zones of eu-central-1"},
	},
	"zones of a network that exists": {
		map[string]string{
			"network.kind": "existing", "network.vpc": infratest.ExistingVPC, "network.publicSubnets": public,
			"network.zones": `["eu-central-1a","eu-central-1b"]`,
		},
		[]string{"network.zones, network.kind: set, but without effect on a network of kind existing; allowed with: low-cost, large"},
	},
	"existing network without ids": {
		map[string]string{"network.kind": "existing"},
		[]string{
			"network.kind, network.vpc: the kind is existing, but no VPC is set; allowed: vpc-…",
			"network.kind, network.publicSubnets: the kind is existing, but the number of public subnets is 0; allowed: two or more, each in a different zone",
		},
	},
	"existing network with one public subnet": {
		map[string]string{"network.kind": "existing", "network.vpc": infratest.ExistingVPC, "network.publicSubnets": private},
		[]string{"network.kind, network.publicSubnets: the kind is existing, but the number of public subnets is 1; allowed: two or more, each in a different zone"},
	},
	"a subnet both public and private": {
		map[string]string{
			"network.kind": "existing", "network.vpc": infratest.ExistingVPC, "network.publicSubnets": public,
			"network.privateSubnets": `["subnet-0123456789abcdef1"]`,
		},
		[]string{"network.publicSubnets, network.privateSubnets: subnet-0123456789abcdef1 is in both; allowed: in one of them"},
	},
	"a volume without a way to it": {
		map[string]string{"app.volumes": uploads},
		[]string{"app.volumes, network.groups: the tasks may not connect to EFS; allowed with: port 2049 and the security group of the mount targets"},
	},
	"a volume where the app writes": {
		map[string]string{"app.volumes": uploads, "network.groups": toEFS, "app.writablePaths": `["/srv/uploads"]`},
		[]string{"app.volumes, app.writablePaths, app.socket: /srv/uploads is taken already; allowed: another mountPath"},
	},
	"a volume that asks for a role": {
		map[string]string{"app.volumes": strings.Replace(uploads, "}", `,"iam":true}`, 1), "network.groups": toEFS},
		[]string{"app.volumes, app.policies: uploads has iam, but the tasks have no role; allowed with: a policy that grants elasticfilesystem:ClientMount"},
	},
	"a port open to a group and to any address": {
		map[string]string{
			"network.groups": `[{"port":5432,"id":"` + databaseGroup + `"}]`, "network.ports": "[443,5432]",
		},
		[]string{"network.groups, network.ports: 5432 is in both, so the tasks could reach it at any address; allowed: in one of them"},
	},
	"ids of a network that is made": {
		map[string]string{
			"network.kind": "large", "network.vpc": infratest.ExistingVPC, "network.publicSubnets": public, "network.privateSubnets": private,
		},
		[]string{
			"network.vpc, network.kind: set, but without effect on a network of kind large; allowed with: existing",
			"network.publicSubnets, network.kind: set, but without effect on a network of kind large; allowed with: existing",
			"network.privateSubnets, network.kind: set, but without effect on a network of kind large; allowed with: existing",
		},
	},
}

func TestContradictionsAreRefusedBeforeAnythingIsDeclared(t *testing.T) {
	for name, test := range contradictory {
		t.Run(name, func(t *testing.T) {
			if got := refused(t, defaults(t, test.settings)); !slices.Equal(got, test.want) {
				t.Errorf("error:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

func TestAllErrorsComeAtOnce(t *testing.T) {
	got := refused(t, defaults(t, map[string]string{
		"task.cpu": "300", "scale.min": "none", "network.kind": "existing", "http.port": "3000",
	}))
	for _, key := range []string{"task.cpu: ", "scale.min: ", "network.kind, network.vpc: ", "network.kind, network.publicSubnets: ", "http.port, app.port: "} {
		if !slices.ContainsFunc(got, func(line string) bool { return strings.HasPrefix(line, key) }) {
			t.Errorf("nothing about %q in:\n%s", key, strings.Join(got, "\n"))
		}
	}
	if len(got) != 5 {
		t.Errorf("%d errors; want 5:\n%s", len(got), strings.Join(got, "\n"))
	}
}

// The engine passes settings to the program in the environment. Only there can the program see keys that nobody reads.
func TestUnknownSettingsAreRefusedWithTheNearestKnown(t *testing.T) {
	settings := defaults(t, map[string]string{
		"app.prot": "8081", "app.bodyLimit": "1MiB", "network.groups": `[{"port":5432,"id":"` + databaseGroup + `","addIngresRule":true}]`,
		"containers": `{"agent":{"image":"a:1","user":"1","memroy":64}}`, "scale.colour": "red",
		"appPort": "3001", "desiredCount": "3", "aws:profil": "team", "docker:host": "unix:///x",
		"other:app": "{}", "other:task": "{}",
	})
	text, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(pulumi.EnvConfig, string(text))

	want := []string{
		"aws:profil: unknown setting; nearest: aws:profile",
		"appPort: unknown setting; nearest: app.port",
		"desiredCount: unknown setting; known here: profile, app, http, task, scale, deployment, ingress, domain, login, network, monitoring, storage, schedule, containers, logRouter, overrides",
		"other:app, other:task: namespace other is neither the project's, " + infratest.Project + ", nor a provider's; to rename the project, run make rename NAME=…, which also renames these",
		"app.bodyLimit: unknown setting; nearest: http.bodyLimit",
		"app.prot: unknown setting; nearest: app.port",
		"containers.agent.memroy: unknown setting; nearest: containers.agent.memory",
		"network.groups[0].addIngresRule: unknown setting; nearest: network.groups[0].addIngressRule",
		"scale.colour: unknown setting; known here: min, max, cpu, memory, requests, schedules, spot",
	}
	if got := refused(t, settings); !slices.Equal(got, want) {
		t.Errorf("error:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

const someKey = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"

// scaled lets load decide the number of tasks; night is a schedule that limits it.
var scaled = map[string]string{"scale.max": "10"}

// uploads is a volume, history another one for static files, and toEFS the rule without which no task could mount them.
const (
	uploads = `[{"name":"uploads","fileSystem":"fs-0123456789abcdef0","accessPoint":"fsap-0123456789abcdef1","mountPath":"/srv/uploads"}]`
	history = `{"fileSystem":"fs-0123456789abcdef0","accessPoint":"fsap-0123456789abcdef2"}`
	toEFS   = `[{"port":2049,"id":"` + databaseGroup + `","addIngressRule":true}]`
)

// toDatabase is the rule for a database.
const toDatabase = `[{"port":5432,"id":"` + databaseGroup + `"}]`

// Stacks in which the settings of a list or of a group have an effect.
var (
	mounted    = map[string]string{"app.volumes": uploads, "network.groups": toEFS}
	kept       = map[string]string{"app.image": "app:1", "http.static": `{"/assets":"/app/public"}`, "http.staticHistory": history, "network.groups": toEFS}
	rated      = map[string]string{"http.limits.paths": `[{"path":"/api/login","perMinute":10,"burst":5}]`}
	nightShift = map[string]string{"scale.max": "10", "scale.schedules": night}
	signedIn   = with(encrypted, map[string]string{"login": login(""), "http.headerLimit": "16KiB"})
	reaching   = map[string]string{"network.groups": toDatabase}
	routed     = map[string]string{"logRouter": router}
)

// s3ReadOnly is a policy of AWS's.
const s3ReadOnly = `["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]`

// another is another value of a setting, and the settings of a stack in which it makes a difference.
type another = struct {
	value string
	with  map[string]string
}

// beside changes a container beside the app's.
func beside(member string) another {
	return another{
		`{"agent":{"image":"public.ecr.aws/team/agent:7","user":"1",` + member + `}}`,
		map[string]string{"containers": `{"agent":{"image":"public.ecr.aws/team/agent:7","user":"1"}}`},
	}
}

const nightly = `{"report":{"at":"cron(0 2 * * ? *)","timezone":"Europe/Berlin","command":["npm","run","report"]}}`

const night = `[{"name":"night","at":"cron(0 20 ? * MON-FRI *)","timezone":"Europe/Berlin","min":1,"max":2}]`

// Another allowed value for every setting, and the settings of a stack in which it makes a difference.
var others = map[string]another{
	"app.name":                      {"shop", nil},
	"app.image":                     {"public.ecr.aws/team/app:2", nil},
	"http.image":                    {"public.ecr.aws/team/nginx:2", nil},
	"app.context":                   {"images/nginx", nil},
	"task.architecture":             {"ARM64", nil},
	"storage.forceDelete":           {"false", nil},
	"task.cpu":                      {"512", nil},
	"task.memory":                   {"3072", nil},
	"http.port":                     {"8081", nil},
	"app.port":                      {"3001", nil},
	"task.stopTimeout":              {"61s", nil},
	"app.startTime":                 {"11s", nil},
	"storage.logRetention":          {"1d", nil},
	"scale.min":                     {"3", nil},
	"deployment.timeout":            {"21m", nil},
	"deployment.command":            {`["npm","run","migrate"]`, nil},
	"task.storage":                  {"21GiB", nil},
	"monitoring.containerInsights":  {"enhanced", nil},
	"ingress.kind":                  {"api-gateway", nil},
	"ingress.throttle":              {"999", behindAPI},
	"ingress.health":                {"/api/health", nil},
	"ingress.idleTimeout":           {"31s", nil},
	"http.paths":                    {`["/api","/v2"]`, nil},
	"http.methods":                  {`["GET"]`, nil},
	"http.bodyLimit":                {"1025KiB", nil},
	"http.static":                   {`{"/assets":"/app/public"}`, map[string]string{"app.image": "app:1"}},
	"http.spaFallback":              {"true", map[string]string{"app.image": "app:1", "http.static": `{"/":"/app/public"}`}},
	"http.headerLimit":              {"8KiB", nil},
	"http.hosts":                    {`["example.com","*.example.com"]`, nil},
	"http.limits.perSecond":         {"1", nil},
	"http.limits.concurrent":        {"1", nil},
	"task.stopDelay":                {"18s", nil},
	"app.socket":                    {"true", nil},
	"http.readTimeout":              {"28s", nil},
	"app.keepAlive":                 {"64s", nil},
	"http.allow":                    {`["dots"]`, nil},
	"http.trustedProxies":           {`["130.176.0.0/16"]`, nil},
	"app.dockerfile":                {"Dockerfile.dev", map[string]string{"app.context": "infra/testdata/context"}},
	"app.target":                    {"dependencies", nil},
	"app.buildArgs":                 {`{"VERSION":2}`, nil},
	"http.buildArgs":                {`{"BASE_IMAGE":"nginx@sha256:1"}`, nil},
	"app.command":                   {`["node","other.js"]`, nil},
	"app.health":                    {"/up", nil},
	"app.healthCommand":             {`["CMD-SHELL","curl -f localhost:3000"]`, nil},
	"app.user":                      {"65532", nil},
	"app.writablePaths":             {`["/tmp","/var/cache"]`, nil},
	"app.environment":               {`{"LOG_LEVEL":"debug"}`, nil},
	"app.secrets":                   {`{"DATABASE_URL":"ssm:/shop/database"}`, nil},
	"app.policies":                  {`["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]`, nil},
	"task.exec":                     {"true", nil},
	"storage.kmsKey":                {someKey, nil},
	"deployment.deletionProtection": {"true", nil},
	"scale.max":                     {"10", nil},
	"scale.cpu":                     {"false", scaled},
	"scale.memory":                  {"false", scaled},
	"scale.requests":                {"1000", scaled},
	"scale.spot":                    {"50", nil},
	"profile":                       {"prod", nil},
	"domain.name":                   {"shop.example.com", encrypted},
	"domain.aliases":                {`["example.com"]`, encrypted},
	"ingress.ipv6":                  {"true", with(existing, map[string]string{"ingress.clients": `["pl-0123456789abcdef0"]`})},
	"domain.zone":                   {"Z111", encrypted},
	"domain.certificate":            {certificateARN, encrypted},
	"ingress.http":                  {"false", encrypted},
	"ingress.targetTls":             {"true", nil},
	"ingress.clients":               {`["203.0.113.0/24"]`, nil},
	"network.kind":                  {"large", nil},
	"network.cidr":                  {"10.1.0.0/16", nil},
	"network.zones":                 {`["eu-central-1b","eu-central-1c"]`, nil},
	"network.egress":                {"nat-single", map[string]string{"network.kind": "large"}},
	"network.flowLogs":              {"true", nil},
	"ingress.firewall":              {webACLARN, nil},
	"ingress.accessLogs":            {"true", nil},
	"network.vpc":                   {infratest.ExistingVPC, nil},
	"network.publicSubnets":         {`["subnet-0123456789abcdef3","subnet-0123456789abcdef4"]`, existing},
	"network.privateSubnets":        {`["subnet-0123456789abcdef5"]`, existing},
	"network.ports":                 {"[443,5432]", nil},
	"monitoring.alarms":             {"true", nil},
	"monitoring.email":              {"team@example.com", map[string]string{"monitoring.alarms": "true"}},
	"monitoring.latency":            {"999ms", map[string]string{"monitoring.alarms": "true"}},
	"monitoring.dashboard":          {"true", nil},
	"http.staticHashed":             {`["/"]`, map[string]string{"app.image": "app:1", "http.static": `{"/":"/app/public"}`}},

	"overrides.sidecar":        {`{"NGINX_GZIP":"safe"}`, nil},
	"overrides.targetGroup":    {`{"deregistrationDelay":29}`, nil},
	"overrides.service":        {`{"deploymentMaximumPercent":150}`, nil},
	"overrides.taskDefinition": {`{"enableFaultInjection":true}`, nil},
	"overrides.containers":     {`{"app":{"startTimeout":60}}`, nil},

	"app.volumes[].name":        {strings.Replace(uploads, `"uploads"`, `"files"`, 1), mounted},
	"app.volumes[].fileSystem":  {strings.Replace(uploads, "fs-0123", "fs-1123", 1), mounted},
	"app.volumes[].accessPoint": {strings.Replace(uploads, "fsap-0123", "fsap-1123", 1), mounted},
	"app.volumes[].mountPath":   {strings.Replace(uploads, "/srv/uploads", "/srv/files", 1), mounted},
	"app.volumes[].readOnly":    {strings.Replace(uploads, "}", `,"readOnly":true}`, 1), mounted},
	"app.volumes[].iam":         {strings.Replace(uploads, "}", `,"iam":true}`, 1), with(mounted, map[string]string{"app.policies": s3ReadOnly})},

	"http.staticHistory.fileSystem":  {"fs-1123456789abcdef0", kept},
	"http.staticHistory.accessPoint": {"fsap-1123456789abcdef2", kept},
	"http.staticHistory.iam":         {"true", with(kept, map[string]string{"app.policies": s3ReadOnly})},
	"http.limits.paths[].path":       {`[{"path":"/api/other","perMinute":10,"burst":5}]`, rated},
	"http.limits.paths[].perMinute":  {`[{"path":"/api/login","perMinute":11,"burst":5}]`, rated},
	"http.limits.paths[].burst":      {`[{"path":"/api/login","perMinute":10}]`, rated},

	"scale.schedules[].name":     {strings.Replace(night, `"night"`, `"dark"`, 1), nightShift},
	"scale.schedules[].at":       {strings.Replace(night, "0 20 ?", "0 21 ?", 1), nightShift},
	"scale.schedules[].timezone": {strings.Replace(night, "Europe/Berlin", "Europe/Paris", 1), nightShift},
	"scale.schedules[].min":      {strings.Replace(night, `"min":1`, `"min":2`, 1), nightShift},
	"scale.schedules[].max":      {strings.Replace(night, `"max":2`, `"max":3`, 1), nightShift},

	"ingress.shared.hosts":    {`["store.example.com"]`, behindAnother},
	"ingress.shared.paths":    {`["/v2/*"]`, behindAnother},
	"ingress.shared.priority": {"22", behindAnother},

	"login.issuer":                {"https://other.example.com", signedIn},
	"login.authorizationEndpoint": {"https://other.example.com/authorize", signedIn},
	"login.tokenEndpoint":         {"https://other.example.com/token", signedIn},
	"login.userInfoEndpoint":      {"https://other.example.com/me", signedIn},
	"login.clientId":              {"other", signedIn},
	"login.clientSecret":          {"secretsmanager:shop/other", signedIn},
	"login.scopes":                {`["openid","email"]`, signedIn},
	"login.paths":                 {`["/api"]`, signedIn},

	"network.groups[].port":           {strings.Replace(toDatabase, "5432", "5433", 1), reaching},
	"network.groups[].id":             {strings.Replace(toDatabase, "sg-0123", "sg-1123", 1), reaching},
	"network.groups[].addIngressRule": {strings.Replace(toDatabase, "}", `,"addIngressRule":true}`, 1), reaching},

	"schedule.*.at":       {strings.Replace(nightly, "0 2 *", "0 3 *", 1), map[string]string{"schedule": nightly}},
	"schedule.*.timezone": {strings.Replace(nightly, "Europe/Berlin", "Europe/Paris", 1), map[string]string{"schedule": nightly}},
	"schedule.*.command":  {strings.Replace(nightly, `"report"]`, `"other"]`, 1), map[string]string{"schedule": nightly}},

	"containers.*.image":         beside(`"image":"public.ecr.aws/team/agent:8"`),
	"containers.*.user":          beside(`"user":"2"`),
	"containers.*.command":       beside(`"command":["agent","-v"]`),
	"containers.*.environment":   beside(`"environment":{"LEVEL":"info"}`),
	"containers.*.secrets":       beside(`"secrets":{"KEY":"ssm:/key"}`),
	"containers.*.essential":     beside(`"essential":true`),
	"containers.*.cpu":           beside(`"cpu":64`),
	"containers.*.memory":        beside(`"memory":64`),
	"containers.*.healthCommand": beside(`"healthCommand":["CMD","/agent","health"]`),
	"containers.*.writablePaths": beside(`"writablePaths":["/tmp"]`),

	"logRouter.image":          {"public.ecr.aws/team/fluent-bit:2", routed},
	"logRouter.user":           {"2", routed},
	"logRouter.output":         {`{"Name":"http","Host":"other.example.com"}`, routed},
	"logRouter.secrets":        {`{"http_Passwd":"ssm:/other"}`, routed},
	"app.protocol":             {"uwsgi", nil},
	"app.imageSecret":          {"secretsmanager:other", map[string]string{"app.image": "ghcr.io/team/app:1", "app.imageSecret": "secretsmanager:ghcr"}},
	"app.secretKeys":           {`["` + someKey + `"]`, map[string]string{"app.secrets": `{"TOKEN":"ssm:/token"}`}},
	"containers.*.imageSecret": beside(`"imageSecret":"secretsmanager:ghcr"`),
	"ingress.internal":         {"true", nil},
	"http.headers":             {`{"X-Frame-Options":"DENY"}`, nil},
	"http.streamUploads":       {`["/api/v2"]`, nil},
	"task.permissionsBoundary": {"arn:aws:iam::123456789012:policy/bounds", nil},
	"app.documentRoot":         {"/app/web", map[string]string{"app.image": "app:1", "app.protocol": "fastcgi", "app.documentRoot": "/app/public"}},
	"ingress.sticky":           {"1h", nil},
	"http.stripPrefix":         {"true", nil},
	"http.cors.origins":        {`["https://shop.example.com"]`, nil},
	"http.cors.preflight":      {"true", map[string]string{"http.cors.origins": `["https://shop.example.com"]`}},
}

// A setting in a list or in a group of named objects is changed by another list or group.
func TestEverySettingReachesTheGraph(t *testing.T) {
	for path := range declared(t) {
		other, ok := others[path]
		if path == "network.vpc" || path == "ingress.shared.listener" {
			// Another one would have to hold the same subnets, and be known to the recorder; see
			// TestSubnetsOfAnotherVPCAreRefused and TestAStackBehindTheLoadBalancerOfAnother.
			continue
		}
		if path == "deployment.timeout" {
			continue // it bounds the program's own wait, and changes no resource
		}
		if !ok {
			t.Errorf("%s: no other value to try", path)
			continue
		}
		t.Run(path, func(t *testing.T) {
			before := run(t, defaults(t, other.with))
			place := listed.ReplaceAllString(path, "")
			if after := run(t, defaults(t, with(other.with, map[string]string{place: other.value}))); reflect.DeepEqual(before.Resources, after.Resources) {
				t.Errorf("%s=%s changes nothing", place, other.value)
			}
		})
	}
}

// listed is the part of a path that lies in a list or a group of named objects.
var listed = regexp.MustCompile(`(\[\]|\.\*).*$`)

// with returns the settings of a stack with changes.
func with(settings, changes map[string]string) map[string]string {
	all := map[string]string{}
	maps.Copy(all, settings)
	maps.Copy(all, changes)

	return all
}

func TestSubnetsOfAnotherVPCAreRefused(t *testing.T) {
	settings := defaults(t, existing)
	settings = infratest.With(settings, map[string]string{"network.vpc": "vpc-11111111111111111"})
	_, err := infratest.Run(infra.Program, options(settings))
	for _, id := range []string{"subnet-0123456789abcdef0", "subnet-0123456789abcdef2"} {
		want := "subnet " + id + " is in VPC " + infratest.ExistingVPC + "; allowed: subnets of vpc-11111111111111111"
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error: %v\nwant: …%s…", err, want)
		}
	}
}

// declared are all settings, by their paths.
func declared(t *testing.T) map[string]settings.Setting {
	t.Helper()

	return reader(t).Declared()
}

// reader has read all settings of a stack that sets none.
var reader = func() func(t *testing.T) *settings.Reader {
	var once sync.Once
	var r *settings.Reader
	return func(t *testing.T) *settings.Reader {
		t.Helper()
		once.Do(func() {
			_, err := infratest.Run(func(ctx *pulumi.Context) error {
				r = settings.New(ctx)
				infra.ReadTopics(ctx, r)
				return r.Err()
			}, options(defaults(t, nil)))
			if err != nil {
				t.Fatal(err)
			}
		})
		return r
	}
}()

func TestEveryDeclaredSettingIsDescribedWithItsSource(t *testing.T) {
	for path, setting := range declared(t) {
		if setting.Meaning == "" || setting.Allowed == "" || !strings.HasPrefix(setting.Source, "https://") {
			t.Errorf("%s: %+v", path, setting)
		}
	}
}

func TestOutputsAreReadyToUse(t *testing.T) {
	got := outputs(t, defaults(t, nil))
	want := map[string]string{
		"healthUrl":            got["url"] + "/",
		"availabilityZones":    "[eu-central-1a eu-central-1b]",
		"tailAppLogsCommand":   "aws logs tail " + got["appLogGroup"] + " --follow --region eu-central-1",
		"tailNginxLogsCommand": "aws logs tail " + got["nginxLogGroup"] + " --follow --region eu-central-1",
		"listTasksCommand": fmt.Sprintf("aws ecs list-tasks --cluster %s --service-name %s --region eu-central-1",
			got["clusterName"], got["serviceName"]),
	}
	for key, value := range want {
		if got[key] != value {
			t.Errorf("%s: %s; want %s", key, got[key], value)
		}
	}
	// Invented names end in seven digits of the resource's own.
	for key, pattern := range map[string]string{
		"taskSecurityGroupId": `^web-tasks-[0-9a-f]{7}-id$`,
		"vpcId":               `^vpc-[0-9a-f]{17}$`,
		"publicSubnetIds":     `^\[subnet-[0-9a-f]{17} subnet-[0-9a-f]{17}\]$`,
		"taskSubnetIds":       `^\[subnet-[0-9a-f]{17} subnet-[0-9a-f]{17}\]$`,
		"clusterArn":          `^arn:aws:ecs:eu-central-1:123456789012:cluster/web-[0-9a-f]{7}$`,
		"loadBalancerArn":     `^arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/web-alb-[0-9a-f]{7}`,
		"listenerArn":         `^arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/`,
		"url":                 `^http://web-alb-[0-9a-f]{7}\.eu-central-1\.elb\.amazonaws\.com$`,
		"clusterName":         `^web-[0-9a-f]{7}$`,
		"serviceName":         `^web-[0-9a-f]{7}$`,
		"appLogGroup":         `^web-app-[0-9a-f]{7}$`,
		"nginxLogGroup":       `^web-nginx-[0-9a-f]{7}$`,
		"appImage":            `/web-app-[0-9a-f]{7}@sha256:[0-9a-f]{64}$`,
		"nginxImage":          `/web-nginx-[0-9a-f]{7}@sha256:[0-9a-f]{64}$`,
	} {
		if !regexp.MustCompile(pattern).MatchString(got[key]) {
			t.Errorf("%s: %s; want %s", key, got[key], pattern)
		}
	}
	if len(got) != 20 {
		t.Errorf("%d outputs; want 20", len(got))
	}
}

// outputs returns the stack's outputs as text.
func outputs(t *testing.T, settings map[string]string) map[string]string {
	t.Helper()

	all := map[string]string{}
	_, err := infratest.Run(func(ctx *pulumi.Context) error {
		cfg, err := infra.Read(ctx)
		if err != nil {
			return err
		}
		stack, err := infra.Deploy(ctx, cfg)
		if err != nil {
			return err
		}
		ctx.Export("all", stack.Outputs().ToMapOutput().ApplyT(func(values map[string]any) int {
			for name, value := range values {
				all[name] = fmt.Sprint(value)
			}
			return len(values)
		}))
		return nil
	}, options(settings))
	if err != nil {
		t.Fatal(err)
	}

	return all
}
