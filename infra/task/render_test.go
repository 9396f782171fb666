package task

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

func someArgs() Args {
	return Args{
		Settings: Settings{
			CPU: 2048, ContainerPort: 8080, AppPort: 3000, StopTimeout: 60 * time.Second,
			Health:             ContainerHealth{Interval: 5 * time.Second, Timeout: 3 * time.Second, StartPeriod: 10 * time.Second, Retries: 3},
			LogBufferMegabytes: 25,
			Sidecar: Sidecar{
				PathPrefixes: []string{"/api", "/v1"}, Methods: []string{"GET", "HEAD"}, BodyLimitKilobytes: 1024, HeaderLimitKilobytes: 16,
				TrustedProxies: []netip.Prefix{netip.MustParsePrefix("130.176.0.0/16")},
			},
			App: App{User: "1000:1000", HealthCommand: []string{"CMD", "node", "healthcheck.js"}},
		},
		Service: "web", Region: "eu-central-1", IdleTimeout: 30 * time.Second, TLS: true,
	}
}

var someValues = Values{
	NginxImage: "repo/nginx@sha256:1", AppImage: "repo/app@sha256:2", NginxLogGroup: "nginx-logs", AppLogGroup: "app-logs",
	IngressRanges: "10.0.0.0/19,10.0.32.0/19",
}

// Every field that AWS fills in by itself is there, so that what it echoes equals what was sent.
func TestContainerDefinitionsStateEveryDefault(t *testing.T) {
	const want = `[{
		"name": "nginx", "image": "repo/nginx@sha256:1", "essential": true, "cpu": 0, "user": "101:101",
		"readonlyRootFilesystem": true, "stopTimeout": 60,
		"portMappings": [{"containerPort": 8080, "hostPort": 8080, "protocol": "tcp"}],
		"environment": [
			{"name": "APP_PORT", "value": "3000"},
			{"name": "KEEP_ALIVE_TIMEOUT_MS", "value": "65000"},
			{"name": "NGINX_ACCESS_LOG", "value": "json"},
			{"name": "NGINX_CACHE_SECONDS", "value": "0"},
			{"name": "NGINX_CLIENT_TIMEOUT", "value": "10"},
			{"name": "NGINX_GZIP_LEVEL", "value": "1"},
			{"name": "NGINX_IDLE_TIMEOUT", "value": "30"},
			{"name": "NGINX_LOG_HEALTH_CHECKS", "value": "off"},
			{"name": "NGINX_MAX_BODY_KB", "value": "1024"},
			{"name": "NGINX_METHODS", "value": "GET,HEAD"},
			{"name": "NGINX_PATH_PREFIXES", "value": "/api,/v1"},
			{"name": "NGINX_PORT", "value": "8080"},
			{"name": "NGINX_RATE_BURST", "value": "20"},
			{"name": "NGINX_RATE_LIMIT", "value": "0"},
			{"name": "NGINX_READ_TIMEOUT", "value": "29"},
			{"name": "NGINX_SHUTDOWN_TIMEOUT", "value": "50"},
			{"name": "NGINX_TLS", "value": "on"},
			{"name": "NGINX_TRUSTED_PROXIES", "value": "10.0.0.0/19,10.0.32.0/19,130.176.0.0/16"},
			{"name": "NGINX_WORKER_PROCESSES", "value": "2"}
		],
		"mountPoints": [{"sourceVolume": "nginx-tmp", "containerPath": "/tmp", "readOnly": false}],
		"volumesFrom": [], "systemControls": [],
		"dependsOn": [{"containerName": "app", "condition": "HEALTHY"}],
		"healthCheck": {"command": ["CMD", "/usr/local/bin/sidecar", "health"], "interval": 5, "timeout": 3, "retries": 3, "startPeriod": 10},
		"logConfiguration": {"logDriver": "awslogs", "secretOptions": [], "options": {
			"awslogs-group": "nginx-logs", "awslogs-region": "eu-central-1", "awslogs-stream-prefix": "web/nginx",
			"mode": "non-blocking", "max-buffer-size": "25m"}}
	}, {
		"name": "app", "image": "repo/app@sha256:2", "essential": true, "cpu": 0, "user": "1000:1000",
		"readonlyRootFilesystem": true, "stopTimeout": 60,
		"portMappings": [],
		"environment": [
			{"name": "HOST", "value": "127.0.0.1"},
			{"name": "KEEP_ALIVE_TIMEOUT_MS", "value": "65000"},
			{"name": "NODE_ENV", "value": "production"},
			{"name": "PORT", "value": "3000"}
		],
		"mountPoints": [], "volumesFrom": [], "systemControls": [],
		"healthCheck": {"command": ["CMD", "node", "healthcheck.js"], "interval": 5, "timeout": 3, "retries": 3, "startPeriod": 10},
		"logConfiguration": {"logDriver": "awslogs", "secretOptions": [], "options": {
			"awslogs-group": "app-logs", "awslogs-region": "eu-central-1", "awslogs-stream-prefix": "web/app",
			"mode": "non-blocking", "max-buffer-size": "25m"}}
	}]`

	text, err := Definitions(someArgs(), someValues)
	if err != nil {
		t.Fatal(err)
	}
	var gotValue, wantValue any
	if err := json.Unmarshal([]byte(text), &gotValue); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &wantValue); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(gotValue, wantValue) {
		t.Errorf("definitions:\n%s\nwant:\n%s", text, want)
	}
	if strings.Contains(text, "null") {
		t.Errorf("null in %s; AWS hands back empty lists", text)
	}
}

