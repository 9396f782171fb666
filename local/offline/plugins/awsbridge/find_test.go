package awsbridge

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// mirror lays an executable down as a filesystem mirror has it and returns its path.
func mirror(t *testing.T, root string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(root, "registry.terraform.io/hashicorp/aws/5.100.0",
		runtime.GOOS+"_"+runtime.GOARCH, "terraform-provider-aws_v5.100.0_x5")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheProviderIsFoundWhereTerraformKeepsIt(t *testing.T) {
	home, data, cache := t.TempDir(), t.TempDir(), t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_DATA_HOME", "")
	t.Setenv("XDG_DATA_DIRS", "/nowhere"+string(os.PathListSeparator)+data)
	t.Setenv("TF_PLUGIN_CACHE_DIR", cache)
	t.Setenv(PathVariable, "")
	// From the last place looked at to the first: each next one is preferred.
	for _, root := range []string{
		cache, filepath.Join(data, "terraform/plugins"), filepath.Join(home, ".local/share/terraform/plugins"),
		filepath.Join(home, ".terraform.d/plugins"),
	} {
		want := mirror(t, root, 0o755)
		if got, err := find(); got != want || err != nil {
			t.Errorf("got %s, %v; expected %s", got, err, want)
		}
	}
}

func TestTheVariableNamesAnExecutableOrAMirror(t *testing.T) {
	root := t.TempDir()
	want := mirror(t, root, 0o755)
	for _, given := range []string{root, want} {
		t.Setenv(PathVariable, given)
		if got, err := find(); got != want || err != nil {
			t.Errorf("%s: got %s, %v", given, got, err)
		}
	}
	t.Setenv(PathVariable, filepath.Join(root, "none"))
	if got, err := find(); err == nil || !strings.HasPrefix(err.Error(), PathVariable+": ") {
		t.Errorf("nothing there: got %s, %v", got, err)
	}
}

func TestOneLevelBelowARootIsSearched(t *testing.T) {
	root := t.TempDir()
	want := mirror(t, filepath.Join(root, "anything"), 0o755)
	if got, err := search([]string{root, filepath.Join(root, "*")}); got != want || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestTheErrorSaysWhereItWasLookedFor(t *testing.T) {
	root := t.TempDir()
	mirror(t, root, 0o644) // not executable
	_, err := search([]string{root, "/elsewhere"})
	for _, want := range []string{
		"Terraform AWS provider 5.100.0: not found", "\n  " + root + "\n  /elsewhere\n", PathVariable,
		"registry.terraform.io/hashicorp/aws/5.100.0/" + runtime.GOOS + "_" + runtime.GOARCH,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v; expected it to contain %q", err, want)
		}
	}
}
