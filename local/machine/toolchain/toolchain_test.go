package toolchain

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fargate-nginx-sidecar/local/machine"
)

// release is a download server that has one release of the CLI.
func release(t *testing.T, files map[string]string) *httptest.Server {
	t.Helper()
	var archive bytes.Buffer
	compressed := gzip.NewWriter(&archive)
	packed := tar.NewWriter(compressed)
	for name, content := range files {
		if err := packed.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := packed.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := packed.Close(); err != nil {
		t.Fatal(err)
	}
	if err := compressed.Close(); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/releases/sdk/pulumi-v"):
			_, _ = w.Write(archive.Bytes())
		case strings.HasSuffix(r.URL.Path, "-checksums.txt"): // as sha256sum writes them
			version := strings.Split(r.URL.Path, "/")[1]
			for _, platform := range []string{"darwin-arm64", "darwin-x64", "linux-arm64", "linux-x64"} {
				_, _ = fmt.Fprintf(w, "%x  pulumi-%s-%s.tar.gz\n", sha256.Sum256(archive.Bytes()), version, platform)
			}
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func finder(t *testing.T, releases string, out *bytes.Buffer) *Finder {
	t.Helper()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	return &Finder{Root: root, CacheDir: t.TempDir(), Progress: machine.NewPrinter(out), releases: releases, checksums: releases, motoRegistry: "http://127.0.0.1:1", EngineDir: filepath.Join(t.TempDir(), "engine"), system: t.TempDir()}
}

// builder is asked for what cannot be downloaded, and has nothing.
type builder struct{}

func (builder) CLIVersion(context.Context) (string, error) { return "v3.0.0", nil }
func (builder) CLIPath() string                            { return "/none/pulumi" }
func (builder) CLI(context.Context, string) error          { return errors.New("not built in a test") }
func (builder) Plugins(context.Context, []string) (string, error) {
	return "", errors.New("not built in a test")
}

func TestTheOfficialCLIIsPreferredWhereItCanBeDownloaded(t *testing.T) {
	server := release(t, map[string]string{
		"pulumi/pulumi":             "#!/bin/sh\n",
		"pulumi/pulumi-language-go": "#!/bin/sh\n",
	})
	t.Setenv("PATH", withoutPulumi(t))
	f := finder(t, server.URL, &bytes.Buffer{})
	if err := f.unreachable(context.Background()); err != nil {
		t.Fatal(err)
	}
	path, origin, err := f.cli(context.Background(), builder{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(origin, "official v3.") {
		t.Errorf("origin: %s", origin)
	}
	for _, name := range []string{"pulumi", "pulumi-language-go"} {
		info, err := os.Stat(filepath.Join(filepath.Dir(path), name))
		if err != nil || info.Mode().Perm()&0o100 == 0 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	// Online yesterday, offline today.
	again, origin, err := f.cli(context.Background(), builder{}, errors.New("no route to host"))
	if err != nil || again != path || !strings.Contains(origin, "downloaded earlier") {
		t.Errorf("offline: got %s, %s, %v", again, origin, err)
	}
}

func TestACLIOnPathIsPreferredToADownload(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pulumi"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	path, origin, err := finder(t, "http://127.0.0.1:1", &bytes.Buffer{}).cli(context.Background(), builder{}, errors.New("not asked"))
	if err != nil || path != filepath.Join(dir, "pulumi") {
		t.Errorf("got %s, %s, %v", path, origin, err)
	}
}

func TestADownloadThatLeavesItsFolderIsRefusedAndLeavesNothing(t *testing.T) {
	server := release(t, map[string]string{"../outside": "x"})
	f := finder(t, server.URL, &bytes.Buffer{})
	_, err := f.downloadCLI(context.Background(), "v3.0.0")
	if err == nil {
		t.Fatal("the archive was unpacked")
	}
	left, err := os.ReadDir(f.CacheDir)
	if err != nil || len(left) != 1 || left[0].Name() != "pulumi-v3.0.0.lock" {
		t.Errorf("left behind beside the lock: %v, %v", left, err)
	}
}

func TestADownloadWithAnotherChecksumIsRefusedAndLeavesNothing(t *testing.T) {
	sent, published := release(t, map[string]string{"pulumi/pulumi": "changed"}), release(t, map[string]string{"pulumi/pulumi": "as released"})
	for _, test := range []struct{ checksums, want string }{
		{published.URL, "published: "},
		{published.URL + "/nothing", "does not name pulumi-v3.0.0-"},
		{"http://127.0.0.1:1", "checksum: "},
	} {
		f := finder(t, sent.URL, &bytes.Buffer{})
		f.checksums = test.checksums
		_, err := f.downloadCLI(context.Background(), "v3.0.0")
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want … %s", test.checksums, err, test.want)
		}
		if exists(f.downloads("v3.0.0")) {
			t.Error("the archive was unpacked")
		}
	}
}

func TestAnUnreachableServerIsNoticed(t *testing.T) {
	if finder(t, "http://127.0.0.1:1", &bytes.Buffer{}).unreachable(context.Background()) == nil {
		t.Error("a server that nobody runs counts as reachable")
	}
}

func TestOneLostAnswerIsNoReasonToBuild(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked == 1 {
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	t.Cleanup(server.Close)
	if err := finder(t, server.URL, &bytes.Buffer{}).unreachable(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestAFailedDownloadIsSaidWithItsReason(t *testing.T) {
	t.Setenv("PATH", withoutPulumi(t))
	_, _, err := finder(t, "", &bytes.Buffer{}).cli(context.Background(), builder{}, errors.New("no route to host"))
	if err == nil || !strings.Contains(err.Error(), "the download failed: no route to host") {
		t.Errorf("got %v", err)
	}
	var out bytes.Buffer
	f := finder(t, "", &out)
	tools := Tools{Pulumi: "false", Home: t.TempDir()}
	half := filepath.Join(tools.Home, "plugins", "resource-aws-v6.83.0")
	if err := errors.Join(os.MkdirAll(half, 0o755), os.WriteFile(filepath.Join(half, "pulumi-resource-aws"), nil, 0o755), os.WriteFile(half+".partial", nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	if f.officialPlugin(context.Background(), tools, "aws", "6.83.0", true) {
		t.Error("a half unpacked plugin counts as there")
	}
	if !strings.Contains(out.String(), "the official plugin 6.83.0 cannot be downloaded: false: exit status 1") {
		t.Errorf("said %q", out.String())
	}
	if err := os.Remove(half + ".partial"); err != nil {
		t.Fatal(err)
	}
	if !f.officialPlugin(context.Background(), tools, "aws", "6.83.0", false) {
		t.Error("a plugin that is there does not count offline")
	}
}

func TestAFullDiskIsNoticedBeforeAnythingIsBuilt(t *testing.T) {
	f := finder(t, "", &bytes.Buffer{})
	if err := f.Disk(t.Context()); err != nil {
		t.Skipf("this disk is too full to build on: %v", err)
	}
	before := first
	t.Cleanup(func() { first = before })
	first = room{tools: 1 << 60, builds: 2 << 60, images: 3 << 60, checkout: 4 << 60}
	err := f.Disk(t.Context())
	for _, want := range []string{
		" GB for tools in " + f.CacheDir, " GB for Go's builds in ", " GB for the run in " + f.Root, " GB for images in /", "XDG_CACHE_HOME", "GOCACHE",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// withoutPulumi is PATH without the folders that hold a pulumi.
func withoutPulumi(t *testing.T) string {
	t.Helper()
	var kept []string
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if _, err := os.Stat(filepath.Join(dir, "pulumi")); err != nil {
			kept = append(kept, dir)
		}
	}
	return strings.Join(kept, string(os.PathListSeparator))
}
