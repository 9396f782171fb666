package infra_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"gopkg.in/yaml.v3"

	"fargate-nginx-sidecar/infra"
	"fargate-nginx-sidecar/infra/infratest"
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

const wafAllowed = "off, managed, or arn:aws:wafv2:<region>:<account>:regional/webacl/<name>/<id>, or profile"

const serviceNameAllowed = "1 to 20 characters of a-z, 0-9 and single hyphens, beginning with a letter, but not with aws or ssm; " +
	"reserved: all, and internal, sg, sthree and amzn-s3-demo, alone or before a hyphen"

const domainAllowed = "empty, or a host name in lower case of at most 64 characters, such as www.example.com"

// Values that are wrong by themselves.
var wrong = []struct{ key, value, want string }{
	{"profile", "test", `profile: "test"; allowed: dev, prod`},
	{"aws:region", "", `aws:region: ""; allowed: a region such as eu-central-1`},
	{"aws:region", "Frankfurt", `aws:region: "Frankfurt"; allowed: a region such as eu-central-1`},
	{"serviceName", "", `serviceName: ""; allowed: ` + serviceNameAllowed},
	{"serviceName", "Web", `serviceName: "Web"; allowed: ` + serviceNameAllowed},
	{"serviceName", "a-name-of-21-letters-", `serviceName: "a-name-of-21-letters-"; allowed: ` + serviceNameAllowed},
	{"serviceName", "a-name-of-21-lettersx", `serviceName: "a-name-of-21-lettersx"; allowed: ` + serviceNameAllowed},
	{"serviceName", "internal-tools", `serviceName: "internal-tools"; allowed: ` + serviceNameAllowed},
	{"serviceName", "internal", `serviceName: "internal"; allowed: ` + serviceNameAllowed},
	{"serviceName", "aws-shop", `serviceName: "aws-shop"; allowed: ` + serviceNameAllowed},
	{"serviceName", "ssmart", `serviceName: "ssmart"; allowed: ` + serviceNameAllowed},
	{"serviceName", "sg", `serviceName: "sg"; allowed: ` + serviceNameAllowed},
	{"serviceName", "sg-shop", `serviceName: "sg-shop"; allowed: ` + serviceNameAllowed},
	{"serviceName", "sthree-shop", `serviceName: "sthree-shop"; allowed: ` + serviceNameAllowed},
	{"serviceName", "amzn-s3-demo", `serviceName: "amzn-s3-demo"; allowed: ` + serviceNameAllowed},
	{"serviceName", "all", `serviceName: "all"; allowed: ` + serviceNameAllowed},
	{"appImage", "team/app", `appImage: "team/app"; allowed: empty, or an image with a tag or digest, such as public.ecr.aws/team/app:1.2.3`},
	{"appImage", "localhost:5000/app", `appImage: "localhost:5000/app"; allowed: empty, or an image with a tag or digest, such as public.ecr.aws/team/app:1.2.3`},
	{"nginxImage", "app@sha256:1234", `nginxImage: "app@sha256:1234"; allowed: empty, or an image with a tag or digest, such as public.ecr.aws/team/app:1.2.3`},
	{"nginxImage", "nginx:1 2", `nginxImage: "nginx:1 2"; allowed: empty, or an image with a tag or digest, such as public.ecr.aws/team/app:1.2.3`},
	{"appContext", "/srv/app", `appContext: "/srv/app"; allowed: a relative path inside the project, with forward slashes, such as images/app`},
	{"appContext", "../app", `appContext: "../app"; allowed: a relative path inside the project, with forward slashes, such as images/app`},
	{"nginxContext", `images\nginx`, `nginxContext: "images\\nginx"; allowed: a relative path inside the project, with forward slashes, such as images/app`},
	{"nginxContext", "infra", `nginxContext: "infra" contains no Dockerfile; allowed: a directory that contains one`},
	{"appDockerfile", "/Dockerfile", `appDockerfile: "/Dockerfile"; allowed: a relative path inside appContext, with forward slashes`},
	{"appDockerfile", "../Dockerfile", `appDockerfile: "../Dockerfile"; allowed: a relative path inside appContext, with forward slashes`},
	{"appTarget", "a b", `appTarget: "a b"; allowed: empty, or the name of a stage: letters, digits, dots, hyphens, underscores`},
	{"nginxBuildArgs", `["a"]`, `nginxBuildArgs: "[\"a\"]" is not an object; allowed: an object that maps names to values`},
	{"appBuildArgs", `["a"]`, `appBuildArgs: "[\"a\"]" is not an object; allowed: an object that maps names to values`},
	{"appBuildArgs", `{"A-B":"1"}`, `appBuildArgs: "A-B"; allowed: names of letters, digits and underscores that do not begin with a digit`},
	{"appCommand", `["node",""]`, `appCommand: ["node",""]; allowed: a list of words without an empty one, or an empty list for the image's own command`},
	{"appHealthPath", "", `appHealthPath: ""; allowed: a path of letters, digits, dots, hyphens, underscores and tildes, at most 1024 characters`},
	{"appHealthPath", "/a b", `appHealthPath: "/a b"; allowed: a path of letters, digits, dots, hyphens, underscores and tildes, at most 1024 characters`},
	{"appHealthCommand", `["node","healthcheck.js"]`, `appHealthCommand: ["node","healthcheck.js"]; allowed: CMD, a program and its arguments, or CMD-SHELL and one line, or an empty list`},
	{"appHealthCommand", `["CMD-SHELL","curl","localhost"]`, `appHealthCommand: ["CMD-SHELL","curl","localhost"]; allowed: CMD, a program and its arguments, or CMD-SHELL and one line, or an empty list`},
	{"appUser", "root", `appUser: "root"; allowed: a number above 0, or two with a colon between them, such as 1000:1000`},
	{"appUser", "0:1000", `appUser: "0:1000"; allowed: a number above 0, or two with a colon between them, such as 1000:1000`},
	{"appWritablePaths", `["/"]`, `appWritablePaths: "/"; allowed: a list of: an absolute path below /, such as /tmp`},
	{"appWritablePaths", `["/tmp","/tmp"]`, `appWritablePaths: "/tmp" twice; allowed: each once`},
	{"environment", `{"A":["b"]}`, `environment.A: not a single value; allowed: a string, a number or a boolean`},
	{"environment", `{"1ST":"a"}`, `environment: "1ST"; allowed: names of letters, digits and underscores that do not begin with a digit`},
	{"environment", `{"AWS_ACCESS_KEY_ID":"a"}`, `environment.AWS_ACCESS_KEY_ID: AWS keys are not passed to tasks; allowed: rights granted through taskPolicyArns`},
	{"environment", `{"AWS_SECRET_ACCESS_KEY":"a"}`, `environment.AWS_SECRET_ACCESS_KEY: AWS keys are not passed to tasks; allowed: rights granted through taskPolicyArns`},
	{"environment", `{"AWS_SESSION_TOKEN":"a"}`, `environment.AWS_SESSION_TOKEN: AWS keys are not passed to tasks; allowed: rights granted through taskPolicyArns`},
	{"environment", `{"ECS_ENGINE_AUTH_DATA":"a"}`, `environment.ECS_ENGINE_AUTH_DATA: AWS keys are not passed to tasks; allowed: rights granted through taskPolicyArns`},
	{"environment", `{"KEY":"` + exampleKey + `"}`, `environment.KEY: holds an AWS access key; allowed: rights granted through taskPolicyArns`},
	{"environment", `{"PORT":"80"}`, `environment.PORT: set by the program; allowed: the setting appPort instead`},
	{"secrets", `{"AWS_SECRET_ACCESS_KEY":"ssm:/key"}`, `secrets.AWS_SECRET_ACCESS_KEY: AWS keys are not passed to tasks; allowed: rights granted through taskPolicyArns`},
	{"secrets", `{"DATABASE_URL":"/shop/database"}`, `secrets.DATABASE_URL: "/shop/database"; allowed: ssm:<name of a parameter>, secretsmanager:<name of a secret> or secretsmanager:<name>#<field>`},
	{"secrets", `{"DATABASE_URL":"ssm:/shop/database#field"}`, `secrets.DATABASE_URL: "ssm:/shop/database#field"; allowed: ssm:<name of a parameter>, secretsmanager:<name of a secret> or secretsmanager:<name>#<field>`},
	{"appRestartSeconds", `59`, `appRestartSeconds: 59; allowed: 0 (never), or 60 to 1800 seconds`},
	{"appRestartSeconds", `1801`, `appRestartSeconds: 1801; allowed: 0 to 1800 seconds`},
	{"sidecars", `[]`, `sidecars: "[]"; allowed: an object that maps names to objects with the fields image, command, user, writablePaths, writableRoot, environment, secrets, essential, cpu, memory, healthCommand, restartSeconds`},
	{"sidecars", `{"a":{"image":"a:1","user":"1","port":80}}`, `sidecars: "{\"a\":{\"image\":\"a:1\",\"user\":\"1\",\"port\":80}}"; allowed: an object that maps names to objects with the fields image, command, user, writablePaths, writableRoot, environment, secrets, essential, cpu, memory, healthCommand, restartSeconds`},
	{"sidecars", `{"app":{"image":"a:1","user":"1"}}`, `sidecars: "app"; allowed: names of 1 to 20 of a-z, 0-9 and hyphens that begin with a letter, but not nginx, app, commands, log-router`},
	{"sidecars", `{"Otel":{"image":"a:1","user":"1"}}`, `sidecars: "Otel"; allowed: names of 1 to 20 of a-z, 0-9 and hyphens that begin with a letter, but not nginx, app, commands, log-router`},
	{"sidecars", `{"a":{"image":"a","user":"1"}}`, `sidecars.a.image: "a"; allowed: an image with a tag or digest, such as public.ecr.aws/team/app:1.2.3`},
	{"sidecars", `{"a":{"image":"a:1"}}`, `sidecars.a.user: ""; allowed: a number above 0, or two with a colon between them, such as 1000:1000`},
	{"sidecars", `{"a":{"image":"a:1","user":"0"}}`, `sidecars.a.user: "0"; allowed: a number above 0, or two with a colon between them, such as 1000:1000`},
	{"sidecars", `{"a":{"image":"a:1","user":"1","command":["b",""]}}`, `sidecars.a.command: [b, ]; allowed: a list of words without an empty one`},
	{"sidecars", `{"a":{"image":"a:1","user":"1","writablePaths":["tmp"]}}`, `sidecars.a.writablePaths: "tmp"; allowed: absolute paths below /, such as /tmp, each once`},
	{"sidecars", `{"a":{"image":"a:1","user":"1","writablePaths":["/tmp","/tmp"]}}`, `sidecars.a.writablePaths: "/tmp"; allowed: absolute paths below /, such as /tmp, each once`},
	{"sidecars", `{"a":{"image":"a:1","user":"1","healthCommand":["curl"]}}`, `sidecars.a.healthCommand: [curl]; allowed: CMD, a program and its arguments, or CMD-SHELL and one line`},
	{"sidecars", `{"a":{"image":"a:1","user":"1","cpu":-1}}`, `sidecars.a.cpu: -1; allowed: 0 (what the others leave), or a number of CPU units`},
	{"sidecars", `{"a":{"image":"a:1","user":"1","memory":5}}`, `sidecars.a.memory: 5; allowed: 0 (no limit), or 6 MiB and more`},
	{"sidecars", `{"a":{"image":"a:1","user":"1","restartSeconds":1}}`, `sidecars.a.restartSeconds: 1; allowed: 0 (never), or 60 to 1800 seconds`},
	{"sidecars", `{"a":{"image":"a:1","user":"1","environment":{"A-B":"1"}}}`, `sidecars.a.environment: "A-B"; allowed: names of letters, digits and underscores that do not begin with a digit`},
	{"sidecars", `{"a":{"image":"a:1","user":"1","environment":{"AWS_SECRET_ACCESS_KEY":"1"}}}`, `sidecars.a.environment.AWS_SECRET_ACCESS_KEY: AWS keys are not passed to tasks; allowed: rights granted through taskPolicyArns`},
	{"sidecars", `{"a":{"image":"a:1","user":"1","secrets":{"KEY":"key"}}}`, `sidecars.a.secrets.KEY: "key"; allowed: ssm:<name of a parameter>, secretsmanager:<name of a secret> or secretsmanager:<name>#<field>`},
	{"sidecars", `{"a":{"image":"a:1","user":"1","environment":{"KEY":"1"},"secrets":{"KEY":"ssm:/key"}}}`, `sidecars.a.secrets: KEY is in environment, too; allowed: each variable once`},
	{"sidecars", `{"a":{"image":"a:1","user":"1","environment":{"A":["b"]}}}`, `sidecars: "{\"a\":{\"image\":\"a:1\",\"user\":\"1\",\"environment\":{\"A\":[\"b\"]}}}"; allowed: an object that maps names to objects with the fields image, command, user, writablePaths, writableRoot, environment, secrets, essential, cpu, memory, healthCommand, restartSeconds`},
	{"sidecars", `{"a":{},"b":{},"c":{},"d":{},"e":{},"f":{},"g":{},"h":{}}`, `sidecars: 8 containers; allowed: at most 7`},
	{"logRouter", `{"outputs":{}}`, `logRouter: "{\"outputs\":{}}"; allowed: an object with the fields image, user, output, secrets`},
	{"logRouter", `{"user":"1","output":{"Name":"http"}}`, `logRouter.image: ""; allowed: an image with a tag or digest, such as public.ecr.aws/team/app:1.2.3`},
	{"logRouter", `{"image":"r:1","output":{"Name":"http"}}`, `logRouter.user: ""; allowed: a number above 0, or two with a colon between them, such as 1000:1000`},
	{"logRouter", `{"image":"r:1","user":"1","output":{"name":"http"}}`, `logRouter.output.Name: ""; allowed: the name of one of Fluent Bit's outputs, such as http`},
	{"logRouter", `{"image":"r:1","user":"1","output":{"Name":"s3"}}`, `logRouter.output.Name: s3 writes to the disk, which is read-only; allowed: an output that does not, such as http`},
	{"logRouter", `{"image":"r:1","user":"1","output":{"Name":"http","Match":"*"}}`, `logRouter.output.Match: set by the program; allowed: no value; ECS gives each container its own`},
	{"logRouter", `{"image":"r:1","user":"1","output":{"Name":"http","log-driver-buffer-limit":1}}`, `logRouter.output.log-driver-buffer-limit: set by the program; allowed: the setting logBufferMegabytes instead`},
	{"logRouter", `{"image":"r:1","user":"1","output":{"Name":"http","a b":"1"}}`, `logRouter.output: "a b"; allowed: names of letters, digits, dots, hyphens and underscores that begin with a letter`},
	{"logRouter", `{"image":"r:1","user":"1","output":{"Name":"http","Host":"a\n[INPUT]"}}`, `logRouter.output.Host: "a\n[INPUT]"; allowed: one line`},
	{"logRouter", `{"image":"r:1","user":"1","output":{"Name":"http","Key":"` + exampleKey + `"}}`, `logRouter.output.Key: holds an AWS access key; allowed: rights granted through taskPolicyArns`},
	{"logRouter", `{"image":"r:1","user":"1","output":{"Name":"http","Key":"1"},"secrets":{"Key":"ssm:/key"}}`, `logRouter.output.Key: in secrets, too; allowed: each option once`},
	{"logRouter", `{"image":"r:1","user":"1","output":{"Name":"http"},"secrets":{"Key":"key"}}`, `logRouter.secrets.Key: "key"; allowed: ssm:<name of a parameter>, secretsmanager:<name of a secret> or secretsmanager:<name>#<field>`},
	{"taskEgress", `[{"port":5432,"group":"sg-1"}]`, `taskEgress: "[{\"port\":5432,\"group\":\"sg-1\"}]"; allowed: a list of objects with the fields port, securityGroupId, addIngressRule`},
	{"taskEgress", `[{"port":0,"securityGroupId":"` + databaseGroup + `"}]`, `taskEgress[0].port: 0; allowed: 1 to 65535 (TCP port)`},
	{"taskEgress", `[{"port":5432}]`, `taskEgress[0].securityGroupId: ""; allowed: sg- and 8 or 17 hexadecimal digits`},
	{"taskEgress", `[{"port":5432,"securityGroupId":"` + databaseGroup + `"},{"port":5432,"securityGroupId":"` + databaseGroup + `","addIngressRule":true}]`, `taskEgress[1]: port 5432 of ` + databaseGroup + ` twice; allowed: each once`},
	{"taskPolicyArns", `["ReadOnly"]`, `taskPolicyArns: "ReadOnly"; allowed: a list of: the ARN of an IAM policy that grants less than everything`},
	{"taskPolicyArns", `["arn:aws:iam::aws:policy/AdministratorAccess"]`, `taskPolicyArns: "arn:aws:iam::aws:policy/AdministratorAccess"; allowed: a list of: the ARN of an IAM policy that grants less than everything`},
	{"exec", "on", `exec: "on"; allowed: true, false`},
	{"kmsKeyArn", "alias/key", `kmsKeyArn: "alias/key"; allowed: empty, or the ARN of a key, arn:aws:kms:<region>:<account>:key/<id>`},
	{"architecture", "x86_64", `architecture: "x86_64"; allowed: X86_64, ARM64`},
	{"imagesToKeep", "1", `imagesToKeep: 1; allowed: 2 to 1000 images`},
	{"forceDeleteRepositories", "yes", `forceDeleteRepositories: "yes"; allowed: true, false`},
	{"cpu", "300", `cpu: 300; allowed: 256, 512, 1024, 2048, 4096, 8192, 16384 CPU units (Fargate sizes)`},
	{"cpu", "1 vCPU", `cpu: "1 vCPU" is not a whole number; allowed: 256, 512, 1024, 2048, 4096, 8192, 16384 CPU units (Fargate sizes)`},
	{"memory", "511", `memory: 511; allowed: 512 to 122880 MiB`},
	{"memory", "1024", `memory: 1024 with cpu 1024 is not a Fargate size; allowed: 2048 to 8192 in steps of 1024 MiB`},
	{"memory", "2.5", `memory: "2.5" is not a whole number; allowed: 512 to 122880 MiB`},
	{"containerPort", "80", `containerPort: 80; allowed: 1024 to 65535 (TCP port)`},
	{"appPort", "65536", `appPort: 65536; allowed: 1024 to 65535 (TCP port)`},
	{"stopTimeoutSeconds", "121", `stopTimeoutSeconds: 121; allowed: 2 to 120 seconds`},
	{"containerHealthIntervalSeconds", "4", `containerHealthIntervalSeconds: 4; allowed: 5 to 300 seconds`},
	{"containerHealthTimeoutSeconds", "1", `containerHealthTimeoutSeconds: 1; allowed: 2 to 60 seconds`},
	{"containerHealthRetries", "0", `containerHealthRetries: 0; allowed: 1 to 10 checks`},
	{"containerHealthStartPeriodSeconds", "301", `containerHealthStartPeriodSeconds: 301; allowed: 0 to 300 seconds`},
	{"logRetentionDays", "31", `logRetentionDays: 31; allowed: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653 days, or profile`},
	{"logBufferMegabytes", "0", `logBufferMegabytes: 0; allowed: 1 to 1024 MB`},
	{"desiredCount", "0", `desiredCount: 0; allowed: 1 to 5000 tasks`},
	{"deploymentMaximumPercent", "100", `deploymentMaximumPercent: 100; allowed: 101 to 200 percent`},
	{"deploymentMinimumHealthyPercent", "101", `deploymentMinimumHealthyPercent: 101; allowed: 0 to 100 percent`},
	{"circuitBreaker", "on", `circuitBreaker: "on"; allowed: rollback, stop, off`},
	{"deploymentTimeoutMinutes", "4", `deploymentTimeoutMinutes: 4; allowed: 5 to 120 minutes`},
	{"deployCommand", `["npm",""]`, `deployCommand: ["npm",""]; allowed: a list of words without an empty one, or an empty list for no command`},
	{"scheduledTasks", `[{"name":"a","cron":"x"}]`, `scheduledTasks: "[{\"name\":\"a\",\"cron\":\"x\"}]"; allowed: a list of objects with the fields name, schedule, timezone, command`},
	{"scheduledTasks", `[{"name":"Report","schedule":"rate(1 day)","command":["a"]}]`, `scheduledTasks[0].name: "Report"; allowed: 1 to 20 of a-z, 0-9 and hyphens, beginning with a letter, and each name once`},
	{"scheduledTasks", `[{"name":"a","schedule":"rate(1 day)","command":["a"]},{"name":"a","schedule":"rate(1 day)","command":["a"]}]`, `scheduledTasks[1].name: "a"; allowed: 1 to 20 of a-z, 0-9 and hyphens, beginning with a letter, and each name once`},
	{"scheduledTasks", `[{"name":"a","schedule":"0 6 * * *","command":["a"]}]`, `scheduledTasks[0].schedule: "0 6 * * *"; allowed: at(2030-01-31T08:00:00), rate(5 minutes) or cron(0 8 ? * MON-FRI *)`},
	{"scheduledTasks", `[{"name":"a","schedule":"rate(1 day)","timezone":"+02:00","command":["a"]}]`, `scheduledTasks[0].timezone: "+02:00"; allowed: empty (UTC), or a name such as Europe/Berlin`},
	{"scheduledTasks", `[{"name":"a","schedule":"rate(1 day)","command":[]}]`, `scheduledTasks[0].command: []; allowed: a list of words, none of them empty`},
	{"ephemeralStorageGiB", "20", `ephemeralStorageGiB: 20; allowed: 0 (which is 20 GiB), or 21 to 200 GiB`},
	{"ephemeralStorageGiB", "201", `ephemeralStorageGiB: 201; allowed: 0 to 200 GiB`},
	{"volumes", `[{"path":"/a"}]`, `volumes: "[{\"path\":\"/a\"}]"; allowed: a list of objects with the fields name, fileSystemId, accessPointId, mountPath, readOnly, iam`},
	{"volumes", strings.Replace(uploads, "uploads", "Uploads", 1), `volumes[0].name: "Uploads"; allowed: 1 to 20 of a-z, 0-9 and hyphens, beginning with a letter, and each name once`},
	{"volumes", strings.Replace(uploads, "fs-", "file-", 1), `volumes[0].fileSystemId: "file-0123456789abcdef0"; allowed: fs- and 8 or 17 hexadecimal digits`},
	{"volumes", strings.Replace(uploads, "fsap-", "fs-", 1), `volumes[0].accessPointId: "fs-0123456789abcdef1"; allowed: fsap- and 8 or 17 hexadecimal digits`},
	{"volumes", strings.Replace(uploads, "/srv/uploads", "/srv/../etc", 1), `volumes[0].mountPath: "/srv/../etc"; allowed: an absolute path below /, such as /data, and each path once`},
	{"zoneRebalancing", "ENABLED", `zoneRebalancing: "ENABLED"; allowed: enabled, disabled`},
	{"containerInsights", "on", `containerInsights: "on"; allowed: disabled, enabled, enhanced`},
	{"autoscaling", "true", `autoscaling: "true"; allowed: on, off, or profile`},
	{"minCount", "0", `minCount: 0; allowed: 1 to 5000 tasks`},
	{"maxCount", "5001", `maxCount: 5001; allowed: 1 to 5000 tasks`},
	{"scaleOnCpuPercent", "101", `scaleOnCpuPercent: 101; allowed: 0 to 100 percent`},
	{"scaleOnMemoryPercent", "-1", `scaleOnMemoryPercent: -1; allowed: 0 to 100 percent`},
	{"scaleOnRequestsPerTask", "many", `scaleOnRequestsPerTask: "many" is not a whole number; allowed: 0 to 10000000 requests a minute`},
	{"scaleInCooldownSeconds", "3601", `scaleInCooldownSeconds: 3601; allowed: 0 to 3600 seconds`},
	{"scaleOutCooldownSeconds", "-1", `scaleOutCooldownSeconds: -1; allowed: 0 to 3600 seconds`},
	{"spotPercent", "101", `spotPercent: 101; allowed: 0 to 100 percent`},
	{"onDemandBase", "0", `onDemandBase: 0; allowed: 1 to 5000 tasks`},
	{"scheduledScaling", `[{"cron":"x"}]`, `scheduledScaling: "[{\"cron\":\"x\"}]"; allowed: a list of objects with the fields name, schedule, timezone, min, max`},
	{"scheduledScaling", `[{"name":"Night","schedule":"rate(1 day)","max":1}]`, `scheduledScaling[0].name: "Night"; allowed: 1 to 20 of a-z, 0-9 and hyphens, beginning with a letter, and each name once`},
	{"scheduledScaling", `[{"name":"night","schedule":"0 20 * * *","max":1}]`, `scheduledScaling[0].schedule: "0 20 * * *"; allowed: at(2030-01-31T08:00:00), rate(5 minutes) or cron(0 8 ? * MON-FRI *)`},
	{"scheduledScaling", `[{"name":"night","schedule":"rate(1 day)","timezone":"+02:00","max":1}]`, `scheduledScaling[0].timezone: "+02:00"; allowed: empty (UTC), or a name such as Europe/Berlin`},
	{"scheduledScaling", `[{"name":"night","schedule":"rate(1 day)","min":2,"max":1}]`, `scheduledScaling[0].min: 2 and max 1; allowed: 0 <= min <= max <= 5000, max at least 1`},
	{"ingress", "nlb", `ingress: "nlb"; allowed: alb, shared, api-gateway`},
	{"sharedLoadBalancer", `{"listener":"x"}`, `sharedLoadBalancer: "{\"listener\":\"x\"}"; allowed: an object with the fields listenerArn, hosts, paths, priority`},
	{"oidc", `{"domain":"x"}`, `oidc: "{\"domain\":\"x\"}"; allowed: an object with the fields issuer, authorizationEndpoint, tokenEndpoint, userInfoEndpoint, clientId, clientSecret, scopes, paths`},
	{"throttlePerSecond", "0", `throttlePerSecond: 0; allowed: 1 to 1000000 requests a second`},
	{"throttleBurst", "0", `throttleBurst: 0; allowed: 1 to 1000000 requests`},
	{"healthCheckPath", "health", `healthCheckPath: "health"; allowed: empty, or a path of letters, digits, dots, hyphens, underscores and tildes, at most 1024 characters`},
	{"healthCheckPath", "/a?b", `healthCheckPath: "/a?b"; allowed: empty, or a path of letters, digits, dots, hyphens, underscores and tildes, at most 1024 characters`},
	{"pathPrefixes", `[]`, `pathPrefixes: []; allowed: at least one: /, or a path such as /api or /v1/orders, of letters, digits, dots, hyphens and underscores`},
	{"pathPrefixes", `["api"]`, `pathPrefixes: "api"; allowed: a list of: /, or a path such as /api or /v1/orders, of letters, digits, dots, hyphens and underscores`},
	{"staticFiles", `{"assets":"/app/public"}`, `staticFiles: "assets"; allowed: /, or a path such as /assets, of letters, digits, hyphens and underscores`},
	{"staticFiles", `{"/assets":"public"}`, `staticFiles./assets: "public"; allowed: a directory of the app's image, such as /app/public`},
	{"staticFiles", `{"/assets":"/app/../etc"}`, `staticFiles./assets: "/app/../etc"; allowed: a directory of the app's image, such as /app/public`},
	{"encodedSlashes", "on", `encodedSlashes: "on"; allowed: true, false`},
	{"staticFilesHistory", `{"path":"/a"}`, `staticFilesHistory: "{\"path\":\"/a\"}"; allowed: an object with the fields fileSystemId, accessPointId, iam`},
	{"staticFilesHistory", strings.Replace(history, "fs-", "file-", 1), `staticFilesHistory.fileSystemId: "file-0123456789abcdef0"; allowed: fs- and 8 or 17 hexadecimal digits`},
	{"staticFilesHistory", `{"fileSystemId":"fs-01234567"}`, `staticFilesHistory.accessPointId: ""; allowed: fsap- and 8 or 17 hexadecimal digits`},
	{"staticFilesHashed", `["assets"]`, `staticFilesHashed: "assets"; allowed: a list of: /, or a path such as /assets, of letters, digits, hyphens and underscores`},
	{"spaFallback", "on", `spaFallback: "on"; allowed: true, false`},
	{"headerLimitKilobytes", "17", `headerLimitKilobytes: 17; allowed: 2 to 16 KiB`},
	{"allowedHosts", `["Example.com"]`, `allowedHosts: "Example.com"; allowed: a list of: a host name in lower case, such as www.example.com or *.example.com`},
	{"allowedHosts", `["a.*.com"]`, `allowedHosts: "a.*.com"; allowed: a list of: a host name in lower case, such as www.example.com or *.example.com`},
	{"pathRateLimits", `[{"path":"/api/login","rate":1}]`, `pathRateLimits: "[{\"path\":\"/api/login\",\"rate\":1}]"; allowed: a list of objects with the fields path, perMinute, burst`},
	{"pathRateLimits", `[{"path":"/","perMinute":1}]`, `pathRateLimits[0].path: "/"; allowed: a path such as /api/login, of letters, digits, dots, hyphens and underscores`},
	{"pathRateLimits", `[{"path":"/api","burst":1}]`, `pathRateLimits[0].perMinute: 0; allowed: 1 to 999999 requests a minute`},
	{"pathRateLimits", `[{"path":"/api","perMinute":1,"burst":-1}]`, `pathRateLimits[0].burst: -1; allowed: 0 to 99999 requests`},
	{"pathRateLimits", "[" + strings.Repeat(`{"path":"/api","perMinute":1},`, 10) + `{"path":"/api","perMinute":1}]`, `pathRateLimits: 11 limits; allowed: at most 10`},
	{"pathPrefixes", `["/","/api"]`, `pathPrefixes: /, /api; allowed: / alone, which covers all the others, or paths without it`},
	{"pathPrefixes", `["/api/"]`, `pathPrefixes: "/api/"; allowed: a list of: /, or a path such as /api or /v1/orders, of letters, digits, dots, hyphens and underscores`},
	{"pathPrefixes", `["/api/"]`, `pathPrefixes: "/api/"; allowed: a list of: /, or a path such as /api or /v1/orders, of letters, digits, dots, hyphens and underscores`},
	{"pathPrefixes", `["/a|b"]`, `pathPrefixes: "/a|b"; allowed: a list of: /, or a path such as /api or /v1/orders, of letters, digits, dots, hyphens and underscores`},
	{"allowedMethods", `["TRACE"]`, `allowedMethods: "TRACE"; allowed: a list of: one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS`},
	{"bodyLimitKilobytes", "0", `bodyLimitKilobytes: 0; allowed: 1 to 1048576 KiB`},
	{"rateLimitPerSecond", "-1", `rateLimitPerSecond: -1; allowed: 0 to 100000 requests a second`},
	{"rateLimitBurst", "100001", `rateLimitBurst: 100001; allowed: 0 to 100000 requests`},
	{"readTimeoutSeconds", "4000", `readTimeoutSeconds: 4000; allowed: 0 to 3999 seconds`},
	{"appKeepAliveSeconds", "5001", `appKeepAliveSeconds: 5001; allowed: 0 to 5000 seconds`},
	{"appKeepAliveSeconds", "1", `appKeepAliveSeconds: 1; allowed: 0, or 2 to 5000 seconds, because NGINX closes connections a second before the app does`},
	{"clientTimeoutSeconds", "0", `clientTimeoutSeconds: 0; allowed: 1 to 300 seconds`},
	{"gzipLevel", "10", `gzipLevel: 10; allowed: 0 to 9 (0 is off)`},
	{"cacheSeconds", "3601", `cacheSeconds: 3601; allowed: 0 to 3600 seconds`},
	{"accessLog", "xml", `accessLog: "xml"; allowed: json, text, off`},
	{"logHealthChecks", "on", `logHealthChecks: "on"; allowed: true, false`},
	{"trustedProxies", `["10.0.0.1/16"]`, `trustedProxies: "10.0.0.1/16"; allowed: a list of: an address range without host bits, such as 130.176.0.0/16 or 2600:9000::/28, with IPv4 addresses in their own form`},
	{"trustedProxies", `["::ffff:1.2.3.0/120"]`, `trustedProxies: "::ffff:1.2.3.0/120"; allowed: an address range without host bits, such as 130.176.0.0/16 or 2600:9000::/28, with IPv4 addresses in their own form`},
	{"pathPrefixes", `["/a/..b"]`, `pathPrefixes: "/a/..b"; allowed: a list of: /, or a path such as /api or /v1/orders, of letters, digits, dots, hyphens and underscores`},
	{"pathPrefixes", `["/.sidecar"]`, `pathPrefixes: "/.sidecar"; allowed: a list of: /, or a path such as /api or /v1/orders, of letters, digits, dots, hyphens and underscores`},
	{"trustedProxies", `["everyone"]`, `trustedProxies: "everyone"; allowed: a list of: an address range without host bits, such as 130.176.0.0/16 or 2600:9000::/28, with IPv4 addresses in their own form`},
	{"nginxWorkers", "65", `nginxWorkers: 65; allowed: 0 to 64 processes`},
	{"healthCheckIntervalSeconds", "301", `healthCheckIntervalSeconds: 301; allowed: 5 to 300 seconds`},
	{"healthCheckTimeoutSeconds", "1", `healthCheckTimeoutSeconds: 1; allowed: 2 to 120 seconds`},
	{"healthyThreshold", "1", `healthyThreshold: 1; allowed: 2 to 10 checks`},
	{"unhealthyThreshold", "11", `unhealthyThreshold: 11; allowed: 2 to 10 checks`},
	{"healthCheckGracePeriodSeconds", "-1", `healthCheckGracePeriodSeconds: -1; allowed: 0 to 2147483647 seconds`},
	{"deregistrationDelaySeconds", "3601", `deregistrationDelaySeconds: 3601; allowed: 0 to 3600 seconds`},
	{"clientKeepAliveSeconds", "59", `clientKeepAliveSeconds: 59; allowed: 60 to 604800 seconds`},
	{"idleTimeoutSeconds", "4", `idleTimeoutSeconds: 4; allowed: 5 to 4000 seconds`},
	{"deletionProtection", "true", `deletionProtection: "true"; allowed: on, off, or profile`},
	{"domain", "WWW.example.com", `domain: "WWW.example.com"; allowed: ` + domainAllowed},
	{"domain", "localhost", `domain: "localhost"; allowed: ` + domainAllowed},
	{"domain", "*.example.com", `domain: "*.example.com"; allowed: ` + domainAllowed},
	{"domain", strings.Repeat("a", 53) + ".example.com", `domain: "` + strings.Repeat("a", 53) + `.example.com"; allowed: ` + domainAllowed},
	{"hostedZoneId", "example.com", `hostedZoneId: "example.com"; allowed: empty, or up to 32 digits and capital letters`},
	{"certificateArn", "arn:aws:iam::123456789012:server-certificate/old", `certificateArn: "arn:aws:iam::123456789012:server-certificate/old"; allowed: empty, or arn:aws:acm:<region>:<account>:certificate/<id>`},
	{"tlsPolicy", "ELBSecurityPolicy-2016-08", `tlsPolicy: "ELBSecurityPolicy-2016-08"; allowed: ELBSecurityPolicy-TLS13-1-2-Res-2021-06, ELBSecurityPolicy-TLS13-1-3-2021-06`},
	{"targetTls", "true", `targetTls: "true"; allowed: on, off, or profile`},
	{"http", "forward", `http: "forward"; allowed: redirect, none`},
	{"clientCidrs", `["203.0.113.1/24"]`, `clientCidrs: "203.0.113.1/24"; allowed: a list of: a range without host bits, such as 203.0.113.0/24 or 2001:db8::/32`},
	{"clientCidrs", `["2001:db8::1/32"]`, `clientCidrs: "2001:db8::1/32"; allowed: a list of: a range without host bits, such as 203.0.113.0/24 or 2001:db8::/32`},
	{"clientCidrs", `["::ffff:203.0.113.0/120"]`, `clientCidrs: "::ffff:203.0.113.0/120"; allowed: a list of: a range without host bits, such as 203.0.113.0/24 or 2001:db8::/32`},
	{"domainAliases", `["EXAMPLE.com"]`, `domainAliases: "EXAMPLE.com"; allowed: a list of: a host name in lower case of at most 64 characters, such as example.com`},
	{"domainAliases", `["a.example.com","b.example.com","c.example.com","d.example.com","e.example.com","f.example.com","g.example.com","h.example.com","i.example.com","j.example.com"]`,
		`domainAliases: 10 names; allowed: at most 9`},
	{"ipAddressType", "ipv6", `ipAddressType: "ipv6"; allowed: ipv4, dualstack`},
	{"clientPrefixListId", "cloudfront", `clientPrefixListId: "cloudfront"; allowed: empty, or pl- and 8 or 17 hexadecimal digits`},
	{"network", "private", `network: "private"; allowed: low-cost, large, existing`},
	{"vpcCidr", "10.0.0.0/15", `vpcCidr: "10.0.0.0/15"; allowed: a private IPv4 range of /16 to /24 without host bits, such as 10.0.0.0/16`},
	{"vpcCidr", "10.0.0.1/16", `vpcCidr: "10.0.0.1/16"; allowed: a private IPv4 range of /16 to /24 without host bits, such as 10.0.0.0/16`},
	{"vpcCidr", "8.8.0.0/16", `vpcCidr: "8.8.0.0/16"; allowed: a private IPv4 range of /16 to /24 without host bits, such as 10.0.0.0/16`},
	{"vpcCidr", "fd00::/16", `vpcCidr: "fd00::/16"; allowed: a private IPv4 range of /16 to /24 without host bits, such as 10.0.0.0/16`},
	{"availabilityZones", `["us-east-1-atl-1a","us-east-1a"]`, `availabilityZones: "us-east-1-atl-1a"; allowed: a list of: an availability zone such as eu-central-1a`},
	{"availabilityZones", `["eu-central-1a"]`, `availabilityZones: 1 given; allowed: two, or none (the program then chooses two)`},
	{"waf", "on", `waf: "on"; allowed: ` + wafAllowed},
	{"waf", "arn:aws:wafv2:us-east-1:123456789012:global/webacl/a/1", `waf: "arn:aws:wafv2:us-east-1:123456789012:global/webacl/a/1"; allowed: ` + wafAllowed},
	{"wafRateLimit", "9", `wafRateLimit: 9; allowed: 10 to 2000000000 requests in five minutes`},
	{"egress", "nat", `egress: "nat"; allowed: nat-per-az, nat-single, endpoints, public`},
	{"flowLogs", "true", `flowLogs: "true"; allowed: on, off, or profile`},
	{"accessLogs", "yes", `accessLogs: "yes"; allowed: on, off, or profile`},
	{"trafficLogDays", "0", `trafficLogDays: 0; allowed: 1 to 3650 days, or profile`},
	{"forceDeleteTrafficLogs", "on", `forceDeleteTrafficLogs: "on"; allowed: true, false`},
	{"vpcId", "vpc-xyz", `vpcId: "vpc-xyz"; allowed: empty, or vpc- and 8 or 17 hexadecimal digits`},
	{"publicSubnetIds", `subnet-1`, `publicSubnetIds: "subnet-1" is not a list; allowed: a list of: subnet- and 8 or 17 hexadecimal digits`},
	{"publicSubnetIds", `["subnet-1"]`, `publicSubnetIds: "subnet-1"; allowed: a list of: subnet- and 8 or 17 hexadecimal digits`},
	{"privateSubnetIds", `[1]`, `privateSubnetIds: "[1]" is not a list; allowed: a list of: subnet- and 8 or 17 hexadecimal digits`},
	{"alarms", "yes", `alarms: "yes"; allowed: on, off, or profile`},
	{"alarmEmail", "team", `alarmEmail: "team"; allowed: empty, or an address such as team@example.com`},
	{"alarmEmail", "Team <team@example.com>", `alarmEmail: "Team <team@example.com>"; allowed: empty, or an address such as team@example.com`},
	{"alarmErrorPercent", "0", `alarmErrorPercent: 0; allowed: 1 to 100 percent`},
	{"alarmLatencyMilliseconds", "0", `alarmLatencyMilliseconds: 0; allowed: 1 to 3600000 milliseconds`},
	{"alarmUtilizationPercent", "101", `alarmUtilizationPercent: 101; allowed: 1 to 100 percent`},
	{"rollbackOnAlarms", "on", `rollbackOnAlarms: "on"; allowed: true, false`},
	{"logMetrics", "true", `logMetrics: "true"; allowed: on, off, or profile`},
	{"dashboard", "", `dashboard: ""; allowed: on, off, or profile`},
	{"taskEgressPorts", `[443,0]`, `taskEgressPorts: 0; allowed: a list of: 1 to 65535 (TCP port)`},
	{"taskEgressPorts", `[443,443]`, `taskEgressPorts: 443 twice; allowed: each once`},
	{"taskEgressPorts", `[80]`, `taskEgressPorts: [80]; allowed: a list that contains 443, the port through which the tasks pull images and write logs`},
	{"taskEgressPorts", `[]`, `taskEgressPorts: []; allowed: a list that contains 443, the port through which the tasks pull images and write logs`},
}

