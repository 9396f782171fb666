package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// rename gives the project in a directory another name: in Pulumi.yaml, as Go's module, as the namespace of the groups in stack
// files, and wherever a document, an example or a test names one of these. It changes the files that Git knows, commits nothing, and
// returns what it did. The types of the components, the labels of the local run and its caches keep the name that they have: they
// belong to the program, whatever a project that uses it is called.
func rename(root, name string) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	old, err := projectName(root)
	if err != nil {
		return "", err
	}
	if old == name {
		return "the project is already called " + name + "; nothing has changed", nil
	}
	files, err := checkout(root)
	if err != nil {
		return "", err
	}
	forms, err := formsOf(root, old, files)
	if err != nil {
		return "", err
	}
	changed := 0
	for _, file := range files {
		did, err := rewrite(filepath.Join(root, file), file, name, forms)
		if err != nil {
			return "", err
		}
		if did {
			changed++
		}
	}

	return fmt.Sprintf("%s is now %s, in %d files; look at them with git diff, and commit", old, name, changed), nil
}

var namePattern = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// reserved are names that would mean something else, with what they mean.
var reserved = map[string]string{
	"aws": "the AWS provider's settings", "awsx": "the awsx provider's settings", "docker": "the Docker provider's settings",
	"pulumi": "Pulumi's own settings", "bootstrap": "the project in bootstrap/", "database": "the project in examples/database/",
	"main": "Go's programs", "all": "a pattern of Go's", "std": "a pattern of Go's", "tool": "a pattern of Go's", "work": "a pattern of Go's",
}

// 100 characters are what Pulumi allows. The only name of a resource with the project's in it is the namespace of metrics, of which
// AWS allows 255.
// https://github.com/pulumi/pulumi/blob/v3.230.0/sdk/go/common/tokens/project.go
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
func checkName(name string) error {
	const allowed = "1 to 100 characters of a-z, 0-9 and single hyphens, beginning with a letter"
	switch meaning := reserved[name]; {
	case name == "":
		return errors.New("NAME is not given; as in: make rename NAME=shop; allowed: " + allowed)
	case len(name) > 100 || !namePattern.MatchString(name):
		return fmt.Errorf("NAME: %q; allowed: %s", name, allowed)
	case meaning != "":
		return fmt.Errorf("NAME: %s; reserved: it means %s", name, meaning)
	}
	// A module that is called as a package of the standard library would hide it, or be hidden.
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("go env GOROOT: %w", err)
	}
	if _, err := os.Stat(filepath.Join(strings.TrimSpace(string(goroot)), "src", name)); err == nil {
		return fmt.Errorf("NAME: %s; reserved: it means a package of Go's standard library", name)
	}

	return nil
}

func projectName(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, "Pulumi.yaml"))
	if err != nil {
		return "", err
	}
	found := regexp.MustCompile(`(?m)^name: (\S+)$`).FindSubmatch(text)
	if found == nil {
		return "", errors.New("Pulumi.yaml: no line with the project's name, as in: name: shop")
	}

	return string(found[1]), nil
}

// git runs a command of Git's in a checkout.
func git(root string, arguments ...string) (string, error) {
	output, err := exec.Command("git", append([]string{"-C", root}, arguments...)...).CombinedOutput() //nolint:gosec // only from here
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", arguments[0], err, bytes.TrimSpace(output))
	}

	return string(output), nil
}

// known returns the files that Git knows, and those that it would take.
func known(root string) ([]string, error) {
	names, err := git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	files := strings.FieldsFunc(names, func(r rune) bool { return r == 0 })

	return slices.DeleteFunc(files, func(name string) bool {
		_, err := os.Lstat(filepath.Join(root, filepath.FromSlash(name)))
		return err != nil // deleted, and not yet committed
	}), err
}

