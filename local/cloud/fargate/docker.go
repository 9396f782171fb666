package fargate

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"fargate-nginx-sidecar/local/cloud/engine"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
)

// Containers carry these labels beside the run's.
const (
	labelTask      = "fargate-nginx-sidecar.task"
	labelContainer = "fargate-nginx-sidecar.container"
)

//go:embed pause/main.go
var pauseSource []byte

// pauseImage is the image that holds a task's network namespace.
func pauseImage(runID string) string { return engine.Image("pause", runID) }

// docker is the Docker engine as one run uses it.
type docker struct {
	client.APIClient
	runID string
	arch  string  // of the engine, in Go's words
	cpus  float64 // of the engine's machine
	log   *slog.Logger

	credentials func(ctx context.Context, reference string) (string, error)

	// gateway is the engine's address in the network of the tasks, from which their requests come.
	gateway string
	// setsNofile is false where the engine itself may not raise the limit on open files, inside another container
	// for example: tasks then keep the engine's own limit.
	setsNofile bool

	pulls sync.Map // image reference → *sync.Mutex: tasks that start together pull once
}

func newDocker(ctx context.Context, o Options) (*docker, error) {
	api, err := engine.Connect()
	if err != nil {
		return nil, err
	}
	info, err := api.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("docker engine: %w", err)
	}
	version, err := api.ServerVersion(ctx)
	if err != nil {
		return nil, fmt.Errorf("docker engine: %w", err)
	}
	return &docker{APIClient: api, runID: o.RunID, arch: version.Arch, cpus: float64(info.NCPU), log: o.Logger, credentials: o.Credentials}, nil
}

// prepare makes the network and the pause image.
func (d *docker) prepare(ctx context.Context) error {
	if err := engine.Program(ctx, d, "pause", d.runID, pauseSource); err != nil {
		return err
	}
	_, err := d.NetworkCreate(ctx, d.networkName(), network.CreateOptions{
		Labels: map[string]string{engine.LabelRun: d.runID},
		// Tasks reach nothing but what is published, as behind a security group that admits the load balancer only.
		Options: map[string]string{"com.docker.network.bridge.enable_icc": "false"},
	})
	if err != nil {
		return fmt.Errorf("network: %w", err)
	}
	made, err := d.NetworkInspect(ctx, d.networkName(), network.InspectOptions{})
	if err != nil {
		return fmt.Errorf("network: %w", err)
	}
	for _, addresses := range made.IPAM.Config {
		d.gateway = cmp.Or(d.gateway, addresses.Gateway)
	}
	if d.setsNofile, err = d.trySetNofile(ctx); err != nil {
		return fmt.Errorf("pause image: %w", err)
	}
	if !d.setsNofile {
		d.log.Warn("the Docker engine may not set limits on open files: containers keep the engine's own")
	}
	return nil
}

// trySetNofile runs one container with Fargate's limit on open files.
func (d *docker) trySetNofile(ctx context.Context) (bool, error) {
	created, err := d.ContainerCreate(ctx,
		&container.Config{Image: pauseImage(d.runID), Labels: map[string]string{engine.LabelRun: d.runID}},
		&container.HostConfig{NetworkMode: "none", Resources: container.Resources{Ulimits: nofile(defaultNofile, defaultNofile)}},
		nil, nil, engine.NamePrefix+d.runID+"-try")
	if err != nil {
		return false, err
	}
	started := d.ContainerStart(ctx, created.ID, container.StartOptions{})
	if err := d.ContainerRemove(ctx, created.ID, container.RemoveOptions{Force: true}); err != nil {
		return false, err
	}
	if started != nil && !strings.Contains(started.Error(), "rlimit") {
		return false, started
	}
	return started == nil, nil
}

func nofile(soft, hard int64) []*container.Ulimit {
	return []*container.Ulimit{{Name: "nofile", Soft: soft, Hard: hard}}
}

func (d *docker) networkName() string { return engine.NamePrefix + d.runID }

// pull fetches an image by its reference, even when the engine has one of that name: so does Fargate.
func (d *docker) pull(ctx context.Context, reference, arch string) (image.InspectResponse, error) {
	mutex, _ := d.pulls.LoadOrStore(reference, &sync.Mutex{})
	mutex.(*sync.Mutex).Lock()
	defer mutex.(*sync.Mutex).Unlock()
	options := image.PullOptions{}
	if d.credentials != nil {
		var err error
		if options.RegistryAuth, err = d.credentials(ctx, reference); err != nil {
			return image.InspectResponse{}, fmt.Errorf("CannotPullContainerError: %w", err)
		}
	}
	if arch != d.arch {
		options.Platform = "linux/" + arch
	}
	progress, err := d.ImagePull(ctx, reference, options)
	if err == nil {
		err = engine.ReadProgress(progress)
		_ = progress.Close()
	}
	if err != nil {
		return image.InspectResponse{}, fmt.Errorf("CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref %s: %s", reference, engineWords(err))
	}
	found, err := d.ImageInspect(ctx, reference)
	if err != nil {
		return image.InspectResponse{}, fmt.Errorf("CannotPullContainerError: %s", engineWords(err))
	}
	return found, nil
}

// engineWords is an engine's error without the client's preface.
func engineWords(err error) string {
	return strings.TrimPrefix(err.Error(), "Error response from daemon: ")
}

// Cleanup removes every container, volume and network of a run, and the images of its own programs. It is engine.ErrSilent
// if nothing can be removed.
func Cleanup(ctx context.Context, runID string) error {
	docker, err := engine.Connect()
	if err != nil {
		return err
	}
	if err := engine.Answers(ctx, docker); err != nil {
		return err
	}
	mine := filters.NewArgs(filters.Arg("label", engine.LabelRun+"="+runID))
	var failed []error
	note := func(what string, err error) {
		if err != nil && !errdefs.IsNotFound(err) {
			failed = append(failed, fmt.Errorf("remove %s: %w", what, err))
		}
	}
	containers, err := docker.ContainerList(ctx, container.ListOptions{All: true, Filters: mine})
	note("containers", err)
	for _, c := range containers {
		note("container "+c.ID, removeContainer(ctx, docker, c.ID))
	}
	volumes, err := docker.VolumeList(ctx, volume.ListOptions{Filters: mine})
	note("volumes", err)
	for _, v := range volumes.Volumes {
		note("volume "+v.Name, docker.VolumeRemove(ctx, v.Name, true))
	}
	networks, err := docker.NetworkList(ctx, network.ListOptions{Filters: mine})
	note("networks", err)
	for _, n := range networks {
		note("network "+n.Name, docker.NetworkRemove(ctx, n.ID))
	}
	note("images of our own programs", engine.RemovePrograms(ctx, docker, runID))
	return errors.Join(failed...)
}

// removeContainer kills and removes a container with its anonymous volumes, and waits where somebody else already
// does.
func removeContainer(ctx context.Context, docker client.APIClient, id string) error {
	for {
		err := docker.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
		switch {
		case err == nil || errdefs.IsNotFound(err):
			return nil
		case !errdefs.IsConflict(err):
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}
