package task

import (
	"fmt"
	"slices"

	"fargate-nginx-sidecar/infra/settings"
)

// Volume is a directory of an EFS file system that the app sees at MountPath. The access point decides which directory it
// is, and as which user files in it are read and written.
type Volume struct {
	Name string
	AccessPoint
	MountPath string
	ReadOnly  bool
}

// AccessPoint is a way into a file system.
type AccessPoint struct {
	FileSystemID, AccessPointID string
	// IAM makes EFS check that the tasks' role may mount the file system.
	IAM bool
}

// FileSystemPort is where EFS serves.
// https://docs.aws.amazon.com/efs/latest/ug/network-access.html
const FileSystemPort = 2049

const volumesSource = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/efs-volumes.html"

func readVolumes(app settings.Group) []Volume {
	all := settings.List(app, "volumes",
		"Directories of EFS file systems that the app sees, and that outlive its tasks. The connection is encrypted. `network.groups` must open port 2049 to the security group of the file system's mount targets.",
		volumesSource, func(g settings.Group) Volume {
			return Volume{
				Name:        g.Required("name", settings.Name, "Name of the volume.", volumesSource),
				AccessPoint: readAccessPoint(g),
				MountPath:   g.Required("mountPath", writablePath, "Where the app sees the directory.", volumesSource),
				ReadOnly:    g.Bool("readOnly", false, "Whether the app cannot write there.", volumesSource),
			}
		})
	for i, volume := range all {
		if slices.ContainsFunc(all[:i], func(v Volume) bool { return v.Name == volume.Name }) {
			app.Fail(fmt.Sprintf("volumes[%d].name", i), volume.Name+" twice", "each name once")
		}
		if slices.ContainsFunc(all[:i], func(v Volume) bool { return v.MountPath == volume.MountPath }) {
			app.Fail(fmt.Sprintf("volumes[%d].mountPath", i), volume.MountPath+" twice", "each path once")
		}
	}

	return all
}

func readAccessPoint(g settings.Group) AccessPoint {
	return AccessPoint{
		FileSystemID: g.Required("fileSystem", settings.Pattern("fs- and 8 or 17 hexadecimal digits", `^fs-([0-9a-f]{8}|[0-9a-f]{17})$`),
			"Id of the file system.", volumesSource),
		AccessPointID: g.Required("accessPoint", settings.Pattern("fsap- and 8 or 17 hexadecimal digits", `^fsap-([0-9a-f]{8}|[0-9a-f]{17})$`),
			"Id of the access point, which decides on the directory and on the user whose files they are.",
			"https://docs.aws.amazon.com/efs/latest/ug/efs-access-points.html"),
		IAM: g.Bool("iam", false, "Whether EFS checks that the tasks' role may mount the file system.", volumesSource),
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
			r.Conflict([]string{"app.volumes", "app.writablePaths", "app.socket"}, volume.MountPath+" is taken already; allowed: another mountPath")
		}
		for _, files := range s.Sidecar.StaticFiles {
			if overlap(volume.MountPath, files.Directory) {
				r.Conflict([]string{"app.volumes", "http.static"}, fmt.Sprintf(
					"%s of %s and the directory %s overlap, so the app and NGINX would see different files there; allowed: separate ones",
					volume.MountPath, volume.Name, files.Directory))
			}
		}
		if root := s.App.DocumentRoot; root != "" && within(root, volume.MountPath) {
			r.Conflict([]string{"app.volumes", "app.documentRoot"}, fmt.Sprintf(
				"%s of %s would hide the files of %s; allowed: a directory below it, or elsewhere", volume.MountPath, volume.Name, root))
		}
		checkMount(r, s, "app.volumes", volume.Name, volume.AccessPoint)
	}
}

// checkMount refuses an access point that asks for a role if the tasks have none.
func checkMount(r *settings.Reader, s Settings, key, name string, point AccessPoint) {
	if point.IAM && len(s.PolicyARNs) == 0 {
		r.Conflict([]string{key, "app.policies"},
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
// that the app may write to, for each directory of static files, for the document root and for each path that an extra container may write to.
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
	if s.App.DocumentRoot != "" {
		all = append(all, VolumeDefinition{Name: documentRootVolume})
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

// writtenMounts are where the app sees the volumes that it writes to, or others do.
func (s Settings) writtenMounts() (mounts []mountPoint) {
	for i, path := range s.App.WritablePaths {
		mounts = append(mounts, mountPoint{SourceVolume: appVolume(i), ContainerPath: path})
	}
	for _, volume := range s.Volumes {
		mounts = append(mounts, mountPoint{SourceVolume: efsVolume(volume.Name), ContainerPath: volume.MountPath, ReadOnly: volume.ReadOnly})
	}

	return mounts
}

// mountsInRoot are those of them that lie in the document root, such as WordPress's wp-content/uploads. NGINX sees them in the
// same place, to serve the files, and takes none for a script: whoever uploads a file could run it. The app's container
// starts before NGINX's, which has a directory to mount on then.
func (s Settings) mountsInRoot() []mountPoint {
	return slices.DeleteFunc(s.writtenMounts(), func(m mountPoint) bool {
		return s.App.DocumentRoot == "" || !within(m.ContainerPath, s.App.DocumentRoot)
	})
}

// MountsFileSystems are the keys of the settings that mount file systems.
func (s Settings) MountsFileSystems() []string {
	var keys []string
	if len(s.Volumes) > 0 {
		keys = append(keys, "app.volumes")
	}
	if s.Sidecar.StaticHistory.given() {
		keys = append(keys, "http.staticHistory")
	}

	return keys
}
