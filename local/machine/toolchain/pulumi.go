package toolchain

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// pluginsModule is the Go module of the stand-ins, which also pins the CLI that is built from source.
const pluginsModule = "local/offline/plugins"

// cliModule is the module that holds the CLI's source.
const cliModule = "github.com/pulumi/pulumi/pkg/v3"

// languageHost is the plugin that runs Go programs; the official CLI comes with it.
const languageHost = "pulumi-language-go"

// resourcePlugins are the plugins of the packages that the program uses, by the module of their SDK.
var resourcePlugins = []struct{ name, module string }{
	{"aws", "github.com/pulumi/pulumi-aws/sdk/v6"},
	{"awsx", "github.com/pulumi/pulumi-awsx/sdk/v2"},
	{"docker", "github.com/pulumi/pulumi-docker/sdk/v4"},
}

type pulumiCLI struct {
	path string
	used string // one line for a person: which CLI it is and where it comes from
}

// cli finds the Pulumi CLI, downloads it, or builds it from source.
func (f *Finder) cli(ctx context.Context, reachable bool) (pulumiCLI, error) {
	built := filepath.Join(f.CacheDir, "bin", "pulumi")
	if path, err := exec.LookPath("pulumi"); err == nil && path != built {
		return pulumiCLI{path, "found at " + path}, nil
	}
	version, err := f.moduleVersion(ctx, pluginsModule, cliModule)
	if err != nil {
		return pulumiCLI{}, err
	}
	var downloadErr error
	if reachable {
		path, err := f.downloadCLI(ctx, version)
		if err == nil {
			return pulumiCLI{path, "official " + version + " from " + f.releases}, nil
		}
		downloadErr = fmt.Errorf("download: %w", err)
	}
	err = f.Progress.Step("build the Pulumi CLI "+version+" from source (minutes the first time)", func() error {
		return f.goBuild(ctx, built, cliModule+"/cmd/pulumi",
			"-ldflags=-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version="+strings.TrimPrefix(version, "v"))
	})
	if err != nil {
		return pulumiCLI{}, errors.Join(fmt.Errorf("pulumi: no CLI on PATH, and building one failed: %w", err), downloadErr)
	}
	return pulumiCLI{built, "built from source " + version + ", since " + f.releases + " cannot be reached"}, nil
}

// plugins makes a folder with a stand-in for every plugin that is not to be had. It is empty where all are official.
func (f *Finder) plugins(ctx context.Context, cli pulumiCLI, home string, reachable bool) (dir string, err error) {
	var missing []string
	if _, err := os.Stat(filepath.Join(filepath.Dir(cli.path), languageHost)); err == nil {
		f.Progress.Line("go host   official %s beside the CLI", languageHost)
	} else {
		missing = append(missing, languageHost)
	}
	for _, plugin := range resourcePlugins {
		version, err := f.moduleVersion(ctx, ".", plugin.module)
		if err != nil {
			return "", err
		}
		if f.officialPlugin(ctx, cli, home, plugin.name, strings.TrimPrefix(version, "v"), reachable) {
			f.Progress.Line("%-9s official plugin %s", plugin.name, version)
			continue
		}
		missing = append(missing, "pulumi-resource-"+plugin.name)
	}
	if len(missing) == 0 {
		return "", nil
	}
	binary := filepath.Join(f.CacheDir, "bin", "plugins")
	err = f.Progress.Step("build stand-ins for the Pulumi plugins (minutes the first time)", func() error {
		return f.goBuild(ctx, binary, ".")
	})
	if err != nil {
		return "", fmt.Errorf("plugins: %w", err)
	}
	f.Progress.Line("plugins   stand-ins built from local/offline/plugins for %s", strings.Join(missing, ", "))
	return f.link(binary, missing)
}

