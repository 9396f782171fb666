package image

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/patternmatcher"
)

// ownFrontend begins the syntax line of Dockerfiles that this parser reads: those without such a line and those of Docker's own
// frontend, but for its experiments.
// https://docs.docker.com/build/buildkit/frontend/
const ownFrontend = "docker/dockerfile:"

// readDockerfile returns the stages of a Dockerfile, and what BuildKit will refuse in it: what its parser cannot read, and files that
// are copied from the context but not in it. Without this, a build would say so minutes later, and one fault at a time. Of another
// frontend's file it returns neither.
func readDockerfile(image Settings) ([]instructions.Stage, []problem, error) {
	stages, refused, err := parseDockerfile(image)
	if refused != nil {
		return nil, []problem{{fmt.Sprintf("%s: %s", image.Dockerfile, firstLine(refused)), "what https://docs.docker.com/reference/dockerfile/ describes"}}, nil
	}
	if err != nil || stages == nil {
		return nil, nil, err
	}
	wrong, err := missing(image, stages)

	return stages, wrong, err
}

// parseDockerfile returns the stages alone, and apart from other errors what the parser refuses.
func parseDockerfile(image Settings) (stages []instructions.Stage, refused, err error) {
	text, err := os.ReadFile(filepath.Join(image.Context, image.Dockerfile))
	if err != nil {
		return nil, nil, err
	}
	if syntax, _, _, given := parser.DetectSyntax(text); given && (!strings.HasPrefix(syntax, ownFrontend) || strings.Contains(syntax, "labs")) {
		return nil, nil, nil
	}
	parsed, refused := parser.Parse(bytes.NewReader(text))
	if refused == nil {
		stages, _, refused = instructions.Parse(parsed.AST, nil)
	}

	return stages, refused, nil
}

// firstLine is an error's, which may go on with the lines of the file.
func firstLine(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")

	return text
}

// Volumes are the directories that an image will declare as volumes, by the Dockerfile's stage that is built and those which that
// one begins with; false when the file does not say, because of a variable or another language.
func (s Settings) Volumes() (directories []string, known bool) {
	stages, refused, err := parseDockerfile(s)
	if refused != nil || err != nil || len(stages) == 0 {
		return nil, false // said where the image's settings are read
	}
	for at := stageAt(stages, cmp.Or(s.Target, strconv.Itoa(len(stages)-1))); at >= 0; at = stageAt(stages[:at], stages[at].BaseName) {
		for _, command := range stages[at].Commands {
			if volume, ok := command.(*instructions.VolumeCommand); ok {
				directories = append(directories, volume.Volumes...)
			}
		}
	}
	for i, directory := range directories {
		if strings.Contains(directory, "$") {
			return nil, false
		}
		directories[i] = path.Clean(directory)
	}

	return directories, true
}

// hasStage knows stages by name and by number, as the builder does.
func hasStage(stages []instructions.Stage, target string) bool { return stageAt(stages, target) >= 0 }

// stageAt is the number of a stage, or -1.
func stageAt(stages []instructions.Stage, target string) int {
	if number, named := instructions.HasStage(stages, target); named {
		return number
	}
	if number, err := strconv.Atoi(target); err == nil && number >= 0 && number < len(stages) {
		return number
	}

	return -1
}

func stageNames(stages []instructions.Stage) string {
	var names []string
	for number, stage := range stages {
		names = append(names, cmp.Or(stage.Name, strconv.Itoa(number)))
	}

	return strings.Join(names, ", ")
}

// missing lists the files that the Dockerfile copies from the context, but that the builder will not find there.
func missing(image Settings, stages []instructions.Stage) (wrong []problem, err error) {
	context, err := filepath.EvalSymlinks(image.Context)
	if err != nil {
		return nil, err
	}
	_, ignore, err := ignored(context, image.Dockerfile)
	if err != nil {
		return nil, err
	}
	for _, stage := range stages {
		for _, command := range stage.Commands {
			for _, source := range copied(command) {
				there, err := inContext(context, source, ignore)
				if err != nil {
					return nil, err
				}
				if !there {
					wrong = append(wrong, problem{
						fmt.Sprintf("%s, line %d, copies %s, which is not in %s", image.Dockerfile, command.Location()[0].Start.Line, source, image.Context),
						"files of the context that .dockerignore does not exclude",
					})
				}
			}
		}
	}

	return wrong, nil
}

// copied are the sources of a command that must be in the context under exactly this name.
func copied(command instructions.Command) (sources []string) {
	var all []string
	switch c := command.(type) {
	case *instructions.CopyCommand:
		if c.From == "" {
			all = c.SourcePaths
		}
	case *instructions.AddCommand:
		all = c.SourcePaths
	}
	for _, source := range all {
		if !strings.ContainsAny(source, `$*?[\:`) && !strings.HasPrefix(source, "git@") { // variables, patterns, addresses
			sources = append(sources, source)
		}
	}

	return sources
}

func inContext(context, source string, ignore *patternmatcher.PatternMatcher) (bool, error) {
	name := strings.TrimPrefix(path.Clean("/"+source), "/")
	if _, err := os.Lstat(filepath.Join(context, filepath.FromSlash(name))); os.IsNotExist(err) {
		return false, nil
	} else if err != nil || name == "" {
		return true, err
	}
	out, err := ignore.MatchesOrParentMatches(name)

	// What is excluded may have a part that is not.
	return !out || ignore.Exclusions(), err
}
