package toolchain

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"fargate-nginx-sidecar/local/machine"
)

// room is what a run takes of the disks at most, in bytes.
type room struct{ tools, builds, images, checkout uint64 }

const megabyte = 1000 * 1000

// What a first run and a later one are asked to have room for. local/README.md has what was measured.
var (
	first = room{tools: 1000 * megabyte, builds: 4000 * megabyte, images: 1500 * megabyte, checkout: 500 * megabyte}
	later = room{tools: 100 * megabyte, builds: 500 * megabyte, images: 500 * megabyte, checkout: 500 * megabyte}
)

// Disk refuses to begin what would end with a full disk half way. The engine answers already: it says where its images lie.
func (f *Finder) Disk(ctx context.Context) error {
	need := first
	if _, err := os.Stat(filepath.Join(f.CacheDir, "bin")); err == nil {
		need = later
	}
	builds, err := machine.Output(ctx, "go", "env", "GOCACHE")
	if err != nil {
		return fmt.Errorf("disk: %w", err)
	}
	spaces := []machine.Space{
		{For: "tools", Dir: f.CacheDir, Need: need.tools, Else: "XDG_CACHE_HOME moves the tools"},
		{For: "Go's builds", Dir: builds, Need: need.builds, Else: "GOCACHE moves Go's builds"},
		{For: "the run", Dir: f.Root, Need: need.checkout, Else: "the run lies in the checkout"},
	}
	images, err := machine.Output(ctx, "docker", "info", "--format", "{{.DockerRootDir}}")
	if err != nil {
		return fmt.Errorf("disk: %w", err)
	}
	// An engine in a virtual machine has a disk of its own, of which it tells nothing.
	if _, err := os.Stat(images); err == nil {
		spaces = append(spaces, machine.Space{For: "images", Dir: images, Need: need.images, Else: "`docker system df` shows what Docker keeps"})
	}
	return machine.CheckSpace(spaces...)
}
