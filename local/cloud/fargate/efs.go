package fargate

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"

	"fargate-nginx-sidecar/local/cloud/engine"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/volume"
)

// fileSystem is the Docker volume in place of what an access point of an EFS file system shows. All tasks of the run that
// name the access point share it, and it lives as long as the run. Every user may write to it: in AWS the access point
// decides as whom files are written, and the local run knows no access points.
// https://docs.aws.amazon.com/efs/latest/ug/efs-access-points.html
func (r *Runtime) fileSystem(ctx context.Context, efs *types.EFSVolumeConfiguration) (name string, err error) {
	labels := map[string]string{engine.LabelRun: r.options.RunID}
	// Docker returns the volume if there is one of that name.
	created, err := r.docker.VolumeCreate(ctx, volume.CreateOptions{
		Name: fmt.Sprintf("%s%s-%s-%s", engine.NamePrefix, r.options.RunID,
			aws.ToString(efs.FileSystemId), aws.ToString(efs.AuthorizationConfig.AccessPointId)),
		Labels: labels,
	})
	if err != nil {
		return "", err
	}
	return created.Name, r.openToAll(ctx, created.Name, labels)
}

// openToAll changes the permissions of a volume's root. Docker does that with files that are copied into a container, which
// need not run.
func (r *Runtime) openToAll(ctx context.Context, name string, labels map[string]string) (err error) {
	const at = "volume"
	var directory bytes.Buffer
	archive := tar.NewWriter(&directory)
	err = errors.Join(archive.WriteHeader(&tar.Header{Name: at + "/", Typeflag: tar.TypeDir, Mode: 0o777}), archive.Close())
	if err != nil {
		return err
	}
	helper, err := r.docker.ContainerCreate(ctx, &container.Config{Image: pauseImage(r.options.RunID), Labels: labels},
		&container.HostConfig{NetworkMode: "none", Mounts: []mount.Mount{{Type: mount.TypeVolume, Source: name, Target: "/" + at}}}, nil, nil, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeContainer(ctx, r.docker, helper.ID)) }()
	return r.docker.CopyToContainer(ctx, helper.ID, "/", &directory, container.CopyToContainerOptions{})
}
