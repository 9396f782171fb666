package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"fargate-nginx-sidecar/local/cloud/emulator"
	"fargate-nginx-sidecar/local/cloud/run"
	"fargate-nginx-sidecar/local/command/pulumi"
	"fargate-nginx-sidecar/local/machine/toolchain"
	"fargate-nginx-sidecar/ops/verify"
)

// UpOptions are the choices of `up`.
type UpOptions struct {
	Stack  string            // which Pulumi.<stack>.yaml
	Port   int               // of the load balancer's HTTP listener on 127.0.0.1; 0 is where it is, or the default
	Config map[string]string // values that replace the stack file's, for this run only; YAML
}

// Up brings the stack to what the checkout says, and proves that it answers. A deploy that fails leaves everything as it is, for its
// user to look at: the next one goes on from there.
func (l *Local) Up(ctx context.Context, options UpOptions) (err error) {
	unlock, err := l.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return l.up(ctx, options)
}

func (l *Local) up(ctx context.Context, options UpOptions) (err error) {
	current, err := l.load(ctx)
	fresh := errors.Is(err, run.ErrNone)
	if err != nil && !fresh {
		return err
	}
	listen := listenAt(options.Port, current)
	config, err := l.stackConfig(options.Stack, options.Config)
	if err != nil {
		return err
	}
	gives := !fresh && current.GivesWayTo(options.Stack)
	joins := !fresh && !gives && !slices.Contains(current.Stacks, options.Stack)
	if joins {
		if err := mayJoin(current, options.Stack, config); err != nil {
			return err
		}
	}
	if err := l.check(ctx, options.Stack, config); err != nil {
		return err
	}
	if gives {
		if err := l.removeFailed(ctx, current); err != nil {
			return err
		}
		fresh = true
	}
	var held []*os.File
	if fresh {
		var release func()
		held, release, err = hold(ctx, listen)
		defer release()
	} else {
		current, err = l.move(ctx, current, listen)
	}
	if err != nil {
		return err
	}
	end, err := l.docker(ctx)
	if err != nil {
		return err
	}
	defer end(&err)
	if err := l.finder.Disk(ctx); err != nil {
		return err
	}
	found, err := l.prepare(ctx, config.dockerfiles)
	if err != nil {
		return cause(ctx, err)
	}
	switch {
	case fresh:
		current, err = l.startCloud(ctx, found, options.Stack, config.region, listen, held)
	case joins:
		current, err = l.join(current, options.Stack)
	}
	if err != nil {
		return err
	}
	err = l.deploy(ctx, current, found.pulumi, config, options)
	switch {
	case errors.Is(err, pulumi.ErrUnrecorded) && !fresh && len(current.Stacks) == 1:
		return l.anew(ctx, current, options)
	case err != nil:
		return errors.Join(err, errKept)
	}
	return current.Deployed(options.Stack).Save(l.dir())
}

// errKept is what its user can do after a deploy that failed.
var errKept = errors.New("\neverything stays as it is: make local-status and make local-logs show it, make local goes on from there, make local-down removes it")

// removeFailed removes a run none of whose stacks was ever deployed, before another one takes its place.
func (l *Local) removeFailed(ctx context.Context, current run.Run) (err error) {
	end, err := l.docker(ctx)
	if err != nil {
		return err
	}
	defer end(&err)
	l.Progress.Line("removing %s, whose deploy failed", named(current.Stacks))
	return l.remove(current)
}

// anew makes a stack from the beginning that cannot be brought further.
func (l *Local) anew(ctx context.Context, current run.Run, options UpOptions) error {
	l.Progress.Line("%v; the stack is made anew", pulumi.ErrUnrecorded)
	if err := l.remove(current); err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(current.Listen)
	if err != nil {
		return err
	}
	if options.Port, err = strconv.Atoi(port); err != nil {
		return err
	}
	return l.up(ctx, options)
}

// listenAt is where the load balancer's port 80 shall be. What its user does not say stays as it is.
func listenAt(port int, current run.Run) string {
	if port == 0 && current.Listen != "" {
		return current.Listen
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(cmp.Or(port, defaultPort)))
}

// stackSettings are a stack's values, of which the local run itself needs a few.
type stackSettings struct {
	project     string
	region      string
	given       map[string]any // on the command line, with their namespaces
	file        map[string]any // in the stack's file, with their namespaces; nothing is encrypted
	encrypted   map[string]any // what the run has in place of those of the file that are encrypted
	imports     bool           // the file imports more values, which only Pulumi Cloud has
	dockerfiles []string       // that the stack builds from
}

// defaults are those of the settings that the local run itself needs, as docs/settings.md has them.
var defaults = map[string]any{
	appContext: "images/app", appDockerfile: "Dockerfile", ingressKind: "alb", idleTimeout: "60s",
}

