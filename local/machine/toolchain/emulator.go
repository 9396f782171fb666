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

// Emulator finds or installs moto_server.
func (f *Finder) Emulator(ctx context.Context) (program string, err error) {
	if program, err := exec.LookPath("moto_server"); err == nil {
		version, err := versionOfMoto(ctx, program)
		if err == nil {
			f.Progress.Line("emulator  moto_server %s found at %s", version, program)
			return program, nil
		}
		f.Progress.Line("emulator  %s is not used: %v", program, err)
	}
	venv := filepath.Join(f.CacheDir, "moto-"+motoVersion)
	unlock, err := f.Progress.Lock(ctx, venv+".lock", "the emulator's folder is")
	if err != nil {
		return "", fmt.Errorf("emulator: %w", err)
	}
	defer unlock()
	program = filepath.Join(venv, "bin", "moto_server")
	if exists(program) {
		f.Progress.Line("emulator  moto_server %s installed earlier into %s", motoVersion, venv)
		return program, nil
	}
	if err := f.installEmulator(ctx, venv); err != nil {
		_ = os.RemoveAll(venv)
		return "", fmt.Errorf("emulator: moto_server is not on PATH and cannot be installed: %w; or install it yourself: pipx install 'moto[server]==%s'", err, motoVersion)
	}
	f.Progress.Line("emulator  moto_server %s installed with pip into %s", motoVersion, venv)
	return program, nil
}

// versionOfMoto asks the Python that runs a moto_server, and refuses what is older than what this project is tested with.
func versionOfMoto(ctx context.Context, program string) (version string, err error) {
	python, err := machine.PythonOf(ctx, program)
	if err != nil {
		return "", err
	}
	version, err = machine.Output(ctx, python, "-c", "from importlib.metadata import version; print(version('moto'))")
	if err != nil {
		return "", err
	}
	if semver.Compare("v"+version, "v"+motoVersion) < 0 {
		return "", fmt.Errorf("its version is %s; allowed: %s and newer", version, motoVersion)
	}
	return version, nil
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
