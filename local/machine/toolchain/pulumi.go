package toolchain

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"fargate-nginx-sidecar/local/machine"
)

// Builder makes what cannot be downloaded.
type Builder interface {
	CLIVersion(ctx context.Context) (string, error) // of the CLI to download or to build
	CLIPath() string                                // where a built CLI lies
	CLI(ctx context.Context, version string) error
	Plugins(ctx context.Context, names []string) (dir string, err error)
}

// languageHost is the plugin that runs Go programs; the official CLI comes with it.
const languageHost = "pulumi-language-go"

// resourcePlugins are the plugins of the packages that the program uses, by the module of their SDK.
var resourcePlugins = []struct{ name, module string }{
	{"aws", "github.com/pulumi/pulumi-aws/sdk/v6"},
	{"awsx", "github.com/pulumi/pulumi-awsx/sdk/v2"},
	{"docker", "github.com/pulumi/pulumi-docker/sdk/v4"},
}

// Tools are the found programs of the Pulumi engine.
type Tools struct {
	Pulumi    string // the CLI
	PluginDir string // stand-ins, one executable per plugin; empty when all plugins are official
	Home      string // PULUMI_HOME, where official plugins lie
}

// Path returns PATH with the tools first, as the engine needs it to find them.
func (t Tools) Path() string {
	path := filepath.Dir(t.Pulumi) + string(os.PathListSeparator) + os.Getenv("PATH")
	if t.PluginDir != "" {
		path = t.PluginDir + string(os.PathListSeparator) + path
	}
	return path
}

// Pulumi finds or makes the CLI, the language host and the three resource plugins.
func (f *Finder) Pulumi(ctx context.Context, builder Builder) (Tools, error) {
	tools := Tools{Home: filepath.Join(f.CacheDir, "pulumi-home")}
	unreachable := f.unreachable(ctx)
	path, origin, err := f.cli(ctx, builder, unreachable)
	if err != nil {
		return Tools{}, fmt.Errorf("pulumi: %w", err)
	}
	tools.Pulumi = path
	f.Progress.Line("pulumi    %s", origin)
	missing, err := f.missingPlugins(ctx, tools, unreachable == nil)
	if err == nil && len(missing) > 0 {
		tools.PluginDir, err = builder.Plugins(ctx, missing)
	}
	if err != nil {
		return Tools{}, fmt.Errorf("plugins: %w", err)
	}
	return tools, nil
}

// unreachable says why nothing can be downloaded from Pulumi's server; nil if it answers anything at all.
func (f *Finder) unreachable(ctx context.Context) (err error) {
	for range reachTries {
		if err = ask(ctx, f.releases); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}

func ask(ctx context.Context, server string) error {
	ctx, cancel := context.WithTimeout(ctx, reachWait)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, server, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("%s: %s", server, response.Status)
	}
	return nil
}

// cli finds the Pulumi CLI, downloads it, or builds it. It returns its path and one line about where it comes from.
func (f *Finder) cli(ctx context.Context, builder Builder, unreachable error) (path, origin string, err error) {
	if path, err := exec.LookPath("pulumi"); err == nil && path != builder.CLIPath() {
		return path, "found at " + path, nil
	}
	version, err := builder.CLIVersion(ctx)
	if err != nil {
		return "", "", err
	}
	if path := f.downloadedCLI(version); exists(path) {
		return path, "official " + version + ", downloaded earlier", nil
	}
	why := unreachable
	if why == nil {
		path, why = f.downloadCLI(ctx, version)
	}
	if why == nil {
		return path, "official " + version + " from " + f.releases + ", with the checksum that " + f.checksums + " has", nil
	}
	if err := builder.CLI(ctx, version); err != nil {
		return "", "", fmt.Errorf("no CLI on PATH, the download failed: %w, and building one failed: %w", why, err)
	}
	return builder.CLIPath(), "built from source " + version + ", since the download failed: " + why.Error(), nil
}

// missingPlugins names the executables of the plugins that are neither there nor to be downloaded.
func (f *Finder) missingPlugins(ctx context.Context, tools Tools, reachable bool) ([]string, error) {
	var missing []string
	if _, err := os.Stat(filepath.Join(filepath.Dir(tools.Pulumi), languageHost)); err == nil {
		f.Progress.Line("go host   official %s beside the CLI", languageHost)
	} else {
		missing = append(missing, languageHost)
	}
	for _, plugin := range resourcePlugins {
		version, err := machine.ModuleVersion(ctx, f.Root, plugin.module)
		if err != nil {
			return nil, err
		}
		if f.officialPlugin(ctx, tools, plugin.name, strings.TrimPrefix(version, "v"), reachable) {
			f.Progress.Line("%-9s official plugin %s", plugin.name, version)
		} else {
			missing = append(missing, "pulumi-resource-"+plugin.name)
		}
	}
	return missing, nil
}

