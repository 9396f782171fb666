package image

import (
	"fmt"
	"os"
	"path/filepath"
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
	// Secret is true if one of these may be an encrypted value of the stack file.
	Secret bool
	// ForceDelete lets the repository be deleted together with the images in it.
	ForceDelete bool
}

// dockerfile is the default name of a Dockerfile. nginxContext is where the sidecar lies: an image from elsewhere is a prebuilt one.
const (
	dockerfile   = "Dockerfile"
	nginxContext = "images/nginx"
)

// Read returns the settings of both images of a task, from the groups of their containers.
func Read(app, http settings.Group, forceDelete bool) (ofApp, ofNginx Settings) {
	ofApp = Settings{
		Prebuilt: readPrebuilt(app, "Prebuilt image of the app, with a tag or digest. Without it, the image is built from `app.context` and pushed to a repository of this stack; with it, the stack has no repository and no Docker resource for the app."),
		Context: app.Text("context", "images/app", settings.Form{Allowed: "a relative path with forward slashes, such as images/app or ../..", Check: isContext},
			"Build context of the app: a directory that holds the Dockerfile. It may lie above the project, as in a monorepo: `../..` with `app.dockerfile: apps/web/Dockerfile`. What .dockerignore does not exclude is read for each preview.",
			"https://docs.docker.com/build/concepts/context/"),
		Dockerfile: app.Text("dockerfile", dockerfile, inside("a relative path inside app.context, with forward slashes"),
			"Dockerfile of the app: a path inside `app.context`.",
			"https://docs.docker.com/build/concepts/dockerfile/"),
		Target: app.Else("the last stage").Text("target", "", settings.Pattern("the name of a stage: letters, digits, dots, hyphens, underscores", `^[A-Za-z0-9][A-Za-z0-9_.-]*$`),
			"Stage of the app's Dockerfile to build.",
			"https://docs.docker.com/build/building/multi-stage/"),
		BuildArgs: app.Variables("buildArgs", nil,
			"Build arguments, as names with values. They can be read from the image, so never put a password here.",
			"https://docs.docker.com/build/building/variables/"),
		ForceDelete: forceDelete,
	}
	ofNginx = Settings{
		Prebuilt: readPrebuilt(http, "Prebuilt image of the sidecar, with a tag or digest. Without it, the image is built from `images/nginx`. With both images prebuilt, neither preview, update nor destroy needs a Docker engine."),
		Context:  nginxContext, Dockerfile: dockerfile, ForceDelete: forceDelete,
		BuildArgs: http.Variables("buildArgs", nil,
			"Build arguments of the sidecar's image. `BASE_IMAGE` is another image to build it on; `make bases` keeps that of the Dockerfile up to date.",
			"https://docs.docker.com/build/building/best-practices/#pin-base-image-versions"),
	}
	checkContext(app, ofApp, "context", "dockerfile")
	checkContext(http, ofNginx, "image", "image")
	onlyBuilt(app, ofApp, "context", "dockerfile", "target", "buildArgs")
	onlyBuilt(http, ofNginx, "buildArgs")
	if ofApp.Prebuilt == "" && app.Has("imageSecret") && !app.Wrong("image") {
		app.Conflict([]string{"imageSecret", "image"}, "an image that is built lies in ECR, which needs no such secret; allowed with: image")
	}

	return ofApp, ofNginx
}

func readPrebuilt(g settings.Group, meaning string) string {
	return g.Else("built").Text("image", "", settings.Form{Allowed: settings.ImageAllowed, Check: settings.IsImage}, meaning,
		"https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html#container_definition_image")
}

// inside is the form of a path that stays inside the project.
func inside(allowed string) settings.Form {
	return settings.Form{Allowed: allowed, Check: insideProject}
}

// checkContext refuses a build context without its Dockerfile, and what no build can use. The program runs in the directory
// of Pulumi.yaml, so this is checked here, before any resource is declared. context and file name the settings at fault.
func checkContext(g settings.Group, image Settings, context, file string) {
	if image.Prebuilt != "" || g.Wrong(context) || g.Wrong(file) {
		return
	}
	info, err := os.Stat(filepath.Join(image.Context, image.Dockerfile))
	switch {
	case err == nil && info.Mode().IsRegular():
		checkDockerfile(g, image, context, file)
	case image.Dockerfile == dockerfile:
		g.Fail(context, fmt.Sprintf("%q contains no Dockerfile", image.Context), "a directory that contains one")
	default:
		g.Fail(file, fmt.Sprintf("%q, which is not a file in %q", image.Dockerfile, image.Context), "a file inside "+g.Path(context))
	}
	if directory, err := os.Stat(image.Context); err == nil && directory.IsDir() {
		checkFiles(g, image, context)
	}
}

func checkDockerfile(g settings.Group, image Settings, context, file string) {
	stages, wrong, err := readDockerfile(image)
	if err != nil {
		g.Fail(context, fmt.Sprintf("%q cannot be read: %v", image.Context, err), "a directory whose files can be read")
	}
	for _, problem := range wrong {
		g.Fail(file, problem.found, problem.allowed)
	}
	if image.Target != "" && !g.Wrong("target") && stages != nil && !hasStage(stages, image.Target) {
		g.Fail("target", fmt.Sprintf("%q, which is no stage of %s", image.Target, image.Dockerfile), stageNames(stages))
	}
}

func checkFiles(g settings.Group, image Settings, context string) {
	wrong, err := unusable(image.Context, image.Dockerfile)
	if err != nil {
		g.Fail(context, fmt.Sprintf("%q cannot be read: %v", image.Context, err), "a directory whose files can be read")
	}
	for _, problem := range wrong {
		g.Fail(context, problem.found, problem.allowed)
	}
}

// insideProject reports whether a path is relative and stays inside the project, so that it means the same on every
// machine.
func insideProject(directory string) bool {
	return directory != "" && !strings.HasPrefix(directory, "/") && !strings.Contains(directory, `\`) &&
		!slices.Contains(strings.Split(directory, "/"), "..")
}

// isContext reports whether a path is relative, and leaves the project upwards only at its beginning.
func isContext(directory string) bool {
	parts := strings.Split(directory, "/")
	for len(parts) > 0 && parts[0] == ".." {
		parts = parts[1:]
	}

	return len(parts) == 0 || insideProject(strings.Join(parts, "/"))
}

// onlyBuilt refuses settings of the build of an image that is not built.
func onlyBuilt(g settings.Group, image Settings, names ...string) {
	for _, name := range names {
		if image.Prebuilt != "" && g.Has(name) {
			g.Conflict([]string{name, "image"}, "both are set, but a prebuilt image is not built; allowed: one of them")
		}
	}
}
