package service

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecs"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/settings"
)

// Volume is a directory of an EFS file system that the app sees at MountPath. The access point decides which directory it
// is, and as which user files in it are read and written.
type Volume struct {
	Name          string `json:"name"`
	FileSystemID  string `json:"fileSystemId"`
	AccessPointID string `json:"accessPointId"`
	MountPath     string `json:"mountPath"`
	ReadOnly      bool   `json:"readOnly"`
	// IAM makes EFS ask whether the tasks' role may mount the file system.
	IAM bool `json:"iam"`
}

// efsPort is where EFS serves.
// https://docs.aws.amazon.com/efs/latest/ug/network-access.html
const efsPort = 2049

var (
	volumePattern      = regexp.MustCompile(`^[a-z][a-z0-9-]{0,19}$`)
	fileSystemPattern  = regexp.MustCompile(`^fs-([0-9a-f]{8}|[0-9a-f]{17})$`)
	accessPointPattern = regexp.MustCompile(`^fsap-([0-9a-f]{8}|[0-9a-f]{17})$`)
)

func readVolumes(r *settings.Reader) []Volume {
	const key = "volumes"

	all := settings.Objects[Volume](r, key, "name, fileSystemId, accessPointId, mountPath, readOnly, iam")
	for i, volume := range all {
		fail := func(field, got, allowed string) {
			r.FailIn(key, fmt.Sprintf("%s[%d].%s", key, i, field), strconv.Quote(got), allowed)
		}
		if !volumePattern.MatchString(volume.Name) || slices.ContainsFunc(all[:i], func(v Volume) bool { return v.Name == volume.Name }) {
			fail("name", volume.Name, "1 to 20 of a-z, 0-9 and hyphens, beginning with a letter, and each name once")
		}
		if !fileSystemPattern.MatchString(volume.FileSystemID) {
			fail("fileSystemId", volume.FileSystemID, "fs- and 8 or 17 hexadecimal digits")
		}
		if !accessPointPattern.MatchString(volume.AccessPointID) {
			fail("accessPointId", volume.AccessPointID, "fsap- and 8 or 17 hexadecimal digits")
		}
		if !pathOfVolume.MatchString(volume.MountPath) || strings.Contains(volume.MountPath, "..") ||
			slices.ContainsFunc(all[:i], func(v Volume) bool { return v.MountPath == volume.MountPath }) {
			fail("mountPath", volume.MountPath, "an absolute path below /, such as /data, and each path once")
		}
	}

	return all
}

// checkVolumes refuses volumes that no task could mount.
func checkVolumes(r *settings.Reader, s Settings) {
	for _, volume := range s.Volumes {
		taken := s.App.WritablePaths
		if s.Sidecar.AppListen == OnSocket {
			taken = append(slices.Clone(taken), socketDirectory)
		}
		isStatic := slices.ContainsFunc(s.Sidecar.StaticFiles, func(files StaticFiles) bool { return files.Directory == volume.MountPath })
		if isStatic || slices.Contains(taken, volume.MountPath) {
			r.Conflict([]string{"volumes", "appWritablePaths", "appListen", "staticFiles"}, volume.MountPath+" is taken already; allowed: another mountPath")
		}
		if volume.IAM && len(s.TaskPolicyARNs) == 0 {
			r.Conflict([]string{"volumes", "taskPolicyArns"},
				volume.Name+" has iam, but the tasks have no role; allowed with: a policy that grants elasticfilesystem:ClientMount")
		}
	}
	reachable := slices.Contains(s.EgressPorts, efsPort) ||
		slices.ContainsFunc(s.EgressGroups, func(group EgressGroup) bool { return group.Port == efsPort })
	if len(s.Volumes) > 0 && !reachable {
		r.Conflict([]string{"volumes", "taskEgress"},
			fmt.Sprintf("the tasks may not connect to EFS; allowed with: port %d and the security group of the mount targets", efsPort))
	}
}

// efsVolume names a volume of the setting in the task definition.
func efsVolume(name string) string { return "efs-" + name }

// efsVolumes mounts each file system by its access point, encrypted in transit.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specify-efs-config.html
func efsVolumes(all []Volume) ecs.TaskDefinitionVolumeArray {
	var volumes ecs.TaskDefinitionVolumeArray
	for _, volume := range all {
		iam := "DISABLED"
		if volume.IAM {
			iam = "ENABLED"
		}
		volumes = append(volumes, ecs.TaskDefinitionVolumeArgs{
			Name: pulumi.String(efsVolume(volume.Name)),
			EfsVolumeConfiguration: ecs.TaskDefinitionVolumeEfsVolumeConfigurationArgs{
				FileSystemId:      pulumi.String(volume.FileSystemID),
				RootDirectory:     pulumi.String("/"), // of the access point
				TransitEncryption: pulumi.String("ENABLED"),
				AuthorizationConfig: ecs.TaskDefinitionVolumeEfsVolumeConfigurationAuthorizationConfigArgs{
					AccessPointId: pulumi.String(volume.AccessPointID),
					Iam:           pulumi.String(iam),
				},
			},
		})
	}

	return volumes
}
