package e2e_test

import (
	"bytes"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"fargate-nginx-sidecar/local/machine"
	"fargate-nginx-sidecar/local/machine/toolchain"
	"fargate-nginx-sidecar/local/offline/source"
)

// A person makes a project of the template with the Pulumi CLI, and runs it.
func TestANewProjectRunsLocally(t *testing.T) {
	repository := must[string](t)(filepath.Abs(filepath.Join("..", "..")))
	template, root := filepath.Join(t.TempDir(), "template"), filepath.Join(t.TempDir(), "shop")
	shown(t, repository, nil, "go", "run", "./ops/project", "template", template)
	newProject(t, repository, template, root)

	c := &checkout{root: root, port: freePorts(t)}
	for setting, want := range map[string]string{"name: ": "shop", "description: ": "What we sell"} {
		if project := c.read(t, "Pulumi.yaml"); !strings.Contains(project, setting+want+"\n") {
			t.Errorf("%s%s: not in\n%s", setting, want, project)
		}
	}
	if stack := c.read(t, "Pulumi.dev.yaml"); !strings.Contains(stack, "aws:region: eu-west-1") || !strings.Contains(stack, "context: images/app") {
		t.Errorf("the stack's file has not what was said on the command line:\n%s", stack)
	}
	c.local(t, "up", "--stack", "dev") // which verifies what it has deployed
	current := c.current(t)
	if state := must[string](t)(c.shell(t, "pulumi stack export")); !strings.Contains(state, "urn:pulumi:dev::shop::") || !strings.Contains(state, `"Project": "shop"`) {
		t.Error("the stack is not one of the project shop, or its resources have no tag with the name")
	}
	if steps := c.changes(t); len(steps) != 0 {
		t.Errorf("a second preview changes %v", steps)
	}
	assertEncryptedInTheState(t, c)
	c.local(t, "down")
	c.assertNothingLeft(t, current)
}

// assertEncryptedInTheState deploys a setting that is encrypted, as its owner does with the CLI, and looks for it in what the CLI says
// and exports. The CLI is the run's own without the command before it that keeps settings out of the run's copy.
func assertEncryptedInTheState(t *testing.T, c *checkout) {
	t.Helper()
	const value = "e2e-hidden-8"
	cli := func(command string) string {
		return must[string](t)(c.shell(t, `export PATH="${PATH#*:}" && `+command))
	}
	cli("pulumi config set --secret --path app.environment.TOKEN " + value)
	for what, text := range map[string]string{
		"the stack's file": c.read(t, ".local/project/Pulumi.dev.yaml"),
		"pulumi up":        cli("pulumi up --yes --diff --non-interactive"),
		"the state":        cli("pulumi stack export"),
		"pulumi stack":     cli("pulumi stack --show-urns && pulumi stack output --json"),
	} {
		if strings.Contains(text, value) || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte(value))) {
			t.Errorf("%s shows the value", what)
		}
	}
	if !strings.Contains(cli("pulumi stack export --show-secrets"), value) {
		t.Error("the value is not in the state at all, so its absence in clear proves nothing")
	}
	newest := c.containers(t, "app")[0]
	if !strings.Contains(docker(t, nil, "inspect", newest), `"TOKEN=`+value+`"`) {
		t.Error("the app does not get the value")
	}
	// ECS has the value, as docs/settings.md says, and so may files of the local ECS.
	for _, file := range c.filesWith(t, value) {
		if strings.Contains(file, "/.local/state/") || strings.Contains(file, "/.local/project/") {
			t.Errorf("%s holds the value", file)
		}
	}
}

// newProject runs `pulumi new` as on the user's own machine: with a backend of the user's, into a folder that does not exist.
func newProject(t *testing.T, repository, template, root string) {
	t.Helper()
	printer := machine.NewPrinter(os.Stdout)
	finder := must[*toolchain.Finder](t)(toolchain.New(repository, printer))
	tools := must[toolchain.Tools](t)(finder.Pulumi(t.Context(), source.Builder{Root: repository, CacheDir: finder.CacheDir, Progress: printer}))
	shown(t, repository, []string{
		"PATH=" + tools.Path(), "PULUMI_HOME=" + t.TempDir(), "PULUMI_BACKEND_URL=file://" + t.TempDir(),
		"PULUMI_CONFIG_PASSPHRASE=user's", "PULUMI_SKIP_UPDATE_CHECK=true", "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION=true",
	}, tools.Pulumi, "new", template, "--yes", "--dir", root, "--name", "shop", "--description", "What we sell", "--stack", "dev",
		"--config", "aws:region=eu-west-1", "--config-path", "--config", "app.context=images/app")
}

// shown runs a command that must succeed, with its output in the test's.
func shown(t *testing.T, dir string, environment []string, name string, arguments ...string) {
	t.Helper()
	cmd := exec.Command(name, arguments...)
	var output bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, append(os.Environ(), environment...), &output, &output
	err := cmd.Run()
	t.Logf("%s %s\n%s", name, strings.Join(arguments, " "), output.String())
	if err != nil {
		t.Fatal(err)
	}
}
