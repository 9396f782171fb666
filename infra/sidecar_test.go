package infra_test

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"fargate-nginx-sidecar/images/nginx"
)

// The image also runs by itself. A different default would make it behave differently there than in a task.
func TestTheDefaultsAreThoseOfTheImage(t *testing.T) {
	got, err := nginx.Read(func(name string) string { return environment(containers(t, run(t, defaults(t, nil)))["nginx"])[name] })
	if err != nil {
		t.Fatal(err)
	}
	want := nginx.Defaults()
	want.TrustedProxies = got.TrustedProxies                                          // the network's
	want.AppHealthPath, want.ShutdownTimeout = got.AppHealthPath, got.ShutdownTimeout // the app's and the task's
	if !reflect.DeepEqual(got, want) {
		t.Errorf("in a task:\n%+v\nby itself:\n%+v", got, want)
	}
}

func TestSidecarSettingsReachNginx(t *testing.T) {
	graph := run(t, defaults(t, map[string]string{
		"http.paths": `["/api","/v1/orders"]`, "http.methods": `["GET","POST"]`, "http.bodyLimit": "2048KiB",
		"http.limits.perSecond": "50", "http.readTimeout": "7s", "app.keepAlive": "75s",
		"overrides.sidecar": `{"NGINX_RATE_BURST":5,"NGINX_CACHE_SECONDS":2,"NGINX_ACCESS_LOG":"text","NGINX_GZIP":"safe",` +
			`"NGINX_STATUS_INTERVAL":60,"NGINX_WORKER_PROCESSES":3,"NGINX_CLIENT_TIMEOUT":20}`,
		"http.trustedProxies": `["130.176.0.0/16","2600:9000::/28"]`, "ingress.health": "/v1/orders/health",
		"http.limits.concurrent": "9", "http.headerLimit": "8KiB",
		"http.limits.paths": `[{"path":"/api/login","perMinute":10,"burst":5},{"path":"/api/mail","perMinute":1}]`,
	}))
	got := environment(containers(t, graph)["nginx"])
	for name, want := range map[string]string{
		"NGINX_PATH_PREFIXES": "/api,/v1/orders", "NGINX_METHODS": "GET,POST", "NGINX_MAX_BODY_KB": "2048",
		"NGINX_RATE_LIMIT": "50", "NGINX_RATE_BURST": "5", "NGINX_READ_TIMEOUT": "7", "KEEP_ALIVE_TIMEOUT_MS": "75000",
		"NGINX_CACHE_SECONDS": "2", "NGINX_ACCESS_LOG": "text", "NGINX_WORKER_PROCESSES": "3", "NGINX_CLIENT_TIMEOUT": "20",
		"NGINX_CONCURRENCY_LIMIT": "9", "NGINX_GZIP": "safe", "NGINX_STATUS_INTERVAL": "60",
		"NGINX_HEADER_KB": "8", "NGINX_PATH_RATES": "/api/login:10:5,/api/mail:1:0",
		"NGINX_TRUSTED_PROXIES": "10.0.0.0/19,10.0.32.0/19,130.176.0.0/16,2600:9000::/28",
	} {
		if got[name] != want {
			t.Errorf("%s: %s; want %s", name, got[name], want)
		}
	}
	if app := environment(containers(t, graph)["app"]); app["KEEP_ALIVE_TIMEOUT_MS"] != "75000" {
		t.Errorf("the app keeps connections for %s ms; NGINX is told 75000", app["KEEP_ALIVE_TIMEOUT_MS"])
	}
	if path := at(t, one(t, graph, targetGroup), "healthCheck", "path"); path != "/v1/orders/health" {
		t.Errorf("health check path: %v", path)
	}
}

// A server that closes idle connections after a few seconds is not asked on one of them at that moment.
func TestNginxClosesIdleConnectionsBeforeTheAppDoes(t *testing.T) {
	for keepAlive, want := range map[string]string{"65s": "", "31s": "", "30s": "29", "5s": "4", "2s": "1"} {
		graph := run(t, defaults(t, map[string]string{"app.keepAlive": keepAlive, "ingress.idleTimeout": "30s"}))
		if got := environment(containers(t, graph)["nginx"])["NGINX_UPSTREAM_KEEPALIVE_TIMEOUT"]; got != want {
			t.Errorf("the app closes connections after %s: NGINX is told to after %q; want %q", keepAlive, got, want)
		}
	}
}