// value is the value at a path of the project's settings: given on the command line, in the stack's file, or the default.
func (s stackSettings) value(path string) any {
	for _, values := range []map[string]any{s.given, s.file} {
		if value, found := pulumi.Lookup(values, s.project+":"+path); found {
			return value
		}
	}
	return defaults[path]
}

func (l *Local) stackConfig(stack string, given map[string]string) (stackSettings, error) {
	reader := &pulumi.Stack{Root: l.Root, Name: stack}
	config, imports, err := reader.StackConfig()
	if err != nil {
		return stackSettings{}, err
	}
	region, _ := config["aws:region"].(string)
	if region == "" {
		return stackSettings{}, fmt.Errorf("stack %s: aws:region is not set; set it in Pulumi.%[1]s.yaml, as in `aws:region: eu-central-1`", stack)
	}
	project, err := reader.ProjectName()
	if err != nil {
		return stackSettings{}, err
	}
	settings := stackSettings{project: project, region: region, file: map[string]any{}, encrypted: map[string]any{}, imports: imports}
	for key, value := range config {
		plain, changed := decrypted(key, value)
		if changed {
			settings.encrypted[key] = plain
		}
		if plain != nil {
			settings.file[key] = plain
		}
	}
	if settings.given, err = parseSettings(project, given); err != nil {
		return stackSettings{}, err
	}
	settings.dockerfiles = dockerfiles(l.Root, settings.value)
	return settings, nil
}

// dockerfiles are those of the images that a stack with these settings builds; a prebuilt image has none. What is wrong with
// a setting is the program's to say.
func dockerfiles(root string, setting func(string) any) []string {
	text := func(name string) string {
		value, _ := setting(name).(string)
		return value
	}
	var files []string
	if text(appImage) == "" {
		files = append(files, filepath.Join(root, text(appContext), text(appDockerfile)))
	}
	if text(nginxImage) == "" {
		files = append(files, filepath.Join(root, nginxContext, "Dockerfile"))
	}
	return files
}

// settle writes the run's copy of a stack's file as it is now, and makes in the emulator what that names of an account. renewed
// reports whether a secret got another value, which running tasks have not read.
func (l *Local) settle(ctx context.Context, current run.Run, found toolchain.Tools, config stackSettings, name string) (stack *pulumi.Stack, renewed bool, err error) {
	stack = l.stack(current, name, found)
	values, err := l.localValues(current, config)
	if err != nil {
		return nil, false, err
	}
	if name != current.Stacks[0] && config.value(ingressKind) == ingressShared {
		if err := l.useLoadBalancer(ctx, l.stack(current, current.Stacks[0], found), config, values); err != nil {
			return nil, false, err
		}
	}
	if err := l.provideExisting(ctx, current, config, values); err != nil {
		return nil, false, err
	}
	if err := stack.Prepare(ctx, values); err != nil {
		return nil, false, err
	}
	if len(pulumi.Object(config.value(logRouter))) > 0 {
		l.Progress.Line("logs      the log router is left out: what NGINX and the app write stays here, see make local-logs")
	}
	renewed, err = l.provideSecrets(ctx, current, config)
	return stack, renewed, err
}

// deploy runs Pulumi and then sends the stack the pattern's requests.
func (l *Local) deploy(ctx context.Context, current run.Run, found toolchain.Tools, config stackSettings, options UpOptions) error {
	stack := options.Stack
	pulumi, renewed, err := l.settle(ctx, current, found, config, stack)
	if err != nil {
		return err
	}
	if err := pulumi.Unlock(ctx); err != nil {
		return err
	}
	if err := l.writeShell(pulumi, options); err != nil {
		return err
	}
	begun := time.Now()
	client := newClients(current)
	watched, done := l.watch(ctx, client)
	err = l.follow("pulumi up", func(w watcher) error { return pulumi.Up(watched, w) })
	var outputs map[string]any
	if err == nil {
		outputs, err = pulumi.Outputs(ctx)
		client.cluster, _ = outputs["clusterArn"].(string)
	}
	if err == nil && renewed {
		err = l.Progress.Step("new tasks with the new secrets", func() error { return client.restart(watched) })
	}
	done()
	l.printRequests(current)
	if err != nil {
		return cause(watched, err)
	}
	deployed := time.Since(begun).Round(time.Second)

	tasks, err := client.runningTasks(ctx)
	if err != nil {
		return err
	}
	url, err := localURL(current, outputs)
	if err != nil {
		return err
	}
	variables, err := client.sidecarVariables(ctx)
	if err != nil {
		return err
	}
	host, reaches, err := config.address()
	if err != nil {
		return err
	}
	asked := verify.Options{
		URL:        url,
		Reaches:    reaches,
		Prefixes:   list(variables["NGINX_PATH_PREFIXES"]),
		Files:      list(variables["NGINX_STATIC_FILES"]),
		Client:     clientFor(host),
		Patience:   30 * time.Second,
		Logs:       client.appLogs,
		Containers: len(tasks),
	}
	checks, err := verify.Stack(ctx, asked)
	l.Progress.Line("")
	for _, check := range checks {
		l.Progress.Line("  %-26s %s", check.Request, check.Got)
	}
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	l.printRefusals(verify.Refusals(ctx, asked))
	l.Progress.Line("\n%d tasks serve stack %s; deployed in %s, the whole command took %s\n", len(tasks), stack, deployed, l.Progress.Elapsed())
	l.Progress.Line("  %s%s", url, withHost(host))
	l.Progress.Line("  AWS CLI and pulumi in this shell:  . %s/env", filepath.Base(l.dir()))
	l.Progress.Line("  make local-status · make local-logs · make local-down")
	return nil
}

