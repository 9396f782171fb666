package awsmodel

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// findWait bounds a start of Python.
const findWait = 30 * time.Second

// FindData returns botocore's data folder, given the moto_server program: moto is built upon botocore, so the Python
// that runs the one has the other.
func FindData(ctx context.Context, motoServer string) (dir string, err error) {
	ctx, cancel := context.WithTimeout(ctx, findWait)
	defer cancel()
	python, err := pythonOf(ctx, motoServer)
	if err != nil {
		return "", fmt.Errorf("AWS API models: %w", err)
	}
	output, err := exec.CommandContext(ctx, python, "-c", "import botocore, os; print(os.path.dirname(botocore.__file__))").Output()
	if err != nil {
		return "", fmt.Errorf("AWS API models: %s, which runs %s, does not find botocore: %w", python, motoServer, withStderr(err))
	}
	return filepath.Join(strings.TrimSpace(string(output)), "data"), nil
}

// pythonOf is the interpreter that a Python program names in its first line.
func pythonOf(ctx context.Context, program string) (string, error) {
	line, err := firstLine(program)
	if err != nil {
		return "", err
	}
	interpreter := strings.Fields(strings.TrimPrefix(line, "#!"))
	switch {
	case !strings.HasPrefix(line, "#!") || len(interpreter) == 0:
		return "", fmt.Errorf("%s names no interpreter in its first line, so its Python is not known", program)
	case strings.Contains(filepath.Base(interpreter[0]), "python"):
		return interpreter[0], nil
	case len(interpreter) > 1 && strings.Contains(interpreter[1], "python"):
		return exec.LookPath(interpreter[1]) // #!/usr/bin/env python3
	}
	// What pyenv puts on PATH is a shell script that finds the program: https://github.com/pyenv/pyenv#understanding-shims
	output, err := exec.CommandContext(ctx, "pyenv", "which", filepath.Base(program)).Output()
	if err != nil {
		return "", fmt.Errorf("%s is run by %s, not by Python, and pyenv does not know it: %w", program, interpreter[0], withStderr(err))
	}
	found := strings.TrimSpace(string(output))
	if found == program {
		return "", fmt.Errorf("%s is run by %s, not by Python", program, interpreter[0])
	}
	return pythonOf(ctx, found)
}

func firstLine(file string) (string, error) {
	content, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer func() { _ = content.Close() }()
	lines := bufio.NewScanner(content)
	lines.Scan()
	return strings.TrimSpace(lines.Text()), nil // a program that is no text has no first line
}

// withStderr adds to a command's error the last line that the command printed.
func withStderr(err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) || len(exit.Stderr) == 0 {
		return err
	}
	lines := strings.Split(strings.TrimSpace(string(exit.Stderr)), "\n")
	return fmt.Errorf("%w: %s", err, lines[len(lines)-1])
}
