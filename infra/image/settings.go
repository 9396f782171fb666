package image

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"fargate-nginx-sidecar/infra/settings"
)

// Settings says where one image comes from: either it is prebuilt, or the program builds it and pushes it to a repository.
type Settings struct {
	// Prebuilt is a reference with a tag or digest. If it is given, the other settings are not read.
	Prebuilt string
	// Context is a relative path, so that it is the same on every machine.
	Context string
	// Dockerfile is a path inside the context. Target is the stage to build; if it is empty, the last stage is built.
	Dockerfile, Target string
	BuildArgs          map[string]string
	// Keep is the number of images that do not expire, 2 or more.
	Keep int
	// ForceDelete lets the repository be deleted together with the images in it.
	ForceDelete bool
}

// dockerfile is the default name of a Dockerfile.
const dockerfile = "Dockerfile"

// Read returns the settings of both images of a task.
func Read(r *settings.Reader) (app, nginx Settings) {
	const reference = "empty, or " + settings.ImageAllowed

	keep := r.Between("imagesToKeep", 2, 1000, "images")
	forceDelete := r.Boolean("forceDeleteRepositories")
	app = Settings{
		Prebuilt:   r.Text("appImage", reference, prebuilt),
		Dockerfile: r.Text("appDockerfile", "a relative path inside appContext, with forward slashes", insideProject),
		Target: r.Text("appTarget", "empty, or the name of a stage: letters, digits, dots, hyphens, underscores",
			targetPattern.MatchString),
		BuildArgs: r.Variables("appBuildArgs", nil),
		Keep:      keep, ForceDelete: forceDelete,
	}
	nginx = Settings{
		Prebuilt:   r.Text("nginxImage", reference, prebuilt),
		Dockerfile: dockerfile,
		BuildArgs:  r.Variables("nginxBuildArgs", nil),
		Keep:       keep, ForceDelete: forceDelete,
	}
	app.Context = context(r, "appContext", "appDockerfile", app)
	nginx.Context = context(r, "nginxContext", "", nginx)
	if app.Prebuilt != "" {
		onlyBuilt(r, "appTarget", "appImage", app.Target != "")
		onlyBuilt(r, "appBuildArgs", "appImage", len(app.BuildArgs) > 0)
	}
	if nginx.Prebuilt != "" {
		onlyBuilt(r, "nginxBuildArgs", "nginxImage", len(nginx.BuildArgs) > 0)
	}

	return app, nginx
}

func prebuilt(reference string) bool { return reference == "" || settings.IsImage(reference) }

var targetPattern = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9_.-]*)?$`)

// context returns the build context of an image. If the image is going to be built, the context must contain the Dockerfile.
// The program runs in the directory of Pulumi.yaml, so this can be checked here, before any resource is declared.
func context(r *settings.Reader, key, dockerfileKey string, image Settings) string {
	const allowed = "a relative path inside the project, with forward slashes, such as images/app"

	directory := r.Text(key, allowed, insideProject)
	if image.Prebuilt != "" || r.Wrong(key) || r.Wrong(dockerfileKey) {
		return directory
	}
	info, err := os.Stat(filepath.Join(directory, image.Dockerfile))
	switch {
	case err == nil && info.Mode().IsRegular():
		wrong, err := unusable(directory, image.Dockerfile)
		if err != nil {
			r.Fail(key, fmt.Sprintf("%q cannot be read: %v", directory, err), "a directory whose files can be read")
		}
		for _, problem := range wrong {
			r.Fail(key, problem.found, problem.allowed)
		}
	case image.Dockerfile == dockerfile:
		r.Fail(key, fmt.Sprintf("%q contains no Dockerfile", directory), "a directory that contains one")
	default:
		r.Fail(dockerfileKey, fmt.Sprintf("%q, which is no file in %q", image.Dockerfile, directory), "a file inside "+key)
	}

	return directory
}

// insideProject reports whether a path is relative and stays inside the project, so that it means the same on every
// machine.
func insideProject(directory string) bool {
	return directory != "" && !strings.HasPrefix(directory, "/") && !strings.Contains(directory, `\`) &&
		!slices.Contains(strings.Split(directory, "/"), "..")
}

func onlyBuilt(r *settings.Reader, key, imageKey string, given bool) {
	if given {
		r.Conflict([]string{key, imageKey}, "both are given, but an image from "+imageKey+" is not built; allowed: one of them")
	}
}
