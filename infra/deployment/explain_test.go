package deployment

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// stoppedTask is a task that stopped a number of minutes after noon.
func stoppedTask(id, revision, reason string, minutes int, containers ...types.Container) types.Task {
	at := noon.Add(time.Duration(minutes)*time.Minute + 30*time.Second)

	return types.Task{
		TaskArn: aws.String("arn:aws:ecs:eu-central-1:123456789012:task/web-1/" + id), TaskDefinitionArn: &revision, StoppedReason: &reason,
		StopCode: types.TaskStopCodeEssentialContainerExited, LastStatus: aws.String("STOPPED"), CreatedAt: &at, StoppingAt: &at,
		Containers: containers, Memory: aws.String("512"),
	}
}

func exited(name string, code int32) types.Container {
	return types.Container{Name: &name, ExitCode: &code}
}

// fail returns the explanation of a first deployment that failed and left these tasks and lines.
func fail(t *testing.T, h *history, logs streams) *Failure {
	t.Helper()
	h.begin(types.ServiceDeploymentStatusInProgress, newRevision, "subnet-a")
	h.end(types.ServiceDeploymentStatusStopped)
	r := Rollout{Clients: Clients{ECS: h, Logs: logs}, Cluster: "web-1", Service: "web-2", Region: "eu-central-1", Requested: requested}
	failed := new(Failure)
	if err := r.await(t.Context(), time.Hour, 0); !errors.As(err, &failed) {
		t.Fatalf("error: %v", err)
	}

	return failed
}

func TestTheExplanationIsOfTheTaskThatFailedLast(t *testing.T) {
	const exit = "Essential container in task exited"
	still := stoppedTask("6", newRevision, exit, 6, types.Container{Name: aws.String("app"), LastStatus: aws.String("RUNNING")})
	still.LastStatus = aws.String("STOPPING")
	early := stoppedTask("7", newRevision, exit, 7, exited("app", 9))
	early.CreatedAt = aws.Time(noon.Add(-time.Hour)) // of a deployment before
	h := &history{tasks: []types.Task{
		stoppedTask("1", newRevision, exit, 1, exited("app", 9)),
		stoppedTask("3", newRevision, exit, 3, exited("nginx", 0), exited("app", 1)),
		stoppedTask("2", newRevision, exit, 2, exited("app", 9)),
		stoppedTask("4", newRevision, "Scaling activity initiated by (deployment ecs-svc/1)", 4, exited("app", 9)),
		stoppedTask("5", oldRevision, exit, 5, exited("app", 9)), still, early,
	}}
	got := fail(t, h, streams{"app-logs web/app/app/3": {"file:///app/main.js:3", "node:internal:12", "    at main (main.js:3)", "", "Error: Cannot find module 'express' {\n", "}", "Node.js v26"}}).Error()
	want := `the app ended with exit code 1; its last lines are below
Remedy: correct the app, or what it is given in app.environment, app.secrets and app.command
The deployment failed after 1m30s, and there is none to return to: ECS deployment circuit breaker: tasks failed to start.
Task 3 stopped: Essential container in task exited
  app: exit code 1
    file:///app/main.js:3
    Error: Cannot find module 'express' {
All events: aws ecs describe-services --region eu-central-1 --cluster web-1 --services web-2 --query 'services[0].events[:20].message'
When that is done, run: pulumi up`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestAFailureIsReportedEvenIfItsTasksCannotBeRead(t *testing.T) {
	got := fail(t, &history{refused: errors.New("AccessDeniedException: ecs:ListTasks")}, streams{}).Error()
	for _, want := range []string{"The deployment failed after 1m30s", "More could not be read: AccessDeniedException: ecs:ListTasks\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("got: %s\nwant: …%s…", got, want)
		}
	}
}

