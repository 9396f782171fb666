package toolchain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"fargate-nginx-sidecar/local/machine"

	"golang.org/x/mod/semver"
)

// motoVersion is the emulator that this project is tested with, and the oldest one that it takes from PATH. oldestPython
// is what it needs: https://pypi.org/project/moto/5.2.1/
const (
	motoVersion  = "5.2.1"
	oldestPython = "3.10"
)

// pythons are the names under which Python is looked for. A system's python3 may be too old beside a newer one, as on macOS.
var pythons = []string{"python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10"}

// Emulator finds or installs moto, and returns the Python that has it.
func (f *Finder) Emulator(ctx context.Context) (python string, err error) {
	if program, err := exec.LookPath("moto_server"); err == nil {
		python, version, err := pythonOfMoto(ctx, program)
		if err == nil {
			f.Progress.Line("emulator  moto_server %s found at %s", version, program)
			return python, nil
		}
		f.Progress.Line("emulator  %s is not used: %v", program, err)
	}
	venv := filepath.Join(f.CacheDir, "moto-"+motoVersion)
	unlock, err := f.Progress.Lock(ctx, venv+".lock", "the emulator's folder is")
	if err != nil {
		return "", fmt.Errorf("emulator: %w", err)
	}
	defer unlock()
	python = filepath.Join(venv, "bin", "python")
	if exists(filepath.Join(venv, "bin", "moto_server")) {
		f.Progress.Line("emulator  moto_server %s installed earlier into %s", motoVersion, venv)
		return python, nil
	}
	installErr := f.installEmulator(ctx, venv)
	if installErr == nil {
		f.Progress.Line("emulator  moto_server %s installed with pip into %s", motoVersion, venv)
		return python, nil
	}
	_ = os.RemoveAll(venv)
	python, err = f.imageOfMoto(ctx)
	if err != nil {
		return "", fmt.Errorf("emulator: moto_server is not on PATH and cannot be installed: %w; nor is its image to be had: %w; or install it yourself: pipx install 'moto[server]==%s'", installErr, err, motoVersion)
	}
	f.Progress.Line("emulator  the image %s: moto_server cannot be installed: %v", f.motoImage, installErr)
	return python, nil
}

// motoScript stands for the Python that has moto where only moto's image is available. Its arguments are the folder of a
// program, -H, a host, -p and a port. The folder is copied, because the engine may be in a virtual machine.
const motoScript = `#!/bin/sh
container=$(docker create --rm --publish "$3:$5:5000" --label "fargate-nginx-sidecar.run=$FARGATE_LOCAL_RUN" \
  --env MOTO_IAM_LOAD_MANAGED_POLICIES --env MOTO_ACM_VALIDATION_WAIT --entrypoint python3 %s /localrun -H 0.0.0.0 -p 5000) &&
  docker cp "$1" "$container:/localrun" >&2 && exec docker start --attach "$container"
`

// imageOfMoto makes a program of moto's own image, which runs a Python program in it.
// https://docs.getmoto.org/en/latest/docs/server_mode.html
func (f *Finder) imageOfMoto(ctx context.Context) (python string, err error) {
	dir := filepath.Join(f.CacheDir, "moto-image-"+motoVersion)
	python = filepath.Join(dir, "python3")
	if machine.Run(ctx, "docker", "image", "inspect", f.motoImage) != nil {
		if err := ask(ctx, f.motoRegistry); err != nil {
			return "", err
		}
		pull := func() error { return machine.Run(ctx, "docker", "pull", "--quiet", f.motoImage) }
		if err := f.Progress.Step("pull "+f.motoImage, pull); err != nil {
			return "", err
		}
	}
	err = os.MkdirAll(dir, 0o755)
	if err == nil {
		err = os.WriteFile(python, fmt.Appendf(nil, motoScript, f.motoImage), 0o755)
	}
	if err != nil {
		return "", fmt.Errorf("image %s: %w", f.motoImage, err)
	}
	return python, nil
}

// pythonOfMoto finds the Python that runs a moto_server. It refuses a moto that is older than what this project is tested with.
func pythonOfMoto(ctx context.Context, program string) (python, version string, err error) {
	if python, err = machine.PythonOf(ctx, program); err != nil {
		return "", "", err
	}
	version, err = machine.Output(ctx, python, "-c", "from importlib.metadata import version; print(version('moto'))")
	if err != nil {
		return "", "", err
	}
	if semver.Compare("v"+version, "v"+motoVersion) < 0 {
		return "", "", fmt.Errorf("its version is %s; allowed: %s and newer", version, motoVersion)
	}
	return python, version, nil
}

func (f *Finder) installEmulator(ctx context.Context, venv string) error {
	python, err := f.python(ctx)
	if err != nil {
		return err
	}
	return f.Progress.Step("install moto_server "+motoVersion, func() error {
		for _, arguments := range [][]string{
			{python, "-m", "venv", venv},
			{filepath.Join(venv, "bin", "pip"), "install", "--quiet", "moto[server]==" + motoVersion},
		} {
			if err := machine.Run(ctx, arguments[0], arguments[1:]...); err != nil {
				return err
			}
		}
		return nil
	})
}

// python finds a Python that can make a virtual environment for the emulator. On Debian, where that takes a package of its
// own, it installs the package, if it may.
func (f *Finder) python(ctx context.Context) (string, error) {
	python, why := fitPython(ctx)
	if why == nil {
		return python, nil
	}
	there := func() bool { python, err := fitPython(ctx); return err == nil && python != "" }
	if err := f.Progress.Install(ctx, there, "python3-venv"); err != nil {
		return "", fmt.Errorf("%w (%w)", why, err)
	}
	return fitPython(ctx)
}

// fitPython returns the first Python on PATH that will do, or why the first one will not.
func fitPython(ctx context.Context) (path string, why error) {
	for _, name := range pythons {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if err = fits(ctx, path); err == nil {
			return path, nil
		}
		if why == nil {
			why = err
		}
	}
	if why == nil {
		why = errors.New("no python3 is on PATH")
	}
	return "", why
}

func fits(ctx context.Context, python string) error {
	version, err := machine.Output(ctx, python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
	if err != nil {
		return err
	}
	if semver.Compare("v"+version, "v"+oldestPython) < 0 {
		return fmt.Errorf("%s is Python %s; moto needs %s or newer", python, version, oldestPython)
	}
	if _, err := machine.Output(ctx, python, "-c", "import ensurepip, venv"); err != nil {
		return fmt.Errorf("%s has no venv module; on Debian and Ubuntu: apt-get install python3-venv", python)
	}
	return nil
}