// officialPlugin says whether the engine has, or can now get, the official plugin.
func (f *Finder) officialPlugin(ctx context.Context, cli pulumiCLI, home, name, version string, reachable bool) bool {
	installed := filepath.Join(home, "plugins", fmt.Sprintf("resource-%s-v%s", name, version))
	if _, err := os.Stat(installed); err == nil {
		return true
	}
	if !reachable {
		return false
	}
	cmd := exec.CommandContext(ctx, cli.path, "plugin", "install", "resource", name, version)
	cmd.Env = append(os.Environ(), "PULUMI_HOME="+home)
	return f.Progress.Step("download the "+name+" plugin "+version, cmd.Run) == nil
}

// link gives the one stand-in binary the names under which the engine looks for plugins on PATH.
func (f *Finder) link(binary string, names []string) (string, error) {
	dir := filepath.Join(f.CacheDir, "plugins")
	if err := os.RemoveAll(dir); err != nil {
		return "", fmt.Errorf("plugins: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("plugins: %w", err)
	}
	for _, name := range names {
		if err := os.Symlink(binary, filepath.Join(dir, name)); err != nil {
			return "", fmt.Errorf("plugins: %w", err)
		}
	}
	return dir, nil
}

// goBuild builds a package of the plugins module. All builds use the same flags, so that they share the build cache.
func (f *Finder) goBuild(ctx context.Context, output, pkg string, flags ...string) error {
	if _, err := exec.LookPath("go"); err != nil {
		return errors.New("go is not on PATH; install it: https://go.dev/doc/install")
	}
	arguments := append([]string{"build", "-o", output}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(arguments, pkg)...)
	cmd.Dir = filepath.Join(f.Root, pluginsModule)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", pkg, err, lastLines(text, 20))
	}
	return nil
}

// CompileProgram compiles the Pulumi program, so that the engine, which shows nothing while it does, need not.
func (f *Finder) CompileProgram(ctx context.Context) error {
	return f.Progress.Step("compile the program (minutes the first time)", func() error {
		cmd := exec.CommandContext(ctx, "go", "build", ".", "./infra/...")
		cmd.Dir = f.Root
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("program: go build: %w\n%s", err, lastLines(text, 20))
		}
		return nil
	})
}

// moduleVersion reads which version of a module the go.mod in dir selects.
func (f *Finder) moduleVersion(ctx context.Context, dir, module string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Version}}", module)
	cmd.Dir = filepath.Join(f.Root, dir)
	output, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, lastLines(exit.Stderr, 3))
		}
		return "", fmt.Errorf("version of %s: %w", module, err)
	}
	return strings.TrimSpace(string(output)), nil
}

// downloadCLI fetches the official release, which brings the language hosts with it.
func (f *Finder) downloadCLI(ctx context.Context, version string) (string, error) {
	dir := filepath.Join(f.CacheDir, "pulumi-"+version)
	path := filepath.Join(dir, "pulumi", "pulumi")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	architecture := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	address := fmt.Sprintf("%s/releases/sdk/pulumi-%s-%s-%s.tar.gz", f.releases, version, runtime.GOOS, architecture)
	err := f.Progress.Step("download "+address, func() error { return fetch(ctx, address, dir) })
	return path, err
}

// fetch unpacks a .tar.gz from address into dir, whole or not at all.
func fetch(ctx context.Context, address, dir string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", address, response.Status)
	}
	unfinished, err := os.MkdirTemp(filepath.Dir(dir), "download-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(unfinished) }() // after the rename there is nothing left to remove
	if err := unpack(response.Body, unfinished); err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	return os.Rename(unfinished, dir)
}

func unpack(archive io.Reader, dir string) error {
	plain, err := gzip.NewReader(archive)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir) // refuses names that lead out of dir
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	for files := tar.NewReader(plain); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		if err := root.MkdirAll(filepath.Dir(header.Name), 0o755); err != nil {
			return err
		}
		if err := unpackFile(root, header, files); err != nil {
			return err
		}
	}
}

func unpackFile(root *os.Root, header *tar.Header, content io.Reader) error {
	file, err := root.OpenFile(header.Name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, header.FileInfo().Mode().Perm())
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, content); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}
