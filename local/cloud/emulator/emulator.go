// Package emulator runs moto, the AWS emulator, for a local run: https://github.com/getmoto/moto. In moto's own process, the
// program in localrun/ checks the requests of a run against AWS's API models, and records the actions that they call.
package emulator

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"fargate-nginx-sidecar/local/machine"
)

//go:embed localrun/*.py
var program embed.FS

// folder is where the program lies in the run's folder.
const folder = "localrun"

// readyWait bounds moto's start. It answers after about a second; a cold Python cache takes a few more.
const readyWait = 60 * time.Second

// Emulator is a running AWS emulator. All it knows is in memory and goes with it.
type Emulator struct {
	URL     string // http://127.0.0.1:port
	process *machine.Process
}

// Start runs moto on a free loopback port with its log in dir. python is an interpreter that has moto; if it is a container's,
// that is the run's.
func Start(ctx context.Context, python, dir, runID string) (*Emulator, error) {
	source := filepath.Join(dir, folder)
	if err := errors.Join(os.RemoveAll(source), os.CopyFS(dir, program)); err != nil {
		return nil, fmt.Errorf("emulator: %w", err)
	}
	address, err := machine.FreeAddress()
	if err != nil {
		return nil, fmt.Errorf("emulator: %w", err)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("emulator: %w", err)
	}
	cmd := exec.Command(python, source, "-H", host, "-p", port) //nolint:noctx // it ends with Stop, not with the start
	cmd.Env = append(os.Environ(),
		// Without it the managed policies that roles attach, the ECS execution policy among them, do not exist.
		"MOTO_IAM_LOAD_MANAGED_POLICIES=true",
		// A certificate is issued at the first look instead of after a minute.
		"MOTO_ACM_VALIDATION_WAIT=0",
		"PYTHONDONTWRITEBYTECODE=1",
		"FARGATE_LOCAL_RUN="+runID,
	)
	process, err := machine.Start("emulator", filepath.Join(dir, "emulator.log"), cmd)
	if err != nil {
		return nil, err
	}
	emulator := &Emulator{URL: "http://" + address, process: process}
	if err := process.Ready(ctx, readyWait, emulator.answers); err != nil {
		_ = process.Stop()
		return nil, err
	}
	return emulator, nil
}

// answers asks moto for its own state page, which needs no AWS service to be loaded.
func (e *Emulator) answers(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, e.URL+"/moto-api/data.json", nil)
	if err != nil {
		return err
	}
	request.Header.Set("User-Agent", OwnAgent)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// Done is closed when the emulator has ended, asked or not.
func (e *Emulator) Done() <-chan struct{} { return e.process.Done() }

// Stop ends the emulator.
func (e *Emulator) Stop() error { return e.process.Stop() }