// checkout returns the files of a checkout without changes. Whatever is not committed could no more be told from what the renaming changed, and a
// local run would remain under the former name.
func checkout(root string) ([]string, error) {
	status, err := git(root, "status", "--porcelain")
	if err != nil {
		return nil, err
	}
	if status != "" {
		return nil, fmt.Errorf("the checkout has changes that are not committed; commit or stash them first:\n%s", strings.TrimRight(status, "\n"))
	}
	if _, err := os.Stat(filepath.Join(root, ".local")); err == nil {
		return nil, errors.New("a local run of this checkout has the former name; end it first: make local-down")
	}

	return known(root)
}

// form is one way in which files name the project: the name is its second group. Only files that match have it.
type form struct{ file, text *regexp.Regexp }

// replace puts another name into the text of a file.
func (f form) replace(file string, text []byte, name string) []byte {
	if !f.file.MatchString(file) {
		return text
	}

	return f.text.ReplaceAll(text, []byte("${1}"+strings.ReplaceAll(name, "$", "$$")+"${3}"))
}

// formsOf returns all of them. The name alone is none, because it may be a word that the documents use, such as shop.
func formsOf(root, old string, files []string) ([]form, error) {
	groups, err := groupNames(root, old)
	if err != nil {
		return nil, err
	}
	var folders []string // those with packages of Go
	for _, file := range files {
		if first, _, nested := strings.Cut(file, "/"); nested && strings.HasSuffix(file, ".go") && !slices.Contains(folders, first) {
			folders = append(folders, regexp.QuoteMeta(first))
		}
	}
	var forms []form
	for _, f := range [][2]string{
		{`^Pulumi\.yaml$`, `(?m)(^name: )(@)()$`},
		// A group in a stack file, a document or a test that deploys one. Other tests have projects of their own. After the name
		// of a component's module, which is no group, follows its type.
		{`\.(md|ya?ml|json)$|^local/(e2e|faults)/`, `(^|[^\w./:-])(@)(:(?:` + strings.Join(groups, "|") + `)(?:[^\w:]|$|:(?:[^A-Z]|$)))`},
		{`\.go$`, `(")(@)(/(?:` + strings.Join(folders, "|") + `)[/"])`},
		{`(^|/)go\.mod$|\.go$|Dockerfile`, `(\bmodule )(@)([/\\\s])`},
		{`(^|/)go\.mod$`, `(?m)(^\s*|^require |^replace )(@)( v0\.0\.0| =>)`},
		{`^\.gitignore$`, `(?m)(^/)(@)()$`}, // what go build makes
		{`\.(md|go|yaml)$`, `((?:organization|<organization>|team)/)(@)(/)`},
		{`\.md$`, `(Key=Project,Values=)(@)(\s)`},
		{`^README\.md$`, `(^# )(@)(\n)`},
		{`^docs/settings\.schema\.json$`, `(Stack file of )(@)(")`},
	} {
		forms = append(forms, form{regexp.MustCompile(f[0]), regexp.MustCompile(strings.ReplaceAll(f[1], "@", regexp.QuoteMeta(old)))})
	}

	return forms, nil
}

// groupNames are the groups that a stack file may have: the schema has them all.
func groupNames(root, old string) ([]string, error) {
	const file = "docs/settings.schema.json"
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
	if err != nil {
		return nil, err
	}
	var schema struct {
		Properties struct {
			Config struct{ Properties map[string]any }
		}
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var groups []string
	for key := range schema.Properties.Config.Properties {
		if group, own := strings.CutPrefix(key, old+":"); own {
			groups = append(groups, regexp.QuoteMeta(group))
		}
	}
	if groups == nil {
		return nil, fmt.Errorf("%s has no group of %s; write it anew with make docs", file, old)
	}
	slices.Sort(groups)

	return groups, nil
}

// rewrite replaces the name in one file, in all forms, and returns whether it had any.
func rewrite(path, file, name string, forms []form) (bool, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return false, err
	}
	if !info.Mode().IsRegular() {
		return false, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return false, err
	}
	renamed := text
	for _, f := range forms {
		renamed = f.replace(file, renamed, name)
	}
	if bytes.Equal(text, renamed) {
		return false, nil
	}

	return true, os.WriteFile(path, renamed, info.Mode().Perm())
}
