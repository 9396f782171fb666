package task

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

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

// FileSystemPort is where EFS serves.
// https://docs.aws.amazon.com/efs/latest/ug/network-access.html
const FileSystemPort = 2049

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
}

// checkMount refuses an access point that asks for a role if the tasks have none.
func checkMount(r *settings.Reader, s Settings, key, name string, point AccessPoint) {
	if point.IAM && len(s.PolicyARNs) == 0 {
		r.Conflict([]string{key, "taskPolicyArns"},
			name+" has iam, but the tasks have no role; allowed with: a policy that grants elasticfilesystem:ClientMount")
	}
}

// efsVolume names a volume of the setting in the task definition.
func efsVolume(name string) string { return "efs-" + name }

// VolumeDefinition is a volume of a task: a directory of the task's own, or one of a file system that outlives the task.
type VolumeDefinition struct {
	Name string
	// FileSystem is empty for a directory of the task's own.
	FileSystem AccessPoint
}

// IsOwn reports whether the volume is a directory of the task's own.
func (v VolumeDefinition) IsOwn() bool { return !v.FileSystem.given() }

// CommandVolumes are the volumes of a task that runs a command: NGINX's, the socket's where there is one, one for each path
// that the app may write to, for each directory of static files and for each path that an extra container may write to.
// Those of file systems come last.
func (s Settings) CommandVolumes() []VolumeDefinition {
	all := []VolumeDefinition{{Name: temporaryVolume}}
	if s.Sidecar.AppListen == OnSocket {
		all = append(all, VolumeDefinition{Name: socketVolume})
	}
	for i := range s.App.WritablePaths {
		all = append(all, VolumeDefinition{Name: appVolume(i)})
	}
	for i := range s.Sidecar.StaticFiles {
		all = append(all, VolumeDefinition{Name: staticVolume(i)})
	}
	for _, container := range s.Extra {
		for i := range container.WritablePaths {
			all = append(all, VolumeDefinition{Name: extraVolume(container.Name, i)})
		}
	}
	for _, volume := range s.Volumes {
		all = append(all, VolumeDefinition{efsVolume(volume.Name), volume.AccessPoint})
	}

	return all
}

// ServiceVolumes are the volumes of a task of the service, with that of the history of static files if there is one.
func (s Settings) ServiceVolumes() []VolumeDefinition {
	all := s.CommandVolumes()
	if s.Sidecar.StaticHistory.given() {
		all = append(all, VolumeDefinition{historyVolume, s.Sidecar.StaticHistory})
	}

	return all
}

// MountsFileSystems are the keys of the settings that mount file systems.
func (s Settings) MountsFileSystems() []string {
	var keys []string
	if len(s.Volumes) > 0 {
		keys = append(keys, "volumes")
	}
	if s.Sidecar.StaticHistory.given() {
		keys = append(keys, "staticFilesHistory")
	}

	return keys
}
