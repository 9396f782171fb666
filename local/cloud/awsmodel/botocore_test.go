package awsmodel

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDataIsFoundThroughTheEmulatorsProgram(t *testing.T) {
	dir := models(t)
	if _, err := os.Stat(filepath.Join(dir, "ecs")); err != nil {
		t.Error(err)
	}
}

// TestProgramsThatArePython goes through the ways in which a moto_server comes onto PATH.
func TestProgramsThatArePython(t *testing.T) {
	dir := t.TempDir()
	put := func(name, content string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
		return file
	}
	const found = "/lib/botocore"
	python := put("python3", "#!/bin/sh\necho "+found+"\n")
	broken := put("python-without", "#!/bin/sh\necho Traceback >&2\necho \"No module named 'botocore'\" >&2\nexit 1\n")
	installed := put("moto_server", "#!"+python+"\n")
	put("pyenv", "#!/bin/sh\n[ \"$1 $2\" = 'which shimmed' ] && echo "+installed+" || { echo \"pyenv: $2: command not found\" >&2; exit 127; }\n")
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	if err := os.MkdirAll(filepath.Join(dir, "image", "botocore-data"), 0o755); err != nil {
		t.Fatal(err)
	}
	modelsBeside := put("image/moto_server", "#!/bin/sh\n")
	for _, test := range []struct{ claim, program, want string }{
		{"a virtual environment", installed, found + "/data"},
		{"env", put("by-env", "#!/usr/bin/env python3\n"), found + "/data"},
		{"pyenv", put("shimmed", "#!/usr/bin/env bash\nexec pyenv exec\n"), found + "/data"},
		{"no botocore", put("without", "#!"+broken+"\n"), "botocore is not found by the Python that runs " + dir + "/without: " + broken + ": exit status 1; its last lines:\n  Traceback\n  No module named 'botocore'"},
		{"a shell script", put("script", "#!/bin/sh\n"), dir + "/script is run by /bin/sh, not by Python, and pyenv does not know it: pyenv: exit status 127; its last lines:\n  pyenv: script: command not found"},
		{"a binary", put("binary", "\x7fELF\x02\x01"), dir + "/binary names no interpreter in its first line, so its Python is not known"},
		{"an image, with the models beside it", modelsBeside, filepath.Join(filepath.Dir(modelsBeside), "botocore-data")},
		{"no program", filepath.Join(dir, "nothing"), "open " + dir + "/nothing: no such file or directory"},
	} {
		got, err := FindData(t.Context(), test.program)
		if err != nil {
			got = strings.TrimPrefix(err.Error(), "AWS API models: ")
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.claim, got, test.want)
		}
	}
}
