package main

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// What a new project gets in place of this one's own.
const templateFolder = "ops/project/template"

// left is what a new project does not get: what tests, measures, shows and describes this one.
var left = regexp.MustCompile(`(^|/)testdata/|_test\.(go|py)$|/(emulatortest|enginetest|oidctest)/` +
	`|^(bench|examples|images/(app-go|imagetest)|infra/infratest|local/(cmd|e2e|faults|trial)|ops/project)/` +
	`|^docs/(benchmark|reliability)|^\.github/workflows/(test|nightly)\.yml$|^(CONTRIBUTING\.md|project\.mk|\.golangci\.yml|\.ci/run)$`)

// template writes a folder that `pulumi new` takes: the program, the images, the local run, the commands and the documents, with
// placeholders where this project's name stands. The CLI replaces these in all files, and asks for the settings that Pulumi.yaml
// lists.
func template(root, dir string) (string, error) {
	if dir == "" {
		return "", errors.New("DIR is not given; as in: make template DIR=../template")
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return "", fmt.Errorf("DIR: %s is not empty; allowed: a folder that is empty or does not exist", dir)
	}
	name, err := projectName(root)
	if err != nil {
		return "", err
	}
	files, err := known(root)
	if err != nil {
		return "", err
	}
	forms, err := formsOf(root, name, files)
	if err != nil {
		return "", err
	}
	kept := slices.DeleteFunc(slices.Clone(files), left.MatchString)
	for _, file := range kept {
		source := file
		if replaced := path.Join(templateFolder, file); slices.Contains(files, replaced) {
			source = replaced
		}
		if err := render(root, source, dir, file, name, forms, kept); err != nil {
			return "", err
		}
	}

	return fmt.Sprintf("%s: %d files; make a project of it with: pulumi new %s", dir, len(kept), dir), nil
}

// render writes one file of the template.
func render(root, source, dir, file, name string, forms []form, kept []string) error {
	info, err := os.Lstat(filepath.Join(root, filepath.FromSlash(source)))
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(source)))
	if err != nil {
		return err
	}
	switch path.Ext(file) {
	case ".yaml", ".yml":
		// The CLI writes the name into these files with the end of a line, so that no key can begin with it. Without a name in
		// front, a key is the project's.
		text = regexp.MustCompile(`(?m)^((?:# )?\s*(?:# )?)`+regexp.QuoteMeta(name)+`:(\w+:)`).ReplaceAll(text, []byte("$1$2"))
	case ".md", ".json":
		for _, f := range forms {
			text = f.replace(file, text, "${PROJECT}")
		}
	}
	if path.Ext(file) == ".md" {
		text = withoutDeadLinks(file, text, kept)
	}
	to := filepath.Join(dir, filepath.FromSlash(file))
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}

	return os.WriteFile(to, text, info.Mode().Perm())
}

var link = regexp.MustCompile(`\[([^\]]*)\]\(([^)#\s]+)(?:#[^)\s]*)?\)`)

// withoutDeadLinks keeps the text of links to files that the template leaves out.
func withoutDeadLinks(file string, text []byte, kept []string) []byte {
	return link.ReplaceAllFunc(text, func(found []byte) []byte {
		parts := link.FindSubmatch(found)
		target := path.Join(path.Dir(file), string(parts[2]))
		isThere := func(name string) bool { return name == target || strings.HasPrefix(name, target+"/") }
		if strings.Contains(string(parts[2]), ":") || slices.ContainsFunc(kept, isThere) {
			return found
		}

		return parts[1]
	})
}