func TestTheSidecarGetsTheFormsOfPathsThatAreAllowed(t *testing.T) {
	for setting, want := range map[string]string{"[]": "", `["encoded-slash","semicolon"]`: "encoded-slash,semicolon"} {
		graph := run(t, defaults(t, map[string]string{"http.allow": setting}))
		if got := environment(containers(t, graph)["nginx"])["NGINX_ALLOW"]; got != want {
			t.Errorf("%s: NGINX gets %q; want %q", setting, got, want)
		}
	}
	run(t, defaults(t, with(encrypted, map[string]string{"login": login(""), "http.headerLimit": "16KiB", "http.allow": `["encoded-slash"]`})))
}

// Django and Rails answer 400 to a Host that they do not serve.
func TestTheHealthCheckOfTheAppIsForAHostThatItServes(t *testing.T) {
	for _, c := range []struct {
		settings map[string]string
		want     string
	}{
		{nil, ""},
		{encrypted, encrypted["domain.name"]},
		{map[string]string{"http.hosts": `["*.example.com","shop.example.com"]`}, "shop.example.com"},
		{map[string]string{"http.hosts": `["*.example.com"]`}, ""},
	} {
		graph := run(t, defaults(t, c.settings))
		if got := environment(containers(t, graph)["nginx"])["NGINX_APP_HEALTH_HOST"]; got != c.want {
			t.Errorf("%v: got %q; want %q", c.settings, got, c.want)
		}
	}
}

// NGINX's own page gives way to a site, and the load balancer's check follows it.
func TestASiteMovesTheHealthPage(t *testing.T) {
	for settings, want := range map[string]string{"null": "/.sidecar/health", "/": "/", "/up": "/up"} {
		graph := run(t, defaults(t, map[string]string{"http.paths": `["/"]`, "ingress.health": settings}))
		if got := at(t, one(t, graph, targetGroup), "healthCheck", "path"); got != want {
			t.Errorf("ingress.health %s: the load balancer requests %v; want %s", settings, got, want)
		}
		if got := environment(containers(t, graph)["nginx"])["NGINX_PATH_PREFIXES"]; got != "/" {
			t.Errorf("NGINX forwards %s", got)
		}
	}
}

// Both containers get each directory; only where the image has its files can it be filled, and NGINX may only read.
func TestNginxReadsTheAppsFilesFromAVolume(t *testing.T) {
	graph := run(t, defaults(t, map[string]string{
		"app.image": "app:1", "http.static": `{"/docs/v1":"/app/docs","/":"/app/public"}`, "http.spaFallback": "true",
	}))
	all := containers(t, graph)
	variables := environment(all["nginx"])
	if variables["NGINX_STATIC_FILES"] != "/,/docs/v1" || variables["NGINX_SPA_FALLBACK"] != "on" {
		t.Errorf("NGINX has %v", variables)
	}
	mounts := map[string]string{}
	for name, container := range all {
		for _, each := range container["mountPoints"].([]any) {
			mount := each.(map[string]any)
			mounts[fmt.Sprint(name, " ", mount["containerPath"], " ", mount["readOnly"])] = mount["sourceVolume"].(string)
		}
	}
	for mount, volume := range map[string]string{
		"nginx /srv/static/1 true": "static-1", "app /app/public false": "static-1",
		"nginx /srv/static/2/docs/v1 true": "static-2", "app /app/docs false": "static-2",
	} {
		if mounts[mount] != volume {
			t.Errorf("%s: %q; want %s; all: %v", mount, mounts[mount], volume, mounts)
		}
	}
	if path := at(t, one(t, graph, targetGroup), "healthCheck", "path"); path != "/.sidecar/health" {
		t.Errorf("the load balancer asks %v, which is a file's path", path)
	}
}

