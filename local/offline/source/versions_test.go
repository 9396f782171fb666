package source_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A package of two versions is compiled twice, and so is everything that imports it: minutes of a first run.
func TestTheModulesCompileThePackagesTheyShareOnce(t *testing.T) {
	const root = "../../.."
	versions := map[string]string{} // by package
	for _, module := range []string{".", "local", pluginsModule} {
		list := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if .Version}}{{$.ImportPath}} {{.Path}} {{.Version}}{{end}}{{end}}", "./...")
		list.Dir = filepath.Join(root, module)
		output, err := list.Output()
		if err != nil {
			t.Fatalf("%s: %v", module, err)
		}
		reported := map[string]bool{}
		for line := range strings.Lines(string(output)) {
			words := strings.Fields(line)
			name, owner, version := words[0], words[1], words[2]
			if before, ok := versions[name]; !ok {
				versions[name] = version
			} else if before != version && !reported[owner] {
				reported[owner] = true
				t.Errorf("%s/go.mod has %s %s, another module %s: give both one version", module, owner, version, before)
			}
		}
	}
}

const pluginsModule = "local/offline/plugins"
