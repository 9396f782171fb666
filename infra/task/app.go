package task

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"fargate-nginx-sidecar/images/nginx"
	"fargate-nginx-sidecar/infra/settings"
)

// App describes the app's container, apart from its image.
type App struct {
	// Command replaces the image's command unless it is empty.
	Command []string
	// HealthPath is a path that a healthy app answers to NGINX. HealthCommand, which begins with CMD or CMD-SHELL, is run
	// in the app's container instead, unless it is empty.
	HealthPath    string
	HealthCommand []string
	// Protocol is what the app speaks. DocumentRoot is where an app that speaks FastCGI has its scripts and files.
	Protocol     nginx.Protocol
	DocumentRoot string
	// User is the number of a user other than root, optionally followed by a colon and the number of a group.
	User string
	// WritablePaths are directories that the app may write to; the rest of its file system is read-only. Each is empty
	// when a task starts.
	WritablePaths []string
	Environment   map[string]string
	// ImageSecret is where the credentials of the image's registry are, or empty.
	ImageSecret settings.Secret
	// Secrets are variables whose values ECS reads from a store when it starts a task.
	Secrets map[string]settings.Secret
}

var (
	user         = settings.Pattern("a number above 0, or two with a colon between them, such as 1000:1000", `^[1-9][0-9]{0,8}(:[1-9][0-9]{0,8})?$`)
	pathOfVolume = regexp.MustCompile(`^(/[A-Za-z0-9._-]+)+$`)
	// healthPath may end in a slash, as the paths of some frameworks do.
	healthPath = settings.Form{
		Allowed: "a path of letters, digits, dots, hyphens, underscores and tildes, at most 1024 characters",
		Pattern: regexp.MustCompile(`^/([A-Za-z0-9._~-]+/?)*$`), Check: func(path string) bool { return len(path) <= 1024 },
	}
	writablePath = settings.Form{
		Allowed: "an absolute path below /, such as /tmp", Pattern: pathOfVolume,
		Check: func(path string) bool { return !strings.Contains(path, "..") },
	}
)

// protocol refuses grpc with the way out, because it is the one that is looked for.
var protocol = settings.Form{
	Allowed: "http, fastcgi, uwsgi; not grpc, which needs HTTP/2 as far as the app: gRPC-Web and Connect work with http",
	Pattern: regexp.MustCompile(`^(http|fastcgi|uwsgi)$`),
}

const healthCommandAllowed = "CMD, a program and its arguments, or CMD-SHELL and one line"

func isHealthCommand(words []string) bool {
	return len(words) >= 2 && words[0] == "CMD" || len(words) == 2 && words[0] == "CMD-SHELL"
}

func readHealthCommand(g settings.Group, meaning string) []string {
	return g.Words("healthCommand", healthCommandAllowed, isHealthCommand, meaning,
		"https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html")
}

// hasHealthCommand reports whether a command in the app's own container determines its health.
func (a App) hasHealthCommand() bool { return len(a.HealthCommand) > 0 }

// ownVariables are set by the program. Each comes with what to do instead of setting it.
var ownVariables = map[string]string{
	"HOST":                  "the app must listen on 127.0.0.1, where NGINX alone reaches it",
	"PORT":                  "set app.port",
	"KEEP_ALIVE_TIMEOUT_MS": "set app.keepAlive",
	"SOCKET":                "set app.socket",
}