// NGINX alone has the history, and may write to it; a command has no use for it.
func TestNginxKeepsFilesOfAllReleasesInAFileSystem(t *testing.T) {
	graph := run(t, defaults(t, map[string]string{
		"app.image": "app:1", "http.static": `{"/assets":"/app/public"}`, "http.staticHistory": history, "network.groups": toEFS, "deployment.command": `["migrate"]`,
	}))
	if got := environment(containers(t, graph)["nginx"])["NGINX_STATIC_HISTORY"]; got != "on" {
		t.Errorf("NGINX_STATIC_HISTORY: %q; want on", got)
	}
	want := map[string]any{"name": "static-history", "efsVolumeConfiguration": map[string]any{
		"fileSystemId": "fs-0123456789abcdef0", "rootDirectory": "/", "transitEncryption": "ENABLED",
		"authorizationConfig": map[string]any{"accessPointId": "fsap-0123456789abcdef2", "iam": "DISABLED"},
	}}
	mount := map[string]any{"sourceVolume": "static-history", "containerPath": "/srv/static/history", "readOnly": false}
	for _, definition := range graph.OfType(taskDefinition) {
		ofService := definition.Name == serviceDefinition(t, graph).Name
		if has := slices.ContainsFunc(at(t, definition, "volumes").([]any), func(v any) bool { return reflect.DeepEqual(v, want) }); has != ofService {
			t.Errorf("%s: volumes %v", definition.Name, at(t, definition, "volumes"))
		}
		for name, container := range containersOf(t, definition) {
			mounted := slices.ContainsFunc(container["mountPoints"].([]any), func(m any) bool { return reflect.DeepEqual(m, mount) })
			if mounted != (name == "nginx") {
				t.Errorf("%s: %s mounts %v", definition.Name, name, container["mountPoints"])
			}
		}
	}
}

// Names with a dot are common: a socket library's path, and what certificate authorities and browsers look for.
func TestAPathPrefixMayHaveADot(t *testing.T) {
	graph := run(t, defaults(t, map[string]string{"http.paths": `["/api","/socket.io","/.well-known"]`}))
	if got := environment(containers(t, graph)["nginx"])["NGINX_PATH_PREFIXES"]; got != "/api,/socket.io,/.well-known" {
		t.Errorf("NGINX forwards %s", got)
	}
}

func TestAllowedHostsReachNginx(t *testing.T) {
	graph := run(t, defaults(t, map[string]string{"http.hosts": `["example.com","*.example.com"]`}))
	if got := environment(containers(t, graph)["nginx"])["NGINX_ALLOWED_HOSTS"]; got != "example.com,*.example.com" {
		t.Errorf("NGINX allows %q", got)
	}
}

// Whoever checks the app, NGINX or a command in its image, the other does not, and clients wait for the first success.
func TestEitherNginxOrTheImageChecksTheApp(t *testing.T) {
	for name, settings := range map[string]map[string]string{
		"NGINX":   {"app.health": "/up"},
		"command": {"app.healthCommand": `["CMD","/app","-healthy"]`},
	} {
		all := containers(t, run(t, defaults(t, settings)))
		variables, app := environment(all["nginx"]), all["app"]
		depends := all["nginx"]["dependsOn"].([]any)[0].(map[string]any)["condition"]
		if _, checked := app["healthCheck"]; name == "NGINX" && (checked || depends != "START" ||
			variables["NGINX_APP_HEALTH_PATH"] != "/up" || variables["NGINX_APP_HEALTH_TIMEOUT"] != "2") {
			t.Errorf("%s: NGINX waits for %v and has %v; the app's check is %v", name, depends, variables, app["healthCheck"])
		}
		if name == "command" && (app["healthCheck"] == nil || depends != "HEALTHY" || variables["NGINX_APP_HEALTH_PATH"] != "") {
			t.Errorf("%s: NGINX waits for %v and has %v; the app's check is %v", name, depends, variables, app["healthCheck"])
		}
	}
}

// The delay is taken from the time that NGINX has for its last requests, not added to it.
func TestADelayedStopFitsIntoTheStopTimeout(t *testing.T) {
	graph := run(t, defaults(t, map[string]string{"task.stopDelay": "20s"}))
	nginx := containers(t, graph)["nginx"]
	got := environment(nginx)
	if got["NGINX_STOP_DELAY"] != "20" || got["NGINX_SHUTDOWN_TIMEOUT"] != "30" || nginx["stopTimeout"] != 60.0 {
		t.Errorf("delay %s, then %s of %v; want 20, then 30 of 60", got["NGINX_STOP_DELAY"], got["NGINX_SHUTDOWN_TIMEOUT"], nginx["stopTimeout"])
	}
}