// printRefusals shows what a browser would miss of the app's own pages.
func (l *Local) printRefusals(refused []string) {
	if len(refused) == 0 {
		return
	}
	l.Progress.Line("\nNGINX refuses what the app's own pages link to; the reason ends with the setting that allows it:")
	for _, each := range refused {
		l.Progress.Line("  %s", each)
	}
}

// actionsFile has the AWS actions that each command of the last run called. It stays when the run goes, so that it also has
// those of the destroy.
const actionsFile = ".build/aws-actions.json"

// printRequests says whether AWS would have accepted the requests of the run so far, and writes down which actions they
// called.
func (l *Local) printRequests(current run.Run) {
	// Also when the user has interrupted the command.
	seen, err := emulator.ReadRequests(context.Background(), current.Endpoint)
	if err == nil {
		err = seen.Save(filepath.Join(l.Root, actionsFile))
	}
	if err != nil {
		l.Progress.Line("requests  %v", err)
		return
	}
	l.Progress.Line("%s", seen)
}

// startWait bounds the start of the background process.
const startWait = 90 * time.Second

// load returns the checkout's run. If an earlier command was killed while the background process started, it waits until
// that serves or has ended.
func (l *Local) load(ctx context.Context) (run.Run, error) {
	const again = 100 * time.Millisecond
	for begun := time.Now(); ; {
		current, err := run.Load(l.dir())
		if !errors.Is(err, run.ErrStarting) || time.Since(begun) > startWait {
			return current, err
		}
		select {
		case <-ctx.Done():
			return run.Run{}, ctx.Err()
		case <-time.After(again):
		}
	}
}

// startCloud starts the background process and waits until it serves.
func (l *Local) startCloud(ctx context.Context, found tools, stack, region, listen string, held []*os.File) (run.Run, error) {
	if err := l.clean(); err != nil {
		return run.Run{}, err
	}
	if err := os.MkdirAll(l.dir(), 0o755); err != nil {
		return run.Run{}, err
	}
	architecture, err := engineArchitecture(ctx)
	if err != nil {
		return run.Run{}, err
	}
	description := run.Run{
		ID:           "local-" + strconv.FormatInt(time.Now().UnixMilli(), 36),
		Stacks:       []string{stack},
		Region:       region,
		Architecture: architecture,
		Listen:       listen,
	}
	// What the process makes can be removed by the run's id, however soon something is killed.
	if err := description.Save(l.dir()); err != nil {
		return run.Run{}, err
	}
	process, err := l.launch(description, found.emulator, held)
	if err != nil {
		return run.Run{}, errors.Join(err, os.RemoveAll(l.dir()))
	}
	started := description
	err = process.Ready(ctx, startWait, func(context.Context) error {
		description, err = run.Load(l.dir())
		return err
	})
	if err != nil {
		err = errors.Join(cause(ctx, err), process.Stop())
		return run.Run{}, together(err, l.remove(started))
	}
	way := ""
	if description.Relayed {
		way = ", through a container, because the Docker engine has a loopback of its own"
	}
	l.Progress.Line("cloud     AWS emulator at %s, registry at %s%s (stand-ins, see local/README.md)", description.Endpoint, description.Registry, way)
	return description, nil
}

// clean removes what a run left whose background process is gone, with all that its emulator knew.
func (l *Local) clean() error {
	stale, err := run.Load(l.dir())
	if err == nil {
		return fmt.Errorf("run: the background process %d is still running; stop it with `make local-down`", stale.PID)
	}
	if stale.ID == "" {
		return os.RemoveAll(l.dir())
	}
	l.Progress.Line("removing what an earlier run left")
	return l.remove(stale)
}

// LogFile is where the background process writes.
func LogFile(dir string) string { return filepath.Join(dir, "cloud.log") }
