package machine

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// PythonOf is the interpreter that a Python program names in its first line.
func PythonOf(ctx context.Context, program string) (string, error) {
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
	found, err := Output(ctx, "pyenv", "which", filepath.Base(program))
	if err != nil {
		return "", fmt.Errorf("%s is run by %s, not by Python, and pyenv does not know it: %w", program, interpreter[0], err)
	}
	if found == program {
		return "", fmt.Errorf("%s is run by %s, not by Python", program, interpreter[0])
	}
	return PythonOf(ctx, found)
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