// Both containers get one path on one volume, and only the app can write to it.
func TestASocketIsTheAppsAndNginxMayOnlyConnect(t *testing.T) {
	graph := run(t, defaults(t, map[string]string{"app.socket": "true"}))
	all := containers(t, graph)
	if path := environment(all["nginx"])["NGINX_APP_SOCKET"]; path == "" || path != environment(all["app"])["SOCKET"] {
		t.Errorf("NGINX connects to %q, the app listens on %q", path, environment(all["app"])["SOCKET"])
	}
	for name, readOnly := range map[string]bool{"nginx": true, "app": false} {
		found := false
		for _, each := range all[name]["mountPoints"].([]any) {
			mount := each.(map[string]any)
			if mount["sourceVolume"] == "app-socket" {
				found = true
				if mount["readOnly"] != readOnly || mount["containerPath"] != "/run/app" {
					t.Errorf("%s: %v", name, mount)
				}
			}
		}
		if !found {
			t.Errorf("%s has no part of the volume", name)
		}
	}
}

// Uploads of WordPress lie below its scripts: in both containers, in a volume of their own on that of the document root.
func TestVolumesInADocumentRootAreThoseOfBothContainers(t *testing.T) {
	all := containers(t, run(t, defaults(t, map[string]string{
		"app.image": "app:1", "app.protocol": "fastcgi", "app.documentRoot": "/var/www/html", "network.groups": toEFS,
		"app.writablePaths": `["/var/www/html/cache","/var/www/html-2"]`, "app.volumes": strings.Replace(uploads, "/srv/uploads", "/var/www/html/wp-content/uploads", 1),
	})))
	for name, want := range map[string][]string{
		"nginx": {"app-root /srv/app true", "app-writable-1 /srv/app/cache true", "efs-uploads /srv/app/wp-content/uploads true"},
		"app":   {"app-root /var/www/html false", "app-writable-1 /var/www/html/cache false", "app-writable-2 /var/www/html-2 false", "efs-uploads /var/www/html/wp-content/uploads false"},
	} {
		var got []string
		for _, each := range all[name]["mountPoints"].([]any) {
			mount := each.(map[string]any)
			if volume := mount["sourceVolume"].(string); volume != "nginx-tmp" {
				got = append(got, fmt.Sprint(volume, " ", mount["containerPath"], " ", mount["readOnly"]))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if got := environment(all["nginx"])["NGINX_APP_WRITTEN"]; got != "/cache,/wp-content/uploads" {
		t.Errorf("NGINX_APP_WRITTEN: got %q", got)
	}
}

// Whatever the idle timeout is, NGINX and not the load balancer answers a slow request, and nobody closes a connection on
// which the other side may just be sending a request.
func TestTimeoutsAreDerivedFromTheIdleTimeout(t *testing.T) {
	for idle, answer := range map[int]int{5: 4, 30: 29, 60: 29, 61: 60, 4000: 3999} {
		settings := map[string]string{"ingress.idleTimeout": strconv.Itoa(idle) + "s"}
		graph := run(t, defaults(t, settings))
		nginx, app := environment(containers(t, graph)["nginx"]), environment(containers(t, graph)["app"])

		milliseconds, err := strconv.Atoi(app["KEEP_ALIVE_TIMEOUT_MS"])
		if err != nil {
			t.Fatal(err)
		}
		read, err := strconv.Atoi(nginx["NGINX_READ_TIMEOUT"])
		if err != nil {
			t.Fatal(err)
		}
		if nginx["NGINX_IDLE_TIMEOUT"] != strconv.Itoa(idle) || read != answer || milliseconds <= idle*1000 ||
			nginx["KEEP_ALIVE_TIMEOUT_MS"] != app["KEEP_ALIVE_TIMEOUT_MS"] {
			t.Errorf("idle %d s: NGINX reads for %d s, the app keeps for %d ms; want %d s, and more", idle, read, milliseconds, answer)
		}
		if got := at(t, one(t, graph, loadBalancer), "idleTimeout"); got != float64(idle) {
			t.Errorf("the load balancer's idle timeout is %v; want %d", got, idle)
		}
	}
}
