package command

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"fargate-nginx-sidecar/local/cloud/run"
	"fargate-nginx-sidecar/local/machine"

	"gopkg.in/yaml.v3"
)

// localValues are the settings that a run on this machine replaces: those given on the command line; the architecture,
// because an image for another one would not start here; whether images are kept when a stack is destroyed, because taking
// a local run down promises to leave nothing; and what only the stack's owner can use. nil leaves a setting out.
func (l *Local) localValues(current run.Run, config stackSettings) (map[string]any, error) {
	values := map[string]any{}
	architecture := ecsArchitectures[current.Architecture]
	if architecture == "" {
		return nil, errors.New("run: it has no architecture, so an earlier version of this checkout started it; take it down with `make local-down`")
	}
	values[config.project+":"+architectureOf] = architecture
	values[config.project+":"+forceDelete] = true
	l.withoutEncryption(config, values)
	l.withoutAccount(config, values)
	maps.Copy(values, config.given)
	return values, nil
}

// parseSettings reads the settings of a command line, which are YAML. A key without a namespace is the project's.
func parseSettings(project string, given map[string]string) (map[string]any, error) {
	values := map[string]any{}
	for key, text := range given {
		var value any
		if err := yaml.Unmarshal([]byte(text), &value); err != nil {
			return nil, fmt.Errorf("--set %s=%s: %w", key, text, err)
		}
		if !strings.Contains(key, ":") {
			key = project + ":" + key
		}
		values[key] = value
	}
	return values, nil
}

// ecsArchitectures are ECS's words for Go's.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RuntimePlatform.html
var ecsArchitectures = map[string]string{"amd64": "X86_64", "arm64": "ARM64"}

// engineArchitecture is the architecture of the Docker engine in Go's words. This program's may be another one: on an Apple
// computer, programs for Intel run, too.
func engineArchitecture(ctx context.Context) (string, error) {
	architecture, err := machine.Output(ctx, "docker", "version", "--format", "{{.Server.Arch}}")
	if err != nil {
		return "", err
	}
	if ecsArchitectures[architecture] == "" {
		return "", fmt.Errorf("docker: the engine's architecture is %s; Fargate has amd64 and arm64", architecture)
	}
	return architecture, nil
}
