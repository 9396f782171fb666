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
	Name string `json:"name"`
	AccessPoint
	MountPath string `json:"mountPath"`
	ReadOnly  bool   `json:"readOnly"`
}

// AccessPoint is a way into a file system.
type AccessPoint struct {
	FileSystemID  string `json:"fileSystemId"`
	AccessPointID string `json:"accessPointId"`
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
		part := fmt.Sprintf("%s[%d]", key, i)
		fail := func(field, got, allowed string) { r.FailIn(key, part+"."+field, strconv.Quote(got), allowed) }
		if !volumePattern.MatchString(volume.Name) || slices.ContainsFunc(all[:i], func(v Volume) bool { return v.Name == volume.Name }) {
			fail("name", volume.Name, "1 to 20 of a-z, 0-9 and hyphens, beginning with a letter, and each name once")
		}
		volume.check(r, key, part)
		if !pathOfVolume.MatchString(volume.MountPath) || strings.Contains(volume.MountPath, "..") ||
			slices.ContainsFunc(all[:i], func(v Volume) bool { return v.MountPath == volume.MountPath }) {
			fail("mountPath", volume.MountPath, "an absolute path below /, such as /data, and each path once")
		}
	}

	return all
}

func (a AccessPoint) check(r *settings.Reader, key, part string) {
	if !fileSystemPattern.MatchString(a.FileSystemID) {
		r.FailIn(key, part+".fileSystemId", strconv.Quote(a.FileSystemID), "fs- and 8 or 17 hexadecimal digits")
	}
	if !accessPointPattern.MatchString(a.AccessPointID) {
		r.FailIn(key, part+".accessPointId", strconv.Quote(a.AccessPointID), "fsap- and 8 or 17 hexadecimal digits")
	}
}

// checkVolumes refuses volumes where something else is already, and volumes that no task could mount.
func checkVolumes(r *settings.Reader, s Settings) {
	for _, volume := range s.Volumes {
		taken := s.App.WritablePaths
		if s.Sidecar.AppListen == OnSocket {
			taken = append(slices.Clone(taken), socketDirectory)
		}
		if slices.Contains(taken, volume.MountPath) {
			r.Conflict([]string{"volumes", "appWritablePaths", "appListen"}, volume.MountPath+" is taken already; allowed: another mountPath")
		}
		for _, files := range s.Sidecar.StaticFiles {
			if within(volume.MountPath, files.Directory) || within(files.Directory, volume.MountPath) {
				r.Conflict([]string{"volumes", "staticFiles"}, fmt.Sprintf(
					"%s of %s and the directory %s overlap, so the app and NGINX would see different files there; allowed: separate ones",
					volume.MountPath, volume.Name, files.Directory))
			}
		}
		checkMount(r, s, "volumes", volume.Name, volume.AccessPoint)
	}
	if len(s.Volumes) > 0 {
		checkWayToEFS(r, s, "volumes")
	}
}

// checkMount refuses an access point that asks for a role if the tasks have none.
func checkMount(r *settings.Reader, s Settings, key, name string, point AccessPoint) {
	if point.IAM && len(s.TaskPolicyARNs) == 0 {
		r.Conflict([]string{key, "taskPolicyArns"},
			name+" has iam, but the tasks have no role; allowed with: a policy that grants elasticfilesystem:ClientMount")
	}
}

func checkWayToEFS(r *settings.Reader, s Settings, key string) {
	reachable := slices.Contains(s.EgressPorts, efsPort) ||
		slices.ContainsFunc(s.EgressGroups, func(group EgressGroup) bool { return group.Port == efsPort })
	if !reachable {
		r.Conflict([]string{key, "taskEgress"},
			fmt.Sprintf("the tasks may not connect to EFS; allowed with: port %d and the security group of the mount targets", efsPort))
	}
}

// efsVolume names a volume of the setting in the task definition.
func efsVolume(name string) string { return "efs-" + name }

// efsVolumes are the volumes of the setting.
func efsVolumes(all []Volume) ecs.TaskDefinitionVolumeArray {
	var volumes ecs.TaskDefinitionVolumeArray
	for _, volume := range all {
		volumes = append(volumes, volume.volume(efsVolume(volume.Name)))
	}

	return volumes
}

// volume mounts a file system by its access point, encrypted in transit.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specify-efs-config.html
func (a AccessPoint) volume(name string) ecs.TaskDefinitionVolumeArgs {
	iam := "DISABLED"
	if a.IAM {
		iam = "ENABLED"
	}

	return ecs.TaskDefinitionVolumeArgs{
		Name: pulumi.String(name),
		EfsVolumeConfiguration: ecs.TaskDefinitionVolumeEfsVolumeConfigurationArgs{
			FileSystemId:      pulumi.String(a.FileSystemID),
			RootDirectory:     pulumi.String("/"), // of the access point
			TransitEncryption: pulumi.String("ENABLED"),
			AuthorizationConfig: ecs.TaskDefinitionVolumeEfsVolumeConfigurationAuthorizationConfigArgs{
				AccessPointId: pulumi.String(a.AccessPointID),
				Iam:           pulumi.String(iam),
			},
		},
	}
}