// officialPlugin says whether the engine has, or can now get, the official plugin.
func (f *Finder) officialPlugin(ctx context.Context, tools Tools, name, version string, reachable bool) bool {
	installed := filepath.Join(tools.Home, "plugins", fmt.Sprintf("resource-%s-v%s", name, version))
	// The CLI leaves a file beside a folder that it has not unpacked to the end.
	// https://github.com/pulumi/pulumi/blob/v3.230.0/sdk/go/common/workspace/plugins.go
	if exists(filepath.Join(installed, "pulumi-resource-"+name)) && !exists(installed+".partial") {
		return true
	}
	if !reachable {
		return false
	}
	unlock, err := f.Progress.Lock(ctx, tools.Home+".lock", "the folder of the official plugins is")
	if err != nil {
		return false
	}
	defer unlock()
	install := machine.Command{Env: []string{"PULUMI_HOME=" + tools.Home}, Name: tools.Pulumi, Args: []string{"plugin", "install", "--reinstall", "resource", name, version}}
	err = f.Progress.Step("download the "+name+" plugin "+version, func() error { return install.Run(ctx) })
	if err != nil {
		f.Progress.Line("%-9s the official plugin %s cannot be downloaded: %v", name, version, err)
	}
	return err == nil
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// downloads is the folder of a downloaded release of the CLI.
func (f *Finder) downloads(version string) string {
	return filepath.Join(f.CacheDir, "pulumi-"+version)
}

func (f *Finder) downloadedCLI(version string) string {
	return filepath.Join(f.downloads(version), "pulumi", "pulumi")
}

// downloadCLI fetches the official release, which brings the language hosts with it.
func (f *Finder) downloadCLI(ctx context.Context, version string) (path string, err error) {
	dir, path := f.downloads(version), f.downloadedCLI(version)
	unlock, err := f.Progress.Lock(ctx, dir+".lock", "the download of the Pulumi CLI is")
	if err != nil {
		return "", err
	}
	defer unlock()
	if exists(path) { // by whoever held the lock
		return path, nil
	}
	architecture := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	archive := fmt.Sprintf("pulumi-%s-%s-%s.tar.gz", version, runtime.GOOS, architecture)
	address := f.releases + "/releases/sdk/" + archive
	return path, f.Progress.Step("download "+address, func() error {
		sum, err := f.checksum(ctx, version, archive)
		if err != nil {
			return fmt.Errorf("checksum: %w", err)
		}
		return fetch(ctx, address, sum, dir)
	})
}

// checksum returns the SHA-256 that a release's own list gives for one of its archives. The list is on another server than
// the archive, so one changed server is not enough to pass a changed archive off.
// https://github.com/pulumi/pulumi/blob/v3.230.0/.github/workflows/sign.yml
func (f *Finder) checksum(ctx context.Context, version, archive string) (sum string, err error) {
	address := fmt.Sprintf("%s/%s/pulumi-%s-checksums.txt", f.checksums, version, strings.TrimPrefix(version, "v"))
	list, err := get(ctx, address)
	if err != nil {
		return "", err
	}
	defer func() { _ = list.Close() }()
	for lines := bufio.NewScanner(list); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) == 2 && fields[1] == archive {
			return fields[0], nil
		}
	}
	return "", fmt.Errorf("%s does not name %s", address, archive)
}

// get returns what a server has at an address.
func get(ctx context.Context, address string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("%s: %s", address, response.Status), response.Body.Close())
	}
	return response.Body, nil
}

// fetch unpacks a .tar.gz from address into dir, whole or not at all, if it has the SHA-256 given.
func fetch(ctx context.Context, address, sum, dir string) error {
	content, err := get(ctx, address)
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }()
	unfinished, err := os.MkdirTemp(filepath.Dir(dir), "download-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(unfinished) }() // after the last rename there is nothing left to remove
	archive, unpacked := filepath.Join(unfinished, "archive"), filepath.Join(unfinished, "content")
	hash := sha256.New()
	if err := errors.Join(os.Mkdir(unpacked, 0o755), save(io.TeeReader(content, hash), archive)); err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != sum {
		return fmt.Errorf("%s: SHA-256 %s; published: %s", address, got, sum)
	}
	// tar refuses names that lead out of the folder.
	if err := machine.Run(ctx, "tar", "-xzf", archive, "-C", unpacked, "--no-same-owner"); err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	return os.Rename(unpacked, dir)
}

func save(content io.Reader, name string) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Close())
}
