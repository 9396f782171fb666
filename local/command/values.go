package command

import (
	"context"
	"fmt"
	"maps"
	"os/exec"
	"strings"

	"gopkg.in/yaml.v3"
)

// localValues are the settings that a run on this machine replaces: those given on the command line; the architecture,
// because an image for another one would not start here; and whether images are kept when a stack is destroyed, because
// taking a local run down promises to leave nothing.
func (l *Local) localValues(ctx context.Context, config stackSettings) (map[string]any, error) {
	values := map[string]any{}
	architecture, err := engineArchitecture(ctx)
	if err != nil {
		return nil, err
	}
	values[config.project+":architecture"] = architecture
	values[config.project+":forceDeleteRepositories"] = true
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

// engineArchitecture is the architecture of the Docker engine in ECS's words.
func engineArchitecture(ctx context.Context) (string, error) {
	output, err := exec.CommandContext(ctx, "docker", "version", "--format", "{{.Server.Arch}}").Output()
	if err != nil {
		return "", fmt.Errorf("docker: %w", err)
	}
	switch architecture := strings.TrimSpace(string(output)); architecture {
	case "amd64":
		return "X86_64", nil
	case "arm64":
		return "ARM64", nil
	default:
		return "", fmt.Errorf("docker: the engine's architecture is %s; Fargate has amd64 and arm64", architecture)
	}
}