func TestWrongSettingsAreRefusedBeforeAnythingIsDeclared(t *testing.T) {
	for _, test := range wrong {
		t.Run(test.key+"="+test.value, func(t *testing.T) {
			settings := defaults(t, nil)
			maps.Copy(settings, infratest.Namespaced(map[string]string{test.key: test.value}))
			if got := refused(t, settings); !slices.Equal(got, []string{test.want}) {
				t.Errorf("error:\n%s\nwant:\n%s", strings.Join(got, "\n"), test.want)
			}
		})
	}
}

func TestNamesThatOnlyResembleReservedOnesAreAccepted(t *testing.T) {
	for _, name := range []string{"awesome", "sgx", "sthrees", "allowed", "internals", "amzn-s3"} {
		run(t, defaults(t, map[string]string{"serviceName": name}))
	}
}

// Values that are allowed by themselves but contradict each other; each message names every key involved.
var contradictory = map[string]struct {
	settings map[string]string
	want     []string
}{
	"a listener, but a load balancer of its own": {
		map[string]string{"sharedLoadBalancer": behindAnother["sharedLoadBalancer"]},
		[]string{"sharedLoadBalancer, ingress: given, but ingress is alb; allowed with: shared"},
	},
	"a shared load balancer without one": {
		with(existing, map[string]string{"ingress": "shared"}),
		[]string{"ingress, sharedLoadBalancer: ingress is shared, but the listener or what is for this stack is missing; allowed: a listenerArn, and hosts or paths"},
	},
	"a shared load balancer in a network of its own": {
		map[string]string{"ingress": "shared", "sharedLoadBalancer": behindAnother["sharedLoadBalancer"]},
		[]string{"ingress, network: ingress is shared, but network is low-cost; allowed with: existing, the network of the load balancer"},
	},
	"a listener in another region": {
		with(behindAnother, map[string]string{
			"sharedLoadBalancer": strings.Replace(behindAnother["sharedLoadBalancer"], "eu-central-1", "us-east-1", 1),
		}),
		[]string{"sharedLoadBalancer, aws:region: the listener is in us-east-1; allowed: one in eu-central-1, like the tasks"},
	},
	"what belongs to the load balancer's owner": {
		with(behindAnother, map[string]string{
			"certificateArn": certificateARN, "clientPrefixListId": "pl-0123456789abcdef0", "clientCidrs": "[]",
			"accessLogs": "on", "waf": "managed",
		}),
		[]string{
			"certificateArn, ingress: given, but ingress is shared, and this belongs to the load balancer's owner; allowed with: alb",
			"clientPrefixListId, ingress: given, but ingress is shared, and this belongs to the load balancer's owner; allowed with: alb",
			"accessLogs, ingress: given, but ingress is shared, and this belongs to the load balancer's owner; allowed with: alb",
			"waf, ingress: a firewall is given, but ingress is shared; allowed with: alb",
		},
	},
	"what an API cannot do": {
		with(behindAPI, map[string]string{
			"idleTimeoutSeconds": "31", "targetTls": "on", "clientCidrs": `["203.0.113.0/24"]`, "healthCheckPath": "/api/health",
			"bodyLimitKilobytes": "10241", "trustedProxies": `["203.0.113.0/24"]`, "scaleOnRequestsPerTask": "1", "waf": "managed",
		}),
		[]string{
			"idleTimeoutSeconds, ingress: 31 is more than 30, and API Gateway waits no longer for an answer",
			"targetTls, ingress: given, but ingress is api-gateway, and API Gateway accepts no certificate that a task has made itself; allowed with: alb",
			"clientCidrs, ingress: given, but ingress is api-gateway, and an HTTP API is open to every address; allowed with: alb",
			"healthCheckPath, ingress: given, but ingress is api-gateway, and there is no load balancer that would ask it; allowed with: alb",
			"waf, ingress: a firewall is given, but ingress is api-gateway; allowed with: alb",
			"bodyLimitKilobytes, ingress: ingress is api-gateway, and API Gateway takes no body above 10240",
			"trustedProxies, ingress: ingress is api-gateway, and API Gateway names only whoever connects to it",
			"scaleOnRequestsPerTask, ingress: ingress is api-gateway, and only a load balancer counts the requests of a task",
		},
	},
	"a login without HTTPS": {
		map[string]string{"oidc": login(""), "headerLimitKilobytes": "16"},
		[]string{"oidc, domain, certificateArn: a login is given, but there is no certificate, and a load balancer asks for a login only over HTTPS; allowed with: a domain or certificateArn"},
	},
	"a login at an API": {
		with(behindAPI, map[string]string{"oidc": login(""), "headerLimitKilobytes": "16"}),
		[]string{"oidc, ingress: a login is given, but ingress is api-gateway, which has none; allowed with: alb, shared"},
	},
	"cookies of a login that are too long": {
		with(encrypted, map[string]string{"oidc": login("")}),
		[]string{"oidc, headerLimitKilobytes: 8 is less than the 16 KiB that the cookies of a login can have; allowed: 16"},
	},
	"a login on a path that can be written in two ways": {
		with(encrypted, map[string]string{"oidc": login(`,"paths":["/api/admin"]`), "headerLimitKilobytes": "16", "encodedSlashes": "true"}),
		[]string{"encodedSlashes, oidc: an app may take an encoded slash for a plain one, and such a path would evade the login; allowed: one of them, or a login for all paths"},
	},
	"a login with too many paths": {
		with(behindAnother, map[string]string{"oidc": login(`,"paths":["/a","/b","/c"]`), "headerLimitKilobytes": "16"}),
		[]string{"oidc, sharedLoadBalancer: 3 paths of the login and 2 hosts, beside the callback; allowed: at most 4 together"},
	},
	"an address for no alarms": {
		map[string]string{"alarmEmail": "team@example.com"},
		[]string{"alarmEmail, alarms: an address is given, but alarms is off, so no alarm would ever be sent to it"},
	},
	"alarms on tasks that nobody counts": {
		map[string]string{"alarms": "on", "containerInsights": "disabled"},
		[]string{"alarms, containerInsights: alarms is on, but containerInsights is disabled, " +
			"so nothing would count the running tasks; allowed: enabled, enhanced"},
	},
	"an alarm that never goes off": {
		map[string]string{"alarms": "on", "alarmLatencyMilliseconds": "29000"},
		[]string{"alarmLatencyMilliseconds, idleTimeoutSeconds: 29000 ms is not less than 29000 ms, " +
			"after which NGINX gives up, so the alarm would never go off"},
	},
	"one port twice": {
		map[string]string{"containerPort": "3000"},
		[]string{"containerPort, appPort: both are 3000, but the containers of a task share one network interface"},
	},
	"killed while draining": {
		map[string]string{"stopTimeoutSeconds": "29"},
		[]string{"stopTimeoutSeconds, deregistrationDelaySeconds: 29 is less than 30; a task would be killed while it may still be answering requests"},
	},
	"a stop before the load balancer has noticed": {
		map[string]string{"stopDelaySeconds": "20"},
		[]string{"stopDelaySeconds, healthCheckIntervalSeconds, unhealthyThreshold: 20 is less than 6 × 10; NGINX would stop before the load balancer has noticed"},
	},
	"a stop that the load balancer does not ask about": {
		map[string]string{"stopDelaySeconds": "20", "healthCheckPath": "/api/health"},
		[]string{"stopDelaySeconds, healthCheckPath: the load balancer asks /api/health, but only the page at / tells it about a stop; allowed with: /"},
	},
	"a stop longer than its time": {
		map[string]string{"stopDelaySeconds": "22", "unhealthyThreshold": "3"},
		[]string{"stopDelaySeconds, readTimeoutSeconds, stopTimeoutSeconds: 22 and a request of 29 are more than the 50 that NGINX has before it is killed"},
	},
	"a stop longer than Spot gives": {
		map[string]string{"stopDelaySeconds": "20", "unhealthyThreshold": "3", "stopTimeoutSeconds": "72", "spotPercent": "50"},
		[]string{"stopDelaySeconds, readTimeoutSeconds, stopTimeoutSeconds, spotPercent: 20, a request of 29 and up to 72 for the app's own stop are more than 120; Spot gives a task no more time"},
	},
	"two volumes in one directory": {
		map[string]string{"appListen": "socket", "appWritablePaths": `["/run/app"]`},
		[]string{"appListen, appWritablePaths: /run/app is the directory of the socket, which the app may write to anyway"},
	},
	"container checks overlap": {
		map[string]string{"containerHealthTimeoutSeconds": "6"},
		[]string{"containerHealthTimeoutSeconds, containerHealthIntervalSeconds: 6 is more than 5; checks would overlap"},
	},
	"load balancer's checks overlap": {
		map[string]string{"healthCheckTimeoutSeconds": "6"},
		[]string{"healthCheckTimeoutSeconds, healthCheckIntervalSeconds: 6 is not less than 6; checks would overlap"},
	},
	"buffers that need too much memory": {
		map[string]string{"logBufferMegabytes": "513"},
		[]string{"logBufferMegabytes, memory: the buffers of 2 containers, 513 MB each, would need more than half of 2048 MiB"},
	},
	"buffers of more containers that need too much memory": {
		map[string]string{"logBufferMegabytes": "257", "sidecars": "{" + agent + "}", "logRouter": router},
		[]string{"logBufferMegabytes, memory: the buffers of 4 containers, 257 MB each, would need more than half of 2048 MiB"},
	},
	"further containers that take the whole task": {
		map[string]string{"sidecars": `{"a":{"image":"a:1","user":"1","cpu":512,"memory":1024},"b":{"image":"a:1","user":"1","cpu":512,"memory":1024}}`},
		[]string{
			"sidecars, cpu: the containers ask for 1024 of the task's 1024 CPU units, which leaves none for NGINX and the app; allowed: a smaller sum",
			"sidecars, memory: the containers may take 2048 of the task's 2048 MiB, which leaves none for NGINX and the app; allowed: a smaller sum",
		},
	},
	"further images that no endpoint reaches": {
		map[string]string{"egress": "endpoints", "network": "large", "sidecars": "{" + agent + "}", "logRouter": router},
		[]string{
			"egress, logRouter: egress is endpoints, through which public.ecr.aws/aws-observability/aws-for-fluent-bit:3.4.14 cannot be reached; allowed: an image in ECR in eu-central-1",
			"egress, sidecars: egress is endpoints, through which public.ecr.aws/team/agent:7.1 cannot be reached; allowed: an image in ECR in eu-central-1",
		},
	},
	"metrics of a log that is elsewhere": {
		map[string]string{"logMetrics": "on", "logRouter": router},
		[]string{"logMetrics, logRouter: the metrics are made from NGINX's log in CloudWatch, but a log router takes it elsewhere; allowed with: logMetrics off"},
	},
	"the router's port": {
		map[string]string{"appPort": "24224", "logRouter": router},
		[]string{"logRouter, appPort: the log router listens on 24224; allowed: another port"},
	},
	"no deployment could begin": {
		map[string]string{"deploymentMaximumPercent": "149", "deploymentMinimumHealthyPercent": "75"},
		[]string{"deploymentMaximumPercent, deploymentMinimumHealthyPercent, desiredCount: at most 2 and at least 2 of 2 tasks must run, so a deployment could neither start nor stop one"},
	},
	"no deployment could begin after load went down": {
		map[string]string{"autoscaling": "on", "deploymentMaximumPercent": "150", "minCount": "1"},
		[]string{"deploymentMaximumPercent, deploymentMinimumHealthyPercent, minCount: at most 1 and at least 1 of 1 tasks must run, so a deployment could neither start nor stop one"},
	},
	"a lower limit of scaling above the upper one": {
		map[string]string{"autoscaling": "on", "minCount": "11"},
		[]string{"minCount, maxCount: 11 is more than 10"},
	},
	"a desired count outside the limits of scaling": {
		map[string]string{"autoscaling": "on", "minCount": "3"},
		[]string{"desiredCount, minCount, maxCount: 2 is not between 3 and 10; autoscaling would change it at once"},
	},
	"scaling on nothing": {
		map[string]string{"autoscaling": "on", "scaleOnCpuPercent": "0", "scaleOnMemoryPercent": "0"},
		[]string{"autoscaling, scaleOnCpuPercent, scaleOnMemoryPercent, scaleOnRequestsPerTask, scheduledScaling: autoscaling is on, but there is nothing to scale on; allowed: one target above 0, or a schedule"},
	},
	"a schedule without scaling": {
		map[string]string{"scheduledScaling": night},
		[]string{"scheduledScaling, autoscaling: schedules are given, but autoscaling is off; allowed with: on"},
	},
	"Spot for none of the tasks": {
		map[string]string{"spotPercent": "50", "onDemandBase": "2"},
		[]string{"spotPercent, onDemandBase, desiredCount: 2 of at most 2 tasks run on demand, so 50 % Spot would have no effect"},
	},
	"Spot for none of the tasks, with scaling": {
		map[string]string{"spotPercent": "50", "onDemandBase": "10", "autoscaling": "on"},
		[]string{"spotPercent, onDemandBase, maxCount: 10 of at most 10 tasks run on demand, so 50 % Spot would have no effect"},
	},
	"a health check that NGINX answers with 404": {
		map[string]string{"healthCheckPath": "/ready"},
		[]string{"healthCheckPath, pathPrefixes: /ready is neither / (answered by NGINX) nor below /api (answered by the app)"},
	},
	"hashed names without files": {
		map[string]string{"staticFilesHashed": `["/a"]`},
		[]string{"staticFilesHashed, staticFiles: /a has no static files; allowed: a path of staticFiles, or one below it"},
	},
	"a page to fall back to without files": {
		map[string]string{"spaFallback": "true"},
		[]string{"spaFallback, staticFiles: there are no static files, so there is no page to fall back to; allowed with: at least one path"},
	},
	"static files at the app's prefix": {
		map[string]string{"staticFiles": `{"/api":"/app/public"}`, "appImage": "app:1"},
		[]string{"staticFiles, pathPrefixes: /api is in both; allowed: in one of them"},
	},
	"static files where the app may write": {
		map[string]string{"staticFiles": `{"/a":"/tmp/public","/b":"/run/app"}`, "appImage": "app:1", "appWritablePaths": `["/tmp"]`, "appListen": "socket"},
		[]string{
			"staticFiles, appWritablePaths: the directories /tmp/public and /tmp overlap, but each is a volume; allowed: separate ones",
			"staticFiles, appListen: the directories /run/app and /run/app overlap, but each is a volume; allowed: separate ones",
		},
	},
	"a file system in a directory of static files, and one around another": {
		map[string]string{
			"staticFiles": `{"/a":"/app/public","/b":"/srv/uploads/b"}`, "appImage": "app:1", "taskEgress": toEFS,
			"volumes": strings.Replace(uploads, "]", ","+strings.Trim(strings.NewReplacer(`"uploads"`, `"shared"`, "/srv/uploads", "/app/public/shared").Replace(uploads), "[]")+"]", 1),
		},
		[]string{
			"volumes, staticFiles: /srv/uploads of uploads and the directory /srv/uploads/b overlap, so the app and NGINX would see different files there; allowed: separate ones",
			"volumes, staticFiles: /app/public/shared of shared and the directory /app/public overlap, so the app and NGINX would see different files there; allowed: separate ones",
		},
	},
	"a history without files, way and role": {
		map[string]string{"staticFilesHistory": strings.Replace(history, "}", `,"iam":true}`, 1)},
		[]string{
			"staticFilesHistory, staticFiles: there are no static files to keep; allowed with: at least one path",
			"staticFilesHistory, taskPolicyArns: the history has iam, but the tasks have no role; allowed with: a policy that grants elasticfilesystem:ClientMount",
			"staticFilesHistory, taskEgress: the tasks may not connect to EFS; allowed with: port 2049 and the security group of the mount targets",
		},
	},
	"a limit at a path of static files": {
		map[string]string{
			"staticFiles": `{"/assets":"/app/public"}`, "appImage": "app:1",
			"pathRateLimits": `[{"path":"/assets/login","perMinute":10,"burst":5},{"path":"/api/login","perMinute":10,"burst":5}]`,
		},
		[]string{"pathRateLimits, staticFiles: /assets/login is a path of static files, whose requests are not counted; allowed: a path of the app's"},
	},
	"a health check at a path of static files": {
		map[string]string{"staticFiles": `{"/assets":"/app/public"}`, "appImage": "app:1", "pathPrefixes": `["/"]`, "healthCheckPath": "/assets/up"},
		[]string{"healthCheckPath, staticFiles: /assets/up is a path of static files, which NGINX serves whether the app is well or not; allowed: /.sidecar/health, or a path of the app's"},
	},
	"static files of a directory that is no volume": {
		map[string]string{"staticFiles": `{"/a":"/run/app","/b":"/app/public"}`},
		[]string{"staticFiles, appContext: images/app/Dockerfile does not declare VOLUME /app/public, without which the directory would be empty; allowed: directories that it declares"},
	},
	"a health check with a Host that is not allowed": {
		map[string]string{"allowedHosts": `["example.com"]`, "healthCheckPath": "/api/health"},
		[]string{"allowedHosts, healthCheckPath: the load balancer asks /api/health with the task's address as its Host, which is not among the names; allowed with: /, which is for any Host"},
	},
	"a site's health check below the sidecar's own path": {
		map[string]string{"healthCheckPath": "/.sidecar/ready", "pathPrefixes": `["/"]`},
		[]string{"healthCheckPath, pathPrefixes: /.sidecar/ready is neither /.sidecar/health (answered by NGINX) nor below / (answered by the app)"},
	},
	"a delayed stop that the load balancer of a site does not see": {
		map[string]string{"stopDelaySeconds": "20", "unhealthyThreshold": "3", "healthCheckPath": "/", "pathPrefixes": `["/"]`},
		[]string{"stopDelaySeconds, healthCheckPath: the load balancer asks /, but only the page at /.sidecar/health tells it about a stop; allowed with: /.sidecar/health"},
	},
	"a health check beside a prefix that begins the same": {
		map[string]string{"healthCheckPath": "/apis/ready", "pathPrefixes": `["/api","/v1"]`},
		[]string{"healthCheckPath, pathPrefixes: /apis/ready is neither / (answered by NGINX) nor below /api, /v1 (answered by the app)"},
	},
	"NGINX waits longer than the load balancer": {
		map[string]string{"readTimeoutSeconds": "30"},
		[]string{"readTimeoutSeconds, idleTimeoutSeconds: 30 is not less than 30; the load balancer would give up before NGINX can answer"},
	},
	"a limit on a path that can be written in two ways": {
		map[string]string{"encodedSlashes": "true", "pathRateLimits": `[{"path":"/api/login","perMinute":10}]`},
		[]string{"encodedSlashes, pathRateLimits: an app may take an encoded slash for a plain one, and such a path would evade the limit; allowed: one of them"},
	},
	"health checks in a log that is off": {
		map[string]string{"logHealthChecks": "true", "accessLog": "off"},
		[]string{"logHealthChecks, accessLog: health checks are to be logged, but accessLog is off; allowed with: json, text"},
	},
	"metrics from lines that are not JSON": {
		map[string]string{"logMetrics": "on", "accessLog": "text"},
		[]string{"logMetrics, accessLog: the metrics are made from lines in JSON, but accessLog is text; allowed with: json"},
	},
	"a Dockerfile that does not exist": {
		map[string]string{"appDockerfile": "Dockerfile.prod"},
		[]string{`appDockerfile: "Dockerfile.prod", which is no file in "images/app"; allowed: a file inside appContext`},
	},
	"a stage of an image that is not built": {
		map[string]string{"appTarget": "run", "appImage": "team/app:1"},
		[]string{"appTarget, appImage: both are given, but an image from appImage is not built; allowed: one of them"},
	},
	"build arguments of an image that is not built": {
		map[string]string{"appBuildArgs": `{"VERSION":"1"}`, "appImage": "team/app:1"},
		[]string{"appBuildArgs, appImage: both are given, but an image from appImage is not built; allowed: one of them"},
	},
	"build arguments of an NGINX that is not built": {
		map[string]string{"nginxBuildArgs": `{"BASE_IMAGE":"nginx:1"}`, "nginxImage": "team/nginx:1"},
		[]string{"nginxBuildArgs, nginxImage: both are given, but an image from nginxImage is not built; allowed: one of them"},
	},
	"one variable in environment and secrets": {
		map[string]string{"environment": `{"LEVEL":"1","URL":"a"}`, "secrets": `{"URL":"ssm:/url"}`},
		[]string{"environment, secrets: URL is in both; allowed: in one of them"},
	},
	"a key of another region": {
		map[string]string{"kmsKeyArn": strings.Replace(someKey, "eu-central-1", "us-east-1", 1)},
		[]string{"kmsKeyArn, aws:region: the key is in us-east-1; allowed: one in eu-central-1, like the logs and images"},
	},
	"a certificate that nothing validates": {
		map[string]string{"domain": "www.example.com"},
		[]string{"domain, hostedZoneId, certificateArn: domain is www.example.com, but the other two are empty; allowed: a hostedZoneId, in whose zone a record validates a new certificate, or a certificateArn"},
	},
	"a zone without a name": {
		map[string]string{"hostedZoneId": encrypted["hostedZoneId"]},
		[]string{"hostedZoneId, domain: a zone is given, but domain is empty; allowed: a domain in that zone"},
	},
	"no port open": {
		map[string]string{"http": "none"},
		[]string{"http, domain, certificateArn: http is none, but there is no certificate, so no port would be open; allowed: redirect, or none with domain and hostedZoneId, or with certificateArn"},
	},
	"a certificate of another region": {
		map[string]string{"certificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/1"},
		[]string{"certificateArn, aws:region: the certificate is in us-east-1; allowed: one in eu-central-1, like the load balancer"},
	},
	"no clients": {
		map[string]string{"clientCidrs": "[]"},
		[]string{"clientCidrs, clientPrefixListId: both are empty, so nobody could reach the load balancer; allowed: at least one range or a list"},
	},
	"a prefix list that restricts nothing": {
		map[string]string{"clientPrefixListId": "pl-0123456789abcdef0"},
		[]string{"clientCidrs, clientPrefixListId: 0.0.0.0/0 admits everybody, so a further range or list would restrict nothing; allowed: 0.0.0.0/0 alone, or others without it"},
	},
	"a range that restricts nothing": {
		map[string]string{"clientCidrs": `["10.0.0.0/8","0.0.0.0/0"]`},
		[]string{"clientCidrs, clientPrefixListId: 0.0.0.0/0 admits everybody, so a further range or list would restrict nothing; allowed: 0.0.0.0/0 alone, or others without it"},
	},
	"an IPv6 range that restricts nothing": {
		with(dualstack, map[string]string{"clientCidrs": `["2001:db8::/32","::/0"]`}),
		[]string{"clientCidrs, clientPrefixListId: ::/0 admits everybody, so a further range or list would restrict nothing; allowed: ::/0 alone, or others without it"},
	},
	"an IPv6 range without IPv6": {
		map[string]string{"clientCidrs": `["0.0.0.0/0","::/0"]`},
		[]string{"ipAddressType, clientCidrs: an IPv6 range is given, but the load balancer has IPv4 addresses alone; allowed with: dualstack"},
	},
	"IPv6 that nobody may use": {
		with(dualstack, map[string]string{"clientCidrs": `["0.0.0.0/0"]`}),
		[]string{"ipAddressType, clientCidrs: dualstack, but no IPv6 range may connect; allowed with: such a range, as in [0.0.0.0/0, ::/0]"},
	},
	"IPv6 in a network without": {
		map[string]string{"ipAddressType": "dualstack", "clientCidrs": `["0.0.0.0/0","::/0"]`},
		[]string{"ipAddressType, network: dualstack, but network is low-cost, whose subnets have no IPv6 ranges; allowed with: existing"},
	},
	"further names without a first": {
		map[string]string{"domainAliases": `["example.com"]`},
		[]string{"domainAliases, domain: further names are given, but domain is empty; allowed: a domain, and further names"},
	},
	"a name twice": {
		with(encrypted, map[string]string{"domainAliases": `["example.com","www.example.com"]`}),
		[]string{"domainAliases, domain: a name is given twice; allowed: each name once"},
	},
	"a web ACL of another region": {
		map[string]string{"waf": "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/shop/1a"},
		[]string{"waf, aws:region: the web ACL is in us-east-1; allowed: one in eu-central-1, like the load balancer"},
	},
	"one NAT gateway where there is none": {
		map[string]string{"egress": "nat-single"},
		[]string{"egress, network: egress is nat-single, but network is low-cost; allowed with: large"},
	},
	"endpoints in a VPC of somebody else's": {
		map[string]string{"egress": "endpoints", "network": "existing", "vpcId": infratest.ExistingVPC, "publicSubnetIds": public},
		[]string{"egress, network: egress is endpoints, but network is existing; allowed with: large"},
	},
	"endpoints to a public registry": {
		map[string]string{"egress": "endpoints", "network": "large", "appImage": "public.ecr.aws/team/app:1"},
		[]string{"egress, appImage: egress is endpoints, through which public.ecr.aws/team/app:1 cannot be reached; allowed: an image in ECR in eu-central-1"},
	},
	"endpoints to another region": {
		map[string]string{"egress": "endpoints", "network": "large", "nginxImage": "123456789012.dkr.ecr.us-east-1.amazonaws.com/nginx:1"},
		[]string{"egress, nginxImage: egress is endpoints, through which 123456789012.dkr.ecr.us-east-1.amazonaws.com/nginx:1 cannot be reached; allowed: an image in ECR in eu-central-1"},
	},
	"zones of another region": {
		map[string]string{"availabilityZones": `["eu-west-1a","eu-central-1b"]`},
		[]string{"availabilityZones, aws:region: eu-west-1a is in another region; allowed: zones of eu-central-1"},
	},
	"zones of a network that exists": {
		map[string]string{
			"network": "existing", "vpcId": infratest.ExistingVPC, "publicSubnetIds": public,
			"availabilityZones": `["eu-central-1a","eu-central-1b"]`,
		},
		[]string{"availabilityZones, network: given, but network is existing; allowed with: low-cost, large"},
	},
	"existing network without ids": {
		map[string]string{"network": "existing"},
		[]string{
			"network, vpcId: network is existing, but vpcId is empty; allowed: vpc-…",
			"network, publicSubnetIds: network is existing, but the number of public subnets is 0; allowed: two or more, each in a different zone",
		},
	},
	"existing network with one public subnet": {
		map[string]string{"network": "existing", "vpcId": infratest.ExistingVPC, "publicSubnetIds": private},
		[]string{"network, publicSubnetIds: network is existing, but the number of public subnets is 1; allowed: two or more, each in a different zone"},
	},
	"a subnet both public and private": {
		map[string]string{
			"network": "existing", "vpcId": infratest.ExistingVPC, "publicSubnetIds": public,
			"privateSubnetIds": `["subnet-0123456789abcdef1"]`,
		},
		[]string{"publicSubnetIds, privateSubnetIds: subnet-0123456789abcdef1 is in both; allowed: in one of them"},
	},
	"a volume without a way to it": {
		map[string]string{"volumes": uploads},
		[]string{"volumes, taskEgress: the tasks may not connect to EFS; allowed with: port 2049 and the security group of the mount targets"},
	},
	"a volume where the app writes": {
		map[string]string{"volumes": uploads, "taskEgress": toEFS, "appWritablePaths": `["/srv/uploads"]`},
		[]string{"volumes, appWritablePaths, appListen: /srv/uploads is taken already; allowed: another mountPath"},
	},
	"a volume that asks for a role": {
		map[string]string{"volumes": strings.Replace(uploads, "}", `,"iam":true}`, 1), "taskEgress": toEFS},
		[]string{"volumes, taskPolicyArns: uploads has iam, but the tasks have no role; allowed with: a policy that grants elasticfilesystem:ClientMount"},
	},
	"a port open to a group and to any address": {
		map[string]string{
			"taskEgress": `[{"port":5432,"securityGroupId":"` + databaseGroup + `"}]`, "taskEgressPorts": "[443,5432]",
		},
		[]string{"taskEgress, taskEgressPorts: 5432 is in both, so the tasks could reach it at any address; allowed: in one of them"},
	},
	"ids of a network that is made": {
		map[string]string{
			"network": "large", "vpcId": infratest.ExistingVPC, "publicSubnetIds": public, "privateSubnetIds": private,
		},
		[]string{
			"vpcId, network: given, but network is large; allowed with: existing",
			"publicSubnetIds, network: given, but network is large; allowed with: existing",
			"privateSubnetIds, network: given, but network is large; allowed with: existing",
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
		"cpu": "300", "desiredCount": "none", "network": "existing", "containerPort": "3000",
	}))
	for _, key := range []string{"cpu: ", "desiredCount: ", "network, vpcId: ", "network, publicSubnetIds: ", "containerPort, appPort: "} {
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
	settings := defaults(t, map[string]string{"desiredcount": "3", "containerprot": "8081", "aws:profile": "team"})
	text, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(pulumi.EnvConfig, string(text))

	want := []string{
		"containerprot: unknown setting; nearest known: containerPort",
		"desiredcount: unknown setting; nearest known: desiredCount",
	}
	if got := refused(t, settings); !slices.Equal(got, want) {
		t.Errorf("error:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

const someKey = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"

// scaled lets load decide the number of tasks; night is a schedule that limits it.
var scaled = map[string]string{"autoscaling": "on"}

// uploads is a volume, history another one for static files, and toEFS the rule without which no task could mount them.
const (
	uploads = `[{"name":"uploads","fileSystemId":"fs-0123456789abcdef0","accessPointId":"fsap-0123456789abcdef1","mountPath":"/srv/uploads"}]`
	history = `{"fileSystemId":"fs-0123456789abcdef0","accessPointId":"fsap-0123456789abcdef2"}`
	toEFS   = `[{"port":2049,"securityGroupId":"` + databaseGroup + `","addIngressRule":true}]`
)

const nightly = `[{"name":"report","schedule":"cron(0 2 * * ? *)","timezone":"Europe/Berlin","command":["npm","run","report"]}]`

const night = `[{"name":"night","schedule":"cron(0 20 ? * MON-FRI *)","timezone":"Europe/Berlin","min":1,"max":2}]`

// Another allowed value for every setting, and the settings of a stack in which it makes a difference.
var others = map[string]struct {
	value string
	with  map[string]string
}{
	"serviceName":                       {"shop", nil},
	"appImage":                          {"public.ecr.aws/team/app:2", nil},
	"nginxImage":                        {"public.ecr.aws/team/nginx:2", nil},
	"appContext":                        {"images/nginx", nil},
	"nginxContext":                      {"images/app", nil},
	"architecture":                      {"ARM64", nil},
	"imagesToKeep":                      {"21", nil},
	"forceDeleteRepositories":           {"true", nil},
	"cpu":                               {"512", nil},
	"memory":                            {"3072", nil},
	"containerPort":                     {"8081", nil},
	"appPort":                           {"3001", nil},
	"stopTimeoutSeconds":                {"61", nil},
	"containerHealthIntervalSeconds":    {"6", nil},
	"containerHealthTimeoutSeconds":     {"2", nil},
	"containerHealthRetries":            {"2", nil},
	"containerHealthStartPeriodSeconds": {"11", nil},
	"logRetentionDays":                  {"1", nil},
	"logBufferMegabytes":                {"24", nil},
	"desiredCount":                      {"3", nil},
	"deploymentMaximumPercent":          {"150", nil},
	"deploymentMinimumHealthyPercent":   {"50", nil},
	"circuitBreaker":                    {"off", nil},
	"deploymentTimeoutMinutes":          {"21", nil},
	"deployCommand":                     {`["npm","run","migrate"]`, nil},
	"scheduledTasks":                    {nightly, nil},
	"ephemeralStorageGiB":               {"21", nil},
	"appRestartSeconds":                 {"60", nil},
	"sidecars":                          {furtherContainers["sidecars"], nil},
	"logRouter":                         {router, nil},
	"volumes":                           {uploads, map[string]string{"taskEgress": toEFS}},
	"zoneRebalancing":                   {"disabled", nil},
	"containerInsights":                 {"enhanced", nil},
	"ingress":                           {"api-gateway", nil},
	"sharedLoadBalancer":                {strings.Replace(behindAnother["sharedLoadBalancer"], "shop.", "store.", 1), behindAnother},
	"oidc":                              {login(""), with(encrypted, map[string]string{"headerLimitKilobytes": "16"})},
	"throttlePerSecond":                 {"999", behindAPI},
	"throttleBurst":                     {"499", behindAPI},
	"healthCheckPath":                   {"/api/health", nil},
	"healthCheckIntervalSeconds":        {"7", nil},
	"healthCheckTimeoutSeconds":         {"4", nil},
	"healthyThreshold":                  {"3", nil},
	"unhealthyThreshold":                {"9", nil},
	"healthCheckGracePeriodSeconds":     {"61", nil},
	"deregistrationDelaySeconds":        {"31", nil},
	"idleTimeoutSeconds":                {"31", nil},
	"clientKeepAliveSeconds":            {"60", nil},
	"pathPrefixes":                      {`["/api","/v2"]`, nil},
	"allowedMethods":                    {`["GET"]`, nil},
	"bodyLimitKilobytes":                {"1025", nil},
	"staticFiles":                       {`{"/assets":"/app/public"}`, map[string]string{"appImage": "app:1"}},
	"staticFilesHistory":                {history, map[string]string{"appImage": "app:1", "staticFiles": `{"/assets":"/app/public"}`, "taskEgress": toEFS}},
	"staticFilesHashed":                 {`["/"]`, map[string]string{"appImage": "app:1", "staticFiles": `{"/":"/app/public"}`}},
	"spaFallback":                       {"true", map[string]string{"appImage": "app:1", "staticFiles": `{"/":"/app/public"}`}},
	"headerLimitKilobytes":              {"16", nil},
	"allowedHosts":                      {`["example.com","*.example.com"]`, nil},
	"pathRateLimits":                    {`[{"path":"/api/login","perMinute":10,"burst":5}]`, nil},
	"rateLimitPerSecond":                {"1", nil},
	"rateLimitBurst":                    {"21", nil},
	"concurrencyLimit":                  {"1", nil},
	"gzip":                              {"safe", nil},
	"connectionLogSeconds":              {"60", nil},
	"stopDelaySeconds":                  {"18", map[string]string{"unhealthyThreshold": "3"}},
	"appListen":                         {"socket", nil},
	"readTimeoutSeconds":                {"28", nil},
	"appKeepAliveSeconds":               {"64", nil},
	"clientTimeoutSeconds":              {"11", nil},
	"gzipLevel":                         {"2", nil},
	"encodedSlashes":                    {"true", nil},
	"cacheSeconds":                      {"1", nil},
	"accessLog":                         {"text", nil},
	"logHealthChecks":                   {"true", nil},
	"trustedProxies":                    {`["130.176.0.0/16"]`, nil},
	"nginxWorkers":                      {"2", nil},
	"appDockerfile":                     {"Dockerfile.dev", map[string]string{"appContext": "infra/testdata/context"}},
	"appTarget":                         {"dependencies", nil},
	"appBuildArgs":                      {`{"VERSION":2}`, nil},
	"nginxBuildArgs":                    {`{"BASE_IMAGE":"nginx@sha256:1"}`, nil},
	"appCommand":                        {`["node","other.js"]`, nil},
	"appHealthPath":                     {"/up", nil},
	"appHealthCommand":                  {`["CMD-SHELL","curl -f localhost:3000"]`, nil},
	"appUser":                           {"65532", nil},
	"appWritablePaths":                  {`["/tmp","/var/cache"]`, nil},
	"environment":                       {`{"LOG_LEVEL":"debug"}`, nil},
	"secrets":                           {`{"DATABASE_URL":"ssm:/shop/database"}`, nil},
	"taskPolicyArns":                    {`["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]`, nil},
	"exec":                              {"true", nil},
	"kmsKeyArn":                         {someKey, nil},
	"deletionProtection":                {"on", nil},
	"autoscaling":                       {"on", nil},
	"minCount":                          {"1", scaled},
	"maxCount":                          {"11", scaled},
	"scaleOnCpuPercent":                 {"0", scaled},
	"scaleOnMemoryPercent":              {"0", scaled},
	"scaleOnRequestsPerTask":            {"1000", scaled},
	"scaleInCooldownSeconds":            {"301", scaled},
	"scaleOutCooldownSeconds":           {"0", scaled},
	"scheduledScaling":                  {night, scaled},
	"spotPercent":                       {"50", nil},
	"onDemandBase":                      {"2", map[string]string{"spotPercent": "50", "desiredCount": "4"}},
	"profile":                           {"prod", nil},
	"domain":                            {"shop.example.com", encrypted},
	"domainAliases":                     {`["example.com"]`, encrypted},
	"ipAddressType":                     {"dualstack", with(existing, map[string]string{"clientCidrs": "[]", "clientPrefixListId": "pl-0123456789abcdef0"})},
	"hostedZoneId":                      {"Z111", encrypted},
	"certificateArn":                    {certificateARN, encrypted},
	"tlsPolicy":                         {"ELBSecurityPolicy-TLS13-1-3-2021-06", encrypted},
	"http":                              {"none", encrypted},
	"targetTls":                         {"on", nil},
	"clientCidrs":                       {`["203.0.113.0/24"]`, nil},
	"clientPrefixListId":                {"pl-0123456789abcdef0", map[string]string{"clientCidrs": `["203.0.113.0/24"]`}},
	"network":                           {"large", nil},
	"vpcCidr":                           {"10.1.0.0/16", nil},
	"availabilityZones":                 {`["eu-central-1b","eu-central-1c"]`, nil},
	"egress":                            {"nat-single", map[string]string{"network": "large"}},
	"flowLogs":                          {"on", nil},
	"waf":                               {webACLARN, nil},
	"wafRateLimit":                      {"100", map[string]string{"waf": "managed"}},
	"accessLogs":                        {"on", nil},
	"trafficLogDays":                    {"31", map[string]string{"accessLogs": "on"}},
	"forceDeleteTrafficLogs":            {"true", map[string]string{"flowLogs": "on"}},
	"vpcId":                             {infratest.ExistingVPC, nil},
	"publicSubnetIds":                   {`["subnet-0123456789abcdef3","subnet-0123456789abcdef4"]`, existing},
	"privateSubnetIds":                  {`["subnet-0123456789abcdef5"]`, existing},
	"taskEgressPorts":                   {"[443,5432]", nil},
	"taskEgress":                        {`[{"port":5432,"securityGroupId":"` + databaseGroup + `"}]`, nil},
	"alarms":                            {"on", nil},
	"alarmEmail":                        {"team@example.com", map[string]string{"alarms": "on"}},
	"alarmErrorPercent":                 {"6", map[string]string{"alarms": "on"}},
	"alarmLatencyMilliseconds":          {"999", map[string]string{"alarms": "on"}},
	"alarmUtilizationPercent":           {"86", map[string]string{"alarms": "on"}},
	"rollbackOnAlarms":                  {"false", map[string]string{"alarms": "on"}},
	"logMetrics":                        {"on", nil},
	"dashboard":                         {"on", nil},
}

func TestEverySettingReachesTheGraph(t *testing.T) {
	for key := range declared(t) {
		other, ok := others[key]
		if !ok {
			t.Errorf("%s: no other value to try", key)
			continue
		}
		if key == "vpcId" {
			// Another VPC would have to hold the same subnets; see TestSubnetsOfAnotherVPCAreRefused.
			continue
		}
		if key == "deploymentTimeoutMinutes" {
			continue // it bounds the program's own wait, and changes no resource
		}
		t.Run(key, func(t *testing.T) {
			before := run(t, defaults(t, other.with))
			changed := map[string]string{}
			maps.Copy(changed, other.with)
			changed[key] = other.value
			if key == "cpu" {
				changed["memory"] = "2048"
			}
			if after := run(t, defaults(t, changed)); reflect.DeepEqual(before.Resources, after.Resources) {
				t.Errorf("%s=%s changes nothing", key, other.value)
			}
		})
	}
}

// with returns the settings of a stack with changes.
func with(settings, changes map[string]string) map[string]string {
	all := maps.Clone(settings)
	maps.Copy(all, changes)

	return all
}

func TestSubnetsOfAnotherVPCAreRefused(t *testing.T) {
	settings := defaults(t, existing)
	settings[infratest.Project+":vpcId"] = "vpc-11111111111111111"
	_, err := infratest.Run(infra.Program, options(settings))
	for _, id := range []string{"subnet-0123456789abcdef0", "subnet-0123456789abcdef2"} {
		want := "subnet " + id + " is in VPC " + infratest.ExistingVPC + "; allowed: subnets of vpc-11111111111111111"
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error: %v\nwant: …%s…", err, want)
		}
	}
}

// declared are the settings of Pulumi.yaml, as the file has them.
func declared(t *testing.T) map[string]setting {
	t.Helper()

	var project struct {
		Config map[string]setting `yaml:"config"`
	}
	text, err := readFile(t, "Pulumi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &project); err != nil {
		t.Fatal(err)
	}

	return project.Config
}

type setting struct {
	Type        string `yaml:"type"`
	Default     any    `yaml:"default"`
	Description string `yaml:"description"`
}

func TestEveryDeclaredSettingIsReadAndHasNoSecondDefault(t *testing.T) {
	for key := range declared(t) {
		settings := defaults(t, nil)
		delete(settings, infratest.Project+":"+key)
		want := []string{key + ": no value and no default in Pulumi.yaml"}
		if got := refused(t, settings); !slices.Equal(got, want) {
			t.Errorf("without %s:\n%s\nwant:\n%s", key, strings.Join(got, "\n"), want[0])
		}
	}
}

func TestEveryDeclaredSettingIsDescribedWithItsSource(t *testing.T) {
	for key, setting := range declared(t) {
		if setting.Type == "" || setting.Default == nil || !strings.Contains(setting.Description, "[Source](https://") {
			t.Errorf("%s: %+v", key, setting)
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