// Each case is what ECS and the containers leave; docs/troubleshooting.md has the ones that a local run produced.
func TestTheCauseAndTheSettingAreNamed(t *testing.T) {
	const notPulled, noSecret = "CannotPullContainerError: ", "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
	for name, test := range map[string]struct {
		reason         string
		app, nginx     types.Container
		lines, sidecar []string
		events         []string
		cause, remedy  string
	}{
		"wrong port": {
			sidecar: []string{"app health: 127.0.0.1:3000/: connection refused; listening in this task: 127.0.0.1:8000, 0.0.0.0:8080"},
			cause:   "the app does not listen on 127.0.0.1:3000 (connection refused); it listens on 127.0.0.1:8000", remedy: "set app.port: 8000",
		},
		"wrong port below 1024": {
			sidecar: []string{"app health: 127.0.0.1:3000/: connection refused; listening in this task: 0.0.0.0:80, 0.0.0.0:8080"},
			cause:   "it listens on 0.0.0.0:80", remedy: "let the app listen on app.port, the port in its variable PORT",
		},
		"wrong address": {
			sidecar: []string{"app health: 127.0.0.1:3000/: connection refused; listening in this task: 172.19.0.3:3000"},
			cause:   "it listens on 172.19.0.3:3000", remedy: "HOSTNAME: 127.0.0.1",
		},
		"slow start": {
			sidecar: []string{"app health: 127.0.0.1:3000/: connection refused; listening in this task: 0.0.0.0:8080"},
			cause:   "nothing but NGINX listens in the task yet", remedy: "raise app.startTime",
		},
		"the last answer counts": {
			sidecar: []string{"app health: 127.0.0.1:3000/healthz: connection refused", "app health: 127.0.0.1:3000/healthz: status 404"},
			cause:   "the app answers status 404 on 127.0.0.1:3000/healthz", remedy: "set app.health",
		},
		"refused host":       {sidecar: []string{"app health: 127.0.0.1:3000/: status 400 for Host localhost"}, cause: "status 400 for Host localhost", remedy: "accept the Host localhost (Django: ALLOWED_HOSTS"},
		"400 without a host": {sidecar: []string{"app health: 127.0.0.1:3000/: status 400"}, cause: "status 400", remedy: "the app's lines say why"},
		"refused host of the settings": {sidecar: []string{"app health: 127.0.0.1:3000/: status 400 for Host shop.example.com"},
			cause: "status 400 for Host shop.example.com", remedy: "accept the Host shop.example.com"},
		"another protocol": {sidecar: []string{"app health: 127.0.0.1:9000/: no fastcgi answer: it speaks HTTP"}, cause: "app.protocol says on 127.0.0.1:9000/", remedy: "set app.protocol"},
		"no script": {sidecar: []string{"app health: 127.0.0.1:9000/: php-fpm has no such script: /app/public/index.php, or its user may not read it"},
			cause: "no such script: /app/public/index.php", remedy: "app.documentRoot"},
		"login": {sidecar: []string{"app health: 127.0.0.1:3000/: status 401"}, cause: "status 401", remedy: "needs no login"},
		"error": {sidecar: []string{"app health: 127.0.0.1:3000/: status 500"}, cause: "status 500", remedy: "the app's lines say why"},
		"hangs": {sidecar: []string{"app health: 127.0.0.1:3000/: no answer within 2 s"}, cause: "no answer within 2 s", remedy: "within 2 s"},
		"TLS":   {sidecar: []string{"app health: 127.0.0.1:3000/: got the status line \"\\x15\""}, cause: "does not speak HTTP", remedy: "plain HTTP"},
		"missing variable": {
			app: exited("app", 1), lines: []string{"Error: DATABASE_URL is not set", "    at main"},
			cause: "misses the variable DATABASE_URL", remedy: "app.environment: {DATABASE_URL: …}, or app.secrets",
		},
		"read-only": {
			app: exited("app", 1), lines: []string{"Error: EROFS: read-only file system, open '/data/cache/index.db'"},
			cause: "the app writes to /data/cache", remedy: "app.writablePaths: [/data/cache]",
		},
		"read-only directory": {
			app: exited("app", 1), lines: []string{"Error: EROFS: read-only file system, mkdir '/app/.next'"},
			cause: "the app writes to /app/.next", remedy: "app.writablePaths: [/app/.next]",
		},
		"read-only directory, said twice": {
			app: exited("app", 1), lines: []string{"Error: EROFS: read-only file system, mkdir '/app/.next'", "    at mkdirSync", "  errno: -30,", "  code: 'EROFS',", "  path: '/app/.next'", "}"},
			cause: "the app writes to /app/.next", remedy: "app.writablePaths: [/app/.next]",
		},
		"read-only, nowhere named": {
			app: exited("app", 1), lines: []string{"java.nio.file.ReadOnlyFileSystemException"},
			cause: "root file system, which is read-only", remedy: "VOLUME",
		},
		"no temporary directory": {
			app:   exited("app", 1),
			lines: []string{"FileNotFoundError: [Errno 2] No usable temporary directory found in ['/tmp', '/var/tmp', '/usr/tmp', '/app']"},
			cause: "no directory for temporary files", remedy: "app.writablePaths: [/tmp]",
		},
		"user": {
			app: exited("app", 1), lines: []string{"PermissionError: [Errno 13] Permission denied: '/app/secret.key'"},
			cause: "may not use /app/secret.key", remedy: "app.user",
		},
		"user, said twice": {
			app: exited("app", 1), lines: []string{"Error: EACCES: permission denied, open '/app/secret.key'", "    at openSync", "  code: 'EACCES',"},
			cause: "may not use /app/secret.key", remedy: "app.user",
		},
		"no such address": {
			app: exited("app", 1), lines: []string{"Error: listen EADDRNOTAVAIL: address not available ::1:3000"},
			cause: "an address that its task does not have", remedy: "listen on 127.0.0.1",
		},
		"only IPv6": {
			sidecar: []string{"app health: 127.0.0.1:3000/: connection refused; listening in this task: [::1]:3000"},
			cause:   "it listens on [::1]:3000", remedy: "listen on 127.0.0.1",
		},
		"low port":   {app: exited("app", 1), lines: []string{"Error: listen EACCES: permission denied 0.0.0.0:80"}, cause: "port below 1024", remedy: "app.port"},
		"port taken": {app: exited("app", 1), lines: []string{"Error: listen EADDRINUSE: address already in use :::8080"}, cause: "is taken", remedy: "http.port"},
		"port taken before NGINX": {
			app: exited("app", 137), nginx: exited("nginx", 1), sidecar: []string{"[emerg] 12#12: bind() to 0.0.0.0:8080 failed (98: Address in use)"},
			cause: "is taken", remedy: "http.port",
		},
		"database": {app: exited("app", 1), lines: []string{"Error: connect ECONNREFUSED 10.0.3.4:5432"}, cause: "cannot reach another service", remedy: "network.ports"},
		"database, said twice": {
			app: exited("app", 1), lines: []string{"Error: connect ECONNREFUSED 10.0.3.4:5432", "    at connect", "  code: 'ECONNREFUSED',"},
			cause: "cannot reach another service: Error: connect ECONNREFUSED 10.0.3.4:5432", remedy: "network.ports",
		},
		"no route, no name": {
			reason: notPulled + "ref pull has been retried 5 time(s): dial tcp 3.122.1.1:443: i/o timeout",
			cause:  "cannot reach the registry of an image", remedy: "NAT",
		},
		"job":         {app: exited("app", 0), cause: "ended by itself without an error", remedy: "app.command"},
		"segfault":    {app: exited("app", 139), cause: "SIGSEGV", remedy: "base image"},
		"killed":      {app: exited("app", 137), cause: "out of memory", remedy: "raise task.memory (now 512 MiB"},
		"heap":        {app: exited("app", 134), lines: []string{"FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"}, cause: "app ran out of memory", remedy: "raise task.memory"},
		"memory":      {app: types.Container{Name: aws.String("app"), ExitCode: aws.Int32(137), Reason: aws.String("OutOfMemoryError: Container killed due to memory usage")}, cause: "app ran out of memory", remedy: "raise task.memory"},
		"not found":   {app: exited("app", 127), cause: "the app's command was not found", remedy: "app.command"},
		"not allowed": {app: exited("app", 126), cause: "cannot be executed", remedy: "chmod +x"},
		"no program": {
			app:   types.Container{Name: aws.String("app"), Reason: aws.String(`CannotStartContainerError: failed to create shim task: exec: "gunicorn": executable file not found in $PATH`)},
			cause: "not found in its image: gunicorn", remedy: "app.command",
		},
		"architecture": {app: exited("app", 255), lines: []string{"exec /usr/local/bin/node: exec format error"}, cause: "the tasks' processor", remedy: "architecture"},
		"image gone": {
			reason: notPulled + "failed to resolve reference 123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop@sha256:0123: not found",
			cause:  "the image 123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop@sha256:0123 does not exist", remedy: "app.image",
		},
		"registry refuses": {reason: notPulled + "pull access denied for ghcr.io/shop/web, repository does not exist or may require authorization", cause: "the registry refuses", remedy: "execution role"},
		"no route to ECR":  {reason: notPulled + "failed to do request: Head https://…: dial tcp 3.122.1.1:443: i/o timeout", cause: "cannot reach the registry", remedy: "NAT"},
		"no route for secrets": {
			reason: noSecret + "unable to retrieve secret from asm: There is a connection issue between the task and AWS Secrets Manager. Check your task network configuration.",
			cause:  "cannot reach Secrets Manager", remedy: "egress",
		},
		"secret missing": {reason: noSecret + "ResourceNotFoundException: Secrets Manager can't find the specified secret.", cause: "does not exist", remedy: "create it"},
		"no rights":      {reason: noSecret + "AccessDeniedException: not authorized to perform: kms:Decrypt", cause: "ECS may not read a secret", remedy: "storage.kmsKey"},
		"JSON key":       {reason: noSecret + "retrieved secret from Secrets Manager did not contain json key password", cause: "no such JSON key", remedy: "behind #"},
		"EFS":            {reason: "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: b'mount.nfs4: Connection timed out'", cause: "file system of app.volumes", remedy: "2049"},
		"quota": {
			events: []string{"(service web) was unable to place a task. Reason: You've reached the limit on the number of vCPUs you can run concurrently."},
			cause:  "quota of Fargate vCPUs", remedy: "Service Quotas",
		},
		"health command": {app: types.Container{Name: aws.String("app"), ExitCode: aws.Int32(143), HealthStatus: types.HealthStatusUnhealthy}, reason: "Task failed container health checks", cause: "the app's own health command fails: CMD curl", remedy: "app.health"},
		"too little CPU": {
			nginx: types.Container{Name: aws.String("nginx"), HealthStatus: types.HealthStatusUnhealthy}, app: types.Container{LastStatus: aws.String("RUNNING")},
			reason: "Task failed container health checks", cause: "the health check of NGINX did not end in time", remedy: "raise task.cpu",
		},
		"sidecar":       {nginx: exited("nginx", 1), app: exited("app", 143), sidecar: []string{"NGINX_X: 12; allowed: 1 to 10"}, cause: "the sidecar ended with exit code 1: NGINX_X: 12; allowed: 1 to 10", remedy: "the setting"},
		"load balancer": {reason: "Task failed ELB health checks in (target-group x)", events: []string{"(task 1) (port 8080) is unhealthy in (target-group x) due to (reason Request timed out)"}, cause: "(reason Request timed out)", remedy: "security group"},
	} {
		t.Run(name, func(t *testing.T) {
			h := &history{events: test.events}
			if test.events == nil || test.reason != "" {
				reason := test.reason
				if reason == "" {
					reason = "Essential container in task exited"
				}
				task := stoppedTask("1", newRevision, reason, 1, named(test.nginx, "nginx"), named(test.app, "app"))
				h.healthCommand = test.app.HealthStatus == types.HealthStatusUnhealthy
				if h.healthCommand || test.sidecar != nil && test.nginx.ExitCode == nil {
					task.StopCode = types.TaskStopCodeServiceSchedulerInitiated
				}
				h.tasks = []types.Task{task}
			}
			got := fail(t, h, streams{"app-logs web/app/app/1": test.lines, "nginx-logs web/nginx/nginx/1": test.sidecar})
			if !strings.Contains(got.Cause, test.cause) || !strings.Contains(got.Remedy, test.remedy) {
				t.Errorf("cause: %s\nremedy: %s\nwant: …%s…\nand: …%s…", got.Cause, got.Remedy, test.cause, test.remedy)
			}
			if lines := strings.Count(got.Error(), "\n") + 1; lines >= 15 {
				t.Errorf("%d lines:\n%s", lines, got)
			}
		})
	}
}

