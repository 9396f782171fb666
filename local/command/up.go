package command

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"fargate-nginx-sidecar/local/cloud/awsmodel"
	"fargate-nginx-sidecar/local/cloud/run"
	"fargate-nginx-sidecar/local/command/pulumi"
	"fargate-nginx-sidecar/local/command/verify"
	"fargate-nginx-sidecar/local/machine/toolchain"
)

// UpOptions are the choices of `up`.
type UpOptions struct {
	Stack  string            // which Pulumi.<stack>.yaml
	Port   int               // of the load balancer's HTTP listener on 127.0.0.1
	Config map[string]string // values that replace the stack file's, for this run only; YAML
}

// Up brings the stack to what the checkout says, and proves that it answers. A first run
// that fails is removed again; a change that fails leaves the running stack as it was.
func (l *Local) Up(ctx context.Context, options UpOptions) (err error) {
	unlock, err := l.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	current, err := run.Load(l.dir())
	fresh := errors.Is(err, run.ErrNone)
	if err != nil && !fresh {
		return err
	}
	if !fresh && current.Stack != options.Stack {
		return fmt.Errorf("stack: %s is running, %s was asked for; take it down first with `make local-down`", current.Stack, options.Stack)
	}
	listen := net.JoinHostPort("127.0.0.1", strconv.Itoa(options.Port))
	config, err := l.stackConfig(options.Stack)
	if err != nil {
		return err
	}
	if fresh {
		secure, err := httpsAddress(listen)
		if err := errors.Join(err, portFree(ctx, listen), portFree(ctx, secure)); err != nil {
			return err
		}
	}
	found, err := l.prepare(ctx, config.dockerfiles)
	if err != nil {
		return errors.Join(err, l.stopDocker(found.docker))
	}
	if fresh {
		if current, err = l.startCloud(ctx, found, options.Stack, config.region, listen); err != nil {
			return errors.Join(err, l.stopDocker(found.docker))
		}
		defer func() {
			if err != nil {
				l.Progress.Line("removing what was started; nothing is left running")
				err = errors.Join(err, l.remove(current))
			}
		}()
	}
	return l.deploy(ctx, current, found.pulumi, config, options)
}

// stopDocker stops a Docker engine that a failed start had started.
func (l *Local) stopDocker(started bool) error {
	if !started {
		return nil
	}
	return l.finder.StopDocker()
}

// stackSettings are the values of a stack's file that the local run itself needs.
type stackSettings struct {
	project     string
	region      string
	secrets     any      // as YAML
	dockerfiles []string // that the stack builds from
}

func (l *Local) stackConfig(stack string) (stackSettings, error) {
	reader := &pulumi.Stack{Root: l.Root, Name: stack}
	config, err := reader.StackConfig()
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
	values := func(setting string) any {
		if value, given := config[project+":"+setting]; given || err != nil {
			return value
		}
		var value any
		value, err = reader.ProjectDefault(setting)
		return value
	}
	settings := stackSettings{
		project: project, region: region, secrets: values("secrets"), dockerfiles: dockerfiles(l.Root, values),
	}
	return settings, err
}

// dockerfiles are those of the images that a stack with these settings builds; a prebuilt image has none. What is wrong with
// a setting is the program's to say.
func dockerfiles(root string, setting func(string) any) []string {
	text := func(name string) string {
		value, _ := setting(name).(string)
		return value
	}
	var files []string
	if text("appImage") == "" {
		files = append(files, filepath.Join(root, text("appContext"), text("appDockerfile")))
	}
	if text("nginxImage") == "" {
		files = append(files, filepath.Join(root, text("nginxContext"), "Dockerfile"))
	}
	return files
}

// deploy runs Pulumi and then asks the stack what it promises.
func (l *Local) deploy(ctx context.Context, current run.Run, found toolchain.Tools, config stackSettings, options UpOptions) error {
	pulumi := l.stack(current, found)
	values, err := l.localValues(ctx, config, options)
	if err != nil {
		return err
	}
	if err := pulumi.Prepare(ctx, values); err != nil {
		return err
	}
	if err := run.WriteEnv(l.dir(), pulumi.Settings()); err != nil {
		return err
	}
	renewed, err := l.provideSecrets(ctx, current, config, values)
	if err != nil {
		return err
	}
	begun := time.Now()
	client := newClients(current)
	watched, done := client.watch(ctx)
	err = l.Progress.Step("pulumi up", func() error { return pulumi.Up(watched, l.Progress) })
	if err == nil && renewed {
		err = l.Progress.Step("new tasks with the new secrets", func() error { return client.restart(watched) })
	}
	done()
	l.printRequests()
	if err != nil {
		l.printFailure(context.WithoutCancel(ctx), client)
		if gaveUp := context.Cause(watched); errors.Is(gaveUp, errGaveUp) {
			return gaveUp
		}
		return err
	}
	deployed := time.Since(begun).Round(time.Second)

	tasks, err := client.runningTasks(ctx)
	if err != nil {
		return err
	}
	outputs, err := pulumi.Outputs(ctx)
	if err != nil {
		return err
	}
	url, err := localURL(current, outputs)
	if err != nil {
		return err
	}
	prefixes, err := client.pathPrefixes(ctx)
	if err != nil {
		return err
	}
	checks, err := verify.Stack(ctx, verify.Options{
		URL:        url,
		Prefixes:   prefixes,
		Client:     selfSigned(),
		Patience:   30 * time.Second,
		Logs:       client.appLogs,
		Containers: len(tasks),
	})
	l.Progress.Line("")
	for _, check := range checks {
		l.Progress.Line("  %-26s %s", check.Request, check.Got)
	}
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	l.Progress.Line("\n%d tasks serve stack %s; deployed in %s, the whole command took %s\n", len(tasks), current.Stack, deployed, l.Progress.Elapsed())
	l.Progress.Line("  %s", url)
	l.Progress.Line("  AWS CLI and pulumi in this shell:  . %s/env", filepath.Base(l.dir()))
	l.Progress.Line("  make local-status · make local-logs · make local-down")
	return nil
}

// printRequests says whether AWS would have taken what the run asked for so far.
func (l *Local) printRequests() {
	summary, err := awsmodel.Summarize(l.dir())
	if err != nil {
		l.Progress.Line("requests  %v", err)
		return
	}
	l.Progress.Line("%s", summary)
}

// startCloud starts the background process and waits until it serves.
func (l *Local) startCloud(ctx context.Context, found tools, stack, region, listen string) (run.Run, error) {
	if err := l.clean(); err != nil {
		return run.Run{}, err
	}
	if err := os.MkdirAll(l.dir(), 0o755); err != nil {
		return run.Run{}, err
	}
	description := run.Run{
		ID:     "local-" + strconv.FormatInt(time.Now().UnixMilli(), 36),
		Stack:  stack,
		Region: region,
		Listen: listen,
		Docker: found.docker,
	}
	process, err := l.launch(description, found.emulator)
	if err != nil {
		return run.Run{}, err
	}
	err = process.Ready(ctx, 90*time.Second, func(context.Context) error {
		description, err = run.Load(l.dir())
		return err
	})
	if err != nil {
		return run.Run{}, errors.Join(err, process.Stop(), os.RemoveAll(l.dir()))
	}
	l.Progress.Line("cloud     AWS emulator at %s, registry at %s (stand-ins, see local/README.md)", description.Endpoint, description.Registry)
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
	l.Progress.Line("an earlier run ended without `make local-down`; removing what it left")
	return l.remove(stale)
}

// LogFile is where the background process writes.
func LogFile(dir string) string { return filepath.Join(dir, "cloud.log") }
