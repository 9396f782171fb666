package docker

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tree writes files below a new directory; a name that ends in a slash is a directory.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		if strings.HasSuffix(name, "/") {
			must(t, os.MkdirAll(path, 0o755))
			continue
		}
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(content), 0o644))
	}
	return root
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func sum(t *testing.T, root string) string {
	t.Helper()
	got, err := digest(root, filepath.Join(root, "Dockerfile"))
	must(t, err)
	return got
}

func TestTheDigestChangesWithWhatABuildSees(t *testing.T) {
	for name, edit := range map[string]func(t *testing.T, root string){
		"content": func(t *testing.T, root string) {
			must(t, os.WriteFile(filepath.Join(root, "src/a"), []byte("A"), 0o644))
		},
		"new file": func(t *testing.T, root string) {
			must(t, os.WriteFile(filepath.Join(root, "src/b"), nil, 0o644))
		},
		"umask":        func(t *testing.T, root string) { must(t, os.Chmod(filepath.Join(root, "src/a"), 0o664)) },
		"removed file": func(t *testing.T, root string) { must(t, os.Remove(filepath.Join(root, "logs/keep"))) },
		"renamed file": func(t *testing.T, root string) {
			must(t, os.Rename(filepath.Join(root, "logs/keep"), filepath.Join(root, "src/b")))
		},
		"executable bit": func(t *testing.T, root string) { must(t, os.Chmod(filepath.Join(root, "src/a"), 0o755)) },
		"link's target": func(t *testing.T, root string) {
			must(t, os.Remove(filepath.Join(root, "link")))
			must(t, os.Symlink("logs/keep", filepath.Join(root, "link")))
		},
		"dockerfile, though ignored": func(t *testing.T, root string) {
			must(t, os.WriteFile(filepath.Join(root, "Dockerfile"), []byte("FROM scratch\n#"), 0o644))
		},
		"file let in again": func(t *testing.T, root string) {
			must(t, os.WriteFile(filepath.Join(root, "logs/keep"), []byte("K"), 0o644))
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := sample(t)
			before := sum(t, root)
			edit(t, root)
			if sum(t, root) == before {
				t.Error("the digest is the same")
			}
		})
	}
}

func TestTheDigestKeepsWhenABuildSeesTheSame(t *testing.T) {
	for name, edit := range map[string]func(t *testing.T, root string){
		"time": func(t *testing.T, root string) {
			must(t, os.Chtimes(filepath.Join(root, "src/a"), time.Unix(1, 0), time.Unix(1, 0)))
		},
		"new directory": func(t *testing.T, root string) { must(t, os.Mkdir(filepath.Join(root, "empty"), 0o755)) },
		"ignored file": func(t *testing.T, root string) {
			must(t, os.WriteFile(filepath.Join(root, "logs/today"), []byte("new"), 0o644))
		},
		"file below an ignored directory": func(t *testing.T, root string) {
			must(t, os.WriteFile(filepath.Join(root, "node_modules/x/y"), []byte("new"), 0o644))
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := sample(t)
			before := sum(t, root)
			edit(t, root)
			if sum(t, root) != before {
				t.Error("the digest has changed")
			}
		})
	}
}

func sample(t *testing.T) string {
	t.Helper()
	root := tree(t, map[string]string{
		"Dockerfile":       "FROM scratch\n",
		".dockerignore":    "# comment\nDockerfile\nnode_modules\nlogs/*\n!logs/keep\n",
		"src/a":            "a",
		"logs/keep":        "k",
		"logs/today":       "t",
		"node_modules/x/y": "y",
	})
	must(t, os.Symlink("src/a", filepath.Join(root, "link")))
	return root
}

func TestALinkThatLeadsNowhereIsAnError(t *testing.T) {
	root := sample(t)
	must(t, os.Remove(filepath.Join(root, "src/a")))
	if _, err := digest(root, filepath.Join(root, "Dockerfile")); err == nil || !strings.HasPrefix(err.Error(), "context: ") {
		t.Errorf("got %v", err)
	}
}

// The official plugin follows every link, so the place of the context is in the digest.
func TestTheDigestIsThatOfTheTreeAndOfThePlacesItsLinksLeadTo(t *testing.T) {
	one, other := sample(t), sample(t)
	if sum(t, one) == sum(t, other) {
		t.Error("two copies with links have one digest")
	}
	must(t, os.Remove(filepath.Join(one, "link")))
	must(t, os.Remove(filepath.Join(other, "link")))
	if sum(t, one) != sum(t, other) {
		t.Error("two copies without links have different digests")
	}
}

func TestAnIgnoreFileBesideTheDockerfileComesFirst(t *testing.T) {
	root := tree(t, map[string]string{
		"Dockerfile": "FROM scratch\n", ".dockerignore": "a\n", "Dockerfile.dockerignore": "b\n", "a": "", "b": "",
	})
	before := sum(t, root)
	must(t, os.WriteFile(filepath.Join(root, "b"), []byte("new"), 0o644))
	if sum(t, root) != before {
		t.Error("b is ignored by Dockerfile.dockerignore, and the digest has changed")
	}
	must(t, os.WriteFile(filepath.Join(root, "a"), []byte("new"), 0o644))
	if sum(t, root) == before {
		t.Error("a is ignored by .dockerignore only, and the digest is the same")
	}
}

func TestAMissingDockerfileOrContextIsAnError(t *testing.T) {
	root := t.TempDir()
	if _, err := digest(root, filepath.Join(root, "Dockerfile")); err == nil || !strings.HasPrefix(err.Error(), "dockerfile: ") {
		t.Errorf("no Dockerfile: got %v", err)
	}
	file := filepath.Join(root, "Dockerfile")
	must(t, os.WriteFile(file, nil, 0o644))
	if _, err := digest(filepath.Join(root, "none"), file); err == nil || !strings.HasPrefix(err.Error(), "context: ") {
		t.Errorf("no context: got %v", err)
	}
}
