package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// shell opens a shell in the app's container of one task. On AWS that is ECS Exec, which needs the AWS CLI with the Session Manager
// plugin, and the stack's setting for it. The local run has no ECS Exec; there the container is one of Docker's.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html
func shell(ctx context.Context, o options) error {
	s, _, err := open(ctx, o.stack)
	if err != nil {
		return err
	}
	tasks, err := s.Tasks(ctx)
	if err != nil {
		return err
	}
	if len(tasks) == 0 {
		return fmt.Errorf("shell: no task of stack %s runs", o.stack)
	}
	task := aws.ToString(tasks[0].TaskArn)
	words := []string{
		"aws", "ecs", "execute-command", "--region", s.Region, "--cluster", s.Cluster, "--task", task, "--container", "app",
		"--interactive", "--command", "/bin/sh",
	}
	if isLocal() {
		container, err := exec.CommandContext(ctx, "docker", "ps", "--quiet", "--filter", "name="+path.Base(task)+"-app").Output()
		if err != nil || strings.TrimSpace(string(container)) == "" {
			return fmt.Errorf("shell: no container of task %s, %w", path.Base(task), err)
		}
		words = []string{"docker", "exec", "--interactive", "--tty", strings.TrimSpace(string(container)), "/bin/sh"}
	}
	cmd := exec.CommandContext(ctx, words[0], words[1:]...) //nolint:gosec // the words are those above
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr

	return cmd.Run()
}

// isLocal reports whether the shell points at the local run.
func isLocal() bool {
	endpoint := os.Getenv("AWS_ENDPOINT_URL")

	return strings.HasPrefix(endpoint, "http://127.0.0.1:") || strings.HasPrefix(endpoint, "http://localhost:")
}
