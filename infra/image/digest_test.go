package image

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// files makes a build context in the current directory's temporary one and returns its arguments.
func files(t *testing.T, contents map[string]string) Args {
	t.Helper()

	directory := t.TempDir()
	for name, content := range contents {
		path := filepath.Join(directory, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}

	return Args{
		Settings:     Settings{Context: directory, Dockerfile: "Dockerfile", BuildArgs: map[string]string{"A": "1"}},
		Architecture: "X86_64",
	}
}

func sample() map[string]string {
	return map[string]string{
		"Dockerfile":      "FROM scratch\nCOPY . .\n",
		".dockerignore":   "# comment\nnode_modules\n*.log\n!keep.log\nDockerfile\ndocs\n!docs/keep.md\n",
		"docs/keep.md":    "keep",
		"docs/other.md":   "other",
		"server.js":       "listen()",
		"lib/a.js":        "a",
		"node_modules/x":  "x",
		"debug.log":       "debug",
		"keep.log":        "keep",
		"lib/node_module": "not ignored",
	}
}

func digest(t *testing.T, args Args) string {
	t.Helper()

	text, err := contentDigest(args)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) != 64 {
		t.Fatalf("digest %q; want 64 digits", text)
	}

	return text
}

func edit(t *testing.T, args Args, name, content string) {
	t.Helper()

	if err := os.WriteFile(filepath.Join(args.Context, name), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestDigestFollowsEverythingTheBuildSees(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, args *Args){
		"contents":                              func(t *testing.T, args *Args) { edit(t, *args, "server.js", "listen(1)") },
		"new file":                              func(t *testing.T, args *Args) { edit(t, *args, "lib/b.js", "") },
		"kept file":                             func(t *testing.T, args *Args) { edit(t, *args, "keep.log", "kept") },
		"dockerfile, which .dockerignore lists": func(t *testing.T, args *Args) { edit(t, *args, "Dockerfile", "FROM x") },
		"ignore list": func(t *testing.T, args *Args) {
			edit(t, *args, ".dockerignore", "node_modules\n*.log\n!keep.log\nDockerfile\ndocs\n!docs/keep.md\n")
		},
		"kept file in ignored folder": func(t *testing.T, args *Args) { edit(t, *args, "docs/keep.md", "kept") },
		"permissions": func(t *testing.T, args *Args) {
			if err := os.Chmod(filepath.Join(args.Context, "server.js"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"name": func(t *testing.T, args *Args) {
			if err := os.Rename(filepath.Join(args.Context, "lib/a.js"), filepath.Join(args.Context, "lib/c.js")); err != nil {
				t.Fatal(err)
			}
		},
		"file that becomes a link": func(t *testing.T, args *Args) {
			path := filepath.Join(args.Context, "lib/a.js")
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("../server.js", path); err != nil {
				t.Fatal(err)
			}
		},
		"empty directory": func(t *testing.T, args *Args) {
			if err := os.Mkdir(filepath.Join(args.Context, "empty"), 0o755); err != nil {
				t.Fatal(err)
			}
		},
		"platform":        func(_ *testing.T, args *Args) { args.Architecture = "ARM64" },
		"build argument":  func(_ *testing.T, args *Args) { args.BuildArgs = map[string]string{"A": "2"} },
		"argument's name": func(_ *testing.T, args *Args) { args.BuildArgs = map[string]string{"B": "1"} },
	} {
		t.Run(name, func(t *testing.T) {
			args := files(t, sample())
			before := digest(t, args)
			change(t, &args)
			if digest(t, args) == before {
				t.Error("the digest is the same")
			}
		})
	}
}

func TestDigestIgnoresWhatTheBuildDoesNotSee(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, args *Args){
		"nothing":                        func(*testing.T, *Args) {},
		"file in ignored folder":         func(t *testing.T, args *Args) { edit(t, *args, "node_modules/y", "y") },
		"ignored file beside a kept one": func(t *testing.T, args *Args) { edit(t, *args, "docs/other.md", "changed") },
		"ignored file":                   func(t *testing.T, args *Args) { edit(t, *args, "other.log", "other") },
		"another place":                  func(t *testing.T, args *Args) { *args = files(t, sample()) },
		"times": func(t *testing.T, args *Args) {
			if err := os.Chtimes(filepath.Join(args.Context, "server.js"), time.Unix(1, 0), time.Unix(1, 0)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			args := files(t, sample())
			before := digest(t, args)
			change(t, &args)
			if digest(t, args) != before {
				t.Error("the digest changed")
			}
		})
	}
}

func TestAnIgnoreListNamedAfterTheDockerfileCountsFirst(t *testing.T) {
	args := files(t, sample())
	edit(t, args, "Dockerfile.dockerignore", "server.js\n")
	before := digest(t, args)

	edit(t, args, "server.js", "listen(1)")
	if digest(t, args) != before {
		t.Error("a file that the list ignores counts")
	}
	edit(t, args, "debug.log", "only the general list ignores this")
	if digest(t, args) == before {
		t.Error("the general list still counts")
	}
}

func TestDigestNeedsADockerfile(t *testing.T) {
	contents := sample()
	delete(contents, "Dockerfile")
	if text, err := contentDigest(files(t, contents)); err == nil {
		t.Errorf("digest %s without a Dockerfile", text)
	}
}
