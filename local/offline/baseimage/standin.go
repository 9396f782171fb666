package baseimage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"fargate-nginx-sidecar/local/machine"
)

// Label marks an image as a stand-in and holds its recipe's digest.
const Label = "fargate-nginx-sidecar.stand-in"

// freeBytesNeeded is what one stand-in takes at its peak: the unpacked root
// file system, its tarball, the image's layers.
const freeBytesNeeded = 1 << 30

// Maker builds stand-ins.
type Maker struct {
	CacheDir string // keeps root file systems and npm packages between runs; Go keeps its modules itself
	Progress *machine.Printer
}

// Build makes a stand-in: a Debian root file system, imported, and on top of
// it a small build that adds npm packages, Go modules, users and the stop
// signal, which `docker import` refuses.
func (m Maker) Build(ctx context.Context, ref string, rec Recipe) error {
	return m.Progress.Step("build a stand-in for "+ref+" from Debian "+rec.suite+" packages (about half a minute)", func() error {
		return m.build(ctx, ref, rec)
	})
}

func (m Maker) build(ctx context.Context, ref string, rec Recipe) error {
	if err := machine.CheckSpace(machine.Space{For: "a stand-in for a base image", Dir: m.CacheDir, Need: freeBytesNeeded, Else: "XDG_CACHE_HOME moves it"}); err != nil {
		return err
	}
	rootfs, err := m.rootfs(ctx, rec)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(m.CacheDir, "build-")
	if err != nil {
		return fmt.Errorf("stand-in: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	for _, pkg := range rec.npm {
		if err := m.unpackNPM(ctx, pkg, dir); err != nil {
			return err
		}
	}
	for _, module := range rec.modules {
		if err := m.copyModule(ctx, module, dir); err != nil {
			return err
		}
	}
	imported := "fargate-nginx-sidecar/rootfs:" + rec.rootfsDigest()
	if err := machine.Run(ctx, "docker", "import", rootfs, imported); err != nil {
		return err
	}
	dockerfile := "FROM " + imported + "\nLABEL " + Label + "=" + rec.Digest() + "\n" + rec.steps
	err = errors.Join(
		os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(dockerfile), 0o644),
		os.WriteFile(filepath.Join(dir, "ca.crt"), []byte(rec.caBundle), 0o644),
	)
	if err != nil {
		return fmt.Errorf("stand-in: %w", err)
	}
	// No network: all that the image needs is in the context.
	err = machine.Run(ctx, "docker", "build", "--network=none", "--force-rm", "--tag", ref, dir)
	// Only the tag is removed; the layers stay with the image.
	return errors.Join(err, machine.Run(ctx, "docker", "image", "rm", "--no-prune", imported))
}

// rootfs returns the path of the Debian part's tarball, from the cache if an
// earlier run made it.
func (m Maker) rootfs(ctx context.Context, rec Recipe) (string, error) {
	path := filepath.Join(m.CacheDir, "rootfs-"+rec.rootfsDigest()+".tar")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := m.install(ctx, "mmdebstrap", "mmdebstrap", "debian-archive-keyring"); err != nil {
		return "", err
	}
	partial := path + ".partial.tar" // mmdebstrap goes by the last suffix
	defer os.Remove(partial)         //nolint:errcheck // gone already when all went well
	args := []string{
		"--variant=minbase", "--architectures=" + rec.arch,
		"--aptopt=APT::Install-Recommends \"false\"",
		// The index of Debian's next release is good for a week, and a mirror may keep an older one. Its signature is
		// checked all the same.
		"--aptopt=Acquire::Check-Valid-Until \"false\"",
		"--dpkgopt=path-exclude=/usr/share/doc/*",
		"--dpkgopt=path-exclude=/usr/share/man/*",
		"--dpkgopt=path-exclude=/usr/share/locale/*",
	}
	if len(rec.packages) > 0 {
		args = append(args, "--include="+strings.Join(rec.packages, ","))
	}
	args = append(args, rec.suite, partial, debianMirror)
	if err := machine.Run(ctx, "mmdebstrap", args...); err != nil {
		return "", err
	}
	if err := os.Rename(partial, path); err != nil {
		return "", fmt.Errorf("stand-in: %w", err)
	}
	return path, nil
}

// unpackNPM puts the files of one npm package into dir/<name>. It goes through
// the npm client, which checks the package against the registry's hash.
func (m Maker) unpackNPM(ctx context.Context, pkg, dir string) error {
	if err := m.install(ctx, "npm", "npm"); err != nil {
		return err
	}
	name, version, _ := strings.Cut(pkg, "@")
	tarball := filepath.Join(m.CacheDir, name+"-"+version+".tgz")
	if _, err := os.Stat(tarball); err != nil {
		tmp, err := os.MkdirTemp(m.CacheDir, "npm-")
		if err != nil {
			return fmt.Errorf("stand-in: %w", err)
		}
		defer os.RemoveAll(tmp) //nolint:errcheck // a temporary folder
		if err := machine.Run(ctx, "npm", "pack", "--silent", "--pack-destination", tmp, pkg); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(tmp, name+"-"+version+".tgz"), tarball); err != nil {
			return fmt.Errorf("stand-in: %w", err)
		}
	}
	into := filepath.Join(dir, name)
	if err := os.Mkdir(into, 0o755); err != nil {
		return fmt.Errorf("stand-in: %w", err)
	}
	return machine.Run(ctx, "tar", "-xzf", tarball, "-C", into, "--strip-components=1", "--no-same-owner",
		"--exclude=package/include", "--exclude=package/share")
}

// copyModule puts the files of one Go module into dir/<last word of its path>. It goes through the go command, which checks
// the module against Go's checksum database.
func (m Maker) copyModule(ctx context.Context, module, dir string) error {
	text, err := machine.Output(ctx, "go", "mod", "download", "-json", module)
	if err != nil {
		return err
	}
	var found struct{ Dir string }
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		return fmt.Errorf("stand-in: module %s: %w", module, err)
	}
	name, _, _ := strings.Cut(module[strings.LastIndex(module, "/")+1:], "@")
	if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(found.Dir)); err != nil {
		return fmt.Errorf("stand-in: module %s: %w", module, err)
	}
	return nil
}

// install makes sure that a command is there.
func (m Maker) install(ctx context.Context, command string, packages ...string) error {
	if err := m.Progress.Install(ctx, func() bool { return machine.OnPath(command) }, packages...); err != nil {
		return fmt.Errorf("%s, which builds the stand-in, is not installed: %w; install %s, or load the base image by hand (docker load)", command, err, strings.Join(packages, " "))
	}
	return nil
}