func named(c types.Container, name string) types.Container {
	c.Name = &name

	return c
}

func TestLongLogsAreCutToWhatSaysMost(t *testing.T) {
	lines := []string{strings.Repeat("x", 1000)}
	for range 30 {
		lines = append(lines, "Error: again", "    at frame", "")
	}
	h := &history{
		tasks:   []types.Task{stoppedTask("1", newRevision, strings.Repeat("reason\n", 1000), 1, exited("nginx", 1), exited("app", 1), exited("extra", 1))},
		sidecar: healthPath,
	}
	got := fail(t, h, streams{"app-logs web/app/app/1": lines, "nginx-logs web/nginx/nginx/1": lines, "extra-logs web/extra/extra/1": lines}).Error()
	if n := strings.Count(got, "\n") + 1; n >= 15 || strings.Contains(got, "at frame") || len(got) > 2500 {
		t.Errorf("%d lines, %d bytes:\n%s", n, len(got), got)
	}
}

var healthPath = []types.KeyValuePair{{Name: aws.String("NGINX_APP_HEALTH_PATH"), Value: aws.String("/healthz")}}

func TestWhatAnAppHasToMeetNextIsSaidWhereItHasNotGotSoFar(t *testing.T) {
	const next = "Not reached yet: GET http://127.0.0.1:app.port/healthz must answer with a status from 200 to 399"
	for name, test := range map[string]struct {
		app     types.Container
		sidecar string
		path    []types.KeyValuePair
		want    bool
	}{
		"it ends at its start":                     {app: exited("app", 1), path: healthPath, want: true},
		"it listens elsewhere":                     {app: exited("app", 143), sidecar: "app health: 127.0.0.1:3000/healthz: connection refused; listening in this task: 127.0.0.1:8000", path: healthPath, want: true},
		"it gives another answer":                  {app: exited("app", 143), sidecar: "app health: 127.0.0.1:3000/healthz: status 404", path: healthPath},
		"its own command determines its health":    {app: exited("app", 1)},
		"its image, say, was gone: it never began": {app: types.Container{Name: aws.String("app")}, path: healthPath},
	} {
		t.Run(name, func(t *testing.T) {
			h := &history{sidecar: test.path, tasks: []types.Task{stoppedTask("1", newRevision, "Essential container in task exited", 1, exited("nginx", 0), test.app)}}
			if got := fail(t, h, streams{"nginx-logs web/nginx/nginx/1": {test.sidecar}}).Error(); strings.Contains(got, next) != test.want {
				t.Errorf("%t wanted in:\n%s", test.want, got)
			}
		})
	}
}
