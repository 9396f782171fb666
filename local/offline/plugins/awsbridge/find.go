package awsbridge

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// PathVariable names the Terraform AWS provider's executable, or the root of a filesystem mirror that holds it.
const PathVariable = "FARGATE_LOCAL_TF_AWS"

// inMirror is where a provider lies in a filesystem mirror
// (https://developer.hashicorp.com/terraform/cli/config/config-file#filesystem_mirror, unpacked layout).
func inMirror() string {
	return filepath.Join("registry.terraform.io", "hashicorp", "aws", ProviderVersion,
		runtime.GOOS+"_"+runtime.GOARCH, "terraform-provider-aws_*")
}

// find returns the path of the Terraform AWS provider.
func find() (string, error) {
	given := os.Getenv(PathVariable)
	if given == "" {
		return search(mirrors())
	}
	if stat, err := os.Stat(given); err == nil && !stat.IsDir() {
		return given, nil
	}
	path, err := search([]string{given})
	if err != nil {
		return "", fmt.Errorf("%s: %w", PathVariable, err)
	}
	return path, nil
}

// search returns the first provider in the given mirrors. A root may be a pattern.
func search(roots []string) (string, error) {
	for _, root := range roots {
		// The only error of Glob is a malformed pattern; a root with a bracket in it is not a mirror either.
		found, _ := filepath.Glob(filepath.Join(root, inMirror()))
		for _, path := range found {
			if stat, err := os.Stat(path); err == nil && stat.Mode().IsRegular() && stat.Mode()&0o111 != 0 {
				return path, nil
			}
		}
	}
	return "", errors.New("Terraform AWS provider " + ProviderVersion + ": not found\n" +
		"looked for " + inMirror() + " in\n  " + strings.Join(roots, "\n  ") + "\n" +
		"set " + PathVariable + " to the executable or to the root of a mirror that holds it " +
		"(terraform providers mirror DIRECTORY makes one)")
}

// mirrors lists Terraform's implied local mirror directories
// (https://developer.hashicorp.com/terraform/cli/config/config-file#implied-local-mirror-directories), then every
// directory one level below /opt and /usr/share, where machine images keep theirs.
func mirrors() []string {
	var roots []string
	add := func(root string, err error) {
		if err == nil && root != "" {
			roots = append(roots, root)
		}
	}
	home, err := os.UserHomeDir()
	add(filepath.Join(home, ".terraform.d", "plugins"), err)
	if data := os.Getenv("XDG_DATA_HOME"); data != "" {
		add(filepath.Join(data, "terraform", "plugins"), nil)
	} else {
		add(filepath.Join(home, ".local", "share", "terraform", "plugins"), err)
	}
	for _, data := range filepath.SplitList(os.Getenv("XDG_DATA_DIRS")) {
		add(filepath.Join(data, "terraform", "plugins"), nil)
	}
	if cache := os.Getenv("TF_PLUGIN_CACHE_DIR"); cache != "" {
		add(cache, nil)
	}
	return append(roots,
		"/usr/local/share/terraform/plugins",
		"/usr/share/terraform/plugins",
		"/opt/*",
		"/usr/share/*",
	)
}