func readApp(g settings.Group) App {
	app := App{
		Command: g.Else("the image's").Command("command", "Command of the app's container, one word per item.",
			"https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html#container_definition_environment"),
		HealthPath: g.Text("health", "/healthz", healthPath,
			"Health-check path of the app. NGINX's own health check requests it every 5 s, on 127.0.0.1 or through the socket, with the first name of `http.hosts` that has no `*.`, else `domain.name`, else localhost as its `Host`; any status from 200 to 399 within 2 s counts as healthy. The app's image needs no command for it. Clients reach the path only if `http.paths` covers it.",
			"https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDependency.html"),
		HealthCommand: readHealthCommand(g, "Command that exits with status 0 while the app is healthy, within 3 s: `CMD` followed by a program and its arguments, or `CMD-SHELL` followed by one command line. It runs inside the app's container, and NGINX starts once it has succeeded. It takes the place of `app.health`."),
		Protocol: nginx.Protocol(g.Text("protocol", string(nginx.HTTP), protocol,
			"What the app speaks on its port or socket: `fastcgi` for php-fpm, `uwsgi` for uWSGI. The app then gets the variables of CGI, with the client's address, scheme and host in them.",
			"https://nginx.org/en/docs/http/ngx_http_fastcgi_module.html")),
		DocumentRoot: g.Text("documentRoot", "", writablePath,
			"Directory of the app's image with the scripts and files of an app that speaks FastCGI, such as `/app/public`. A path of `http.paths` that names a script which exists is answered by it, a file such as a style sheet or picture by NGINX, and everything else by `/index.php`. The image has to declare the directory as a `VOLUME`; if its files belong to root, the app cannot add scripts. What lies in it of `app.writablePaths` and `app.volumes`, such as a directory of uploads, NGINX serves as well, and it never runs a script there.",
			"https://www.php.net/manual/en/install.fpm.php"),
		User: g.Text("user", "1000:1000", user,
			"User that the app runs as: a numeric user id, optionally followed by a colon and a numeric group id. Root is refused.",
			"https://docs.aws.amazon.com/securityhub/latest/userguide/ecs-controls.html#ecs-20"),
		WritablePaths: g.Texts("writablePaths", nil, writablePath,
			"Directories that the app may write to; the rest of its file system is read-only. Each is empty when a task starts and belongs to root, unless the image declares it as a `VOLUME`: Fargate then keeps the owner and permissions that it has in the image.",
			"https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bind-mounts.html"),
		Environment: g.Variables("environment", ownVariables,
			"Environment variables of the app, as names with values. ECS shows them to every user who may describe a task definition, so passwords belong in `app.secrets`. An encrypted value stays encrypted in the stack's state, but not in ECS. The program itself sets `HOST`, `PORT` and `KEEP_ALIVE_TIMEOUT_MS`, and `NODE_ENV` to `production` unless you set it. AWS access keys are refused; use `app.policies` instead.",
			"https://docs.aws.amazon.com/securityhub/latest/userguide/ecs-controls.html#ecs-8"),
		Secrets: g.Secrets("secrets", ownVariables,
			"Environment variables of the app whose values ECS reads from a store when a task starts. Each maps a variable to `ssm:<parameter>`, `secretsmanager:<secret>` or `secretsmanager:<secret>#<field>`, by name; a secret of another account in this region by its ARN, and its policy must let ECS read it. ECS gets the permission to read these values and no others. For values encrypted with a KMS key of your own, list that key in `app.secretKeys`, unless it is `storage.kmsKey`.",
			"https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specifying-sensitive-data.html"),
	}
	if fast := app.Protocol == nginx.FastCGI; fast != (app.DocumentRoot != "") && !g.Wrong("protocol") && !g.Wrong("documentRoot") {
		g.Conflict([]string{"protocol", "documentRoot"}, "fastcgi needs a document root, and no other protocol has one; allowed: both or none")
	}
	app.ImageSecret = readImageSecret(g)
	for _, name := range slices.Sorted(maps.Keys(app.Secrets)) {
		if _, both := app.Environment[name]; both {
			g.Conflict([]string{"environment", "secrets"}, name+" is in both; allowed: in one of them")
		}
	}
	if g.Has("health") && g.Has("healthCommand") {
		g.Conflict([]string{"health", "healthCommand"}, "both are set, but the command takes the place of the path; allowed: one of them")
	}

	return app
}

// readImageSecret returns where the credentials of a private registry are, which ECS takes from Secrets Manager alone.
func readImageSecret(g settings.Group) settings.Secret {
	form := settings.Form{Allowed: "secretsmanager:<name or ARN of a secret>", Check: func(text string) bool {
		secret, ok := settings.ParseSecret(text)
		return ok && secret.Store == settings.StoreSecret && secret.Key == ""
	}}
	text := g.Hidden().Text("imageSecret", "", form,
		"Secret that holds the `username` and `password`, as JSON, of the private registry of `image`, such as ghcr.io. Not for ECR, whose images ECS pulls with its own role. The local run pulls with the engine's own login.",
		"https://docs.aws.amazon.com/AmazonECS/latest/developerguide/private-auth.html")
	secret, _ := settings.ParseSecret(text) // a wrong one has been refused

	return secret
}

// documentRootVolume has the files of the document root, as those of static files are had.
const documentRootVolume = "app-root"

// appVolume names the volume of the app's writable path with the given index.
func appVolume(index int) string {
	return fmt.Sprintf("%s-writable-%d", AppContainer, index+1)
}
