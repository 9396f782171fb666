package image

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// machine is where images are built, as far as it can be known without asking an engine.
type machine struct {
	os, architecture string
	getenv           func(string) string
	read             func(string) ([]byte, error)
	exists           func(string) bool
}

func thisMachine() machine {
	return machine{runtime.GOOS, runtime.GOARCH, os.Getenv, os.ReadFile, func(path string) bool {
		_, err := os.Stat(path)
		return err == nil
	}}
}

// EngineProblems say why an image for the given architecture can hardly be built on this machine, and what helps. The Docker
// provider only says that it reaches no engine, or that a command has another format.
func EngineProblems(architecture string) []string { return thisMachine().problems(architecture) }

func (m machine) problems(architecture string) (all []string) {
	if m.getenv("DOCKER_HOST") != "" {
		return nil // the engine may be on any machine
	}
	if context := m.context(); context != "" && context != "default" && !m.exists(defaultSocket) {
		all = append(all, fmt.Sprintf("the Docker context %s is in use, but Pulumi's Docker provider reads DOCKER_HOST alone; "+
			"run: export DOCKER_HOST=$(docker context inspect --format '{{.Endpoints.docker.Host}}')", context))
	}
	needed, own := emulators[architecture], emulators[architectures[m.architecture]]
	if m.os == "linux" && needed.format != own.format && !m.exists("/proc/sys/fs/binfmt_misc/"+needed.format) {
		all = append(all, fmt.Sprintf("the images are for %s, and nothing on this machine runs programs for it; "+
			"run: docker run --privileged --rm tonistiigi/binfmt --install %s", architecture, needed.name))
	}

	return all
}

// defaultSocket is where the provider looks for an engine without DOCKER_HOST. It takes the client's options from the
// environment, and does not read contexts.
// https://github.com/pulumi/pulumi-docker/blob/v4.11.2/provider/image.go (configureDockerClient)
const defaultSocket = "/var/run/docker.sock"

// context is the context that the Docker CLI would use.
// https://docs.docker.com/engine/manage-resources/contexts/
func (m machine) context() string {
	if given := m.getenv("DOCKER_CONTEXT"); given != "" {
		return given
	}
	folder := cmp.Or(m.getenv("DOCKER_CONFIG"), filepath.Join(m.getenv("HOME"), ".docker"))
	var config struct{ CurrentContext string }
	text, err := m.read(filepath.Join(folder, "config.json"))
	if err != nil || json.Unmarshal(text, &config) != nil {
		return "" // without the file, there is no other context
	}

	return config.CurrentContext
}

// architectures are Go's words for those of tasks.
var architectures = map[string]string{"amd64": "X86_64", "arm64": "ARM64"}

// emulators are what the kernel calls the formats of programs for other architectures, and their installer the architectures.
// https://docs.docker.com/build/building/multi-platform/#qemu
var emulators = map[string]struct{ format, name string }{"X86_64": {"qemu-x86_64", "amd64"}, "ARM64": {"qemu-aarch64", "arm64"}}
