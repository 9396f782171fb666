// Package toolchain finds what a local run needs, and installs or downloads what is missing.
//
// Of every piece the official one is preferred: the one already on the machine, then the one from its makers' server. Only
// where neither is to be had, a Builder makes it. One line each says which was used.
package toolchain

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"fargate-nginx-sidecar/local/machine"
)

// project names the cache folder.
const project = "fargate-nginx-sidecar"

// Pulumi's download server is asked up to reachTries times, reachWait each, whether it can be reached: one lost packet must not
// mean half an hour of builds.
const (
	reachWait  = 4 * time.Second
	reachTries = 3
)

// Finder looks for the tools of one checkout.
type Finder struct {
	Root     string // the checkout
	CacheDir string // what is built or downloaded once per machine
	Progress *machine.Printer

	EngineDir string // as the constant; a test puts its own

	releases     string // Pulumi's download server; a test puts its own
	checksums    string // where the releases' checksums are; a test puts its own
	motoImage    string // a test puts its own
	motoRegistry string // where it is asked whether the image can be had; a test puts its own
	system       string // the root of the file system; a test puts its own
}

// New returns a finder that keeps what it builds in the user's cache folder.
func New(root string, printer *machine.Printer) (*Finder, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("cache folder: %w; set HOME or XDG_CACHE_HOME", err)
	}
	finder := &Finder{
		Root: root, CacheDir: filepath.Join(cache, project), Progress: printer, releases: "https://get.pulumi.com",
		checksums: "https://github.com/pulumi/pulumi/releases/download",
		motoImage: "motoserver/moto:" + motoVersion, motoRegistry: "https://registry-1.docker.io/v2/",
		EngineDir: engineDir, system: "/",
	}
	if err := os.MkdirAll(finder.CacheDir, 0o755); err != nil {
		return nil, fmt.Errorf("cache folder: %w", err)
	}
	return finder, nil
}