func TestRenderingIsTheSameEveryTimeAndEscapesNothing(t *testing.T) {
	values := someValues
	values.AppLogGroup = "a&b<c>"
	first, err := Definitions(someArgs(), values)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if again, _ := Definitions(someArgs(), values); again != first {
			t.Fatal("two renderings differ")
		}
	}
	if !strings.Contains(first, "a&b<c>") {
		t.Errorf("escaped characters in %s", first)
	}
}

func TestMissingValuesAreErrorsNotEmptyStrings(t *testing.T) {
	for name, change := range map[string]func(*Values){
		"NGINX's image":     func(v *Values) { v.NginxImage = "" },
		"app's image":       func(v *Values) { v.AppImage = "" },
		"NGINX's log group": func(v *Values) { v.NginxLogGroup = "" },
		"app's log group":   func(v *Values) { v.AppLogGroup = "" },
	} {
		values := someValues
		change(&values)
		if text, err := Definitions(someArgs(), values); err == nil {
			t.Errorf("without %s: %s", name, text)
		}
	}
	if text, err := TrustPolicy("aws", "eu-central-1", ""); err == nil {
		t.Errorf("without an account: %s", text)
	}
	if text, err := (ExecutionRights{LogGroups: []string{"logs", ""}}).Policy(); err == nil {
		t.Errorf("without a log group: %s", text)
	}
}

func TestWorkersFollowTheTasksShareOfCPU(t *testing.T) {
	for cpu, want := range map[int]int{256: 1, 512: 1, 1024: 1, 2048: 2, 4096: 4, 16384: 16} {
		if got := workers(cpu); got != want {
			t.Errorf("%d CPU units: %d workers; want %d", cpu, got, want)
		}
	}
}

func TestNginxEndsBeforeItIsKilled(t *testing.T) {
	for stop, want := range map[int]string{2: "1", 5: "4", 30: "25", 60: "50", 120: "100"} {
		args := someArgs()
		args.StopTimeout = time.Duration(stop) * time.Second
		variables, err := builder{args, someValues, nil}.sidecarEnvironment()
		if got := variables["NGINX_SHUTDOWN_TIMEOUT"]; err != nil || got != want {
			t.Errorf("stop timeout %d s: %s s to finish; want %s", stop, got, want)
		}
	}
}

func TestPoliciesAreSortedAndNameEachResourceOnce(t *testing.T) {
	text, err := ExecutionRights{
		Repositories: []string{"r2", "r1", "r2"}, LogGroups: []string{"g2", "g1"},
		Parameters: []string{"p2", "p1"}, Secrets: []string{"s1", "s1"}, Keys: []string{"k"},
	}.Policy()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"Resource":["r1","r2"]`, `"Resource":["g1:log-stream:*","g2:log-stream:*"]`,
		`"Resource":["p1","p2"]`, `"Resource":["s1"]`, `"Resource":["k"]`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s lacks %s", text, want)
		}
	}
}
