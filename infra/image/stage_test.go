package image

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// project changes to a new project that has the given files in its folder app, and returns the arguments to build them.
func project(t *testing.T, contents map[string]string) Args {
	t.Helper()

	t.Chdir(t.TempDir())
	for name, content := range contents {
		write(t, filepath.Join("app", name), content)
	}

	return Args{
		Settings: Settings{
			Context: "app", Dockerfile: "Dockerfile", BuildArgs: map[string]string{"A": "1"},
		},
		Architecture: "X86_64",
	}
}

func sample() map[string]string {
	return map[string]string{
		"Dockerfile":      "FROM scratch\nCOPY . .\n",
		".dockerignore":   "# comment\nnode_modules\n*.log\n!keep.log\nDockerfile\n.dockerignore\ndocs\n!docs/keep.md\n",
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

func write(t *testing.T, path, content string) {
	t.Helper()

	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(content), 0o644)) //nolint:gosec // A path of this test, below its temporary folder.
}

func must(t *testing.T, err error) {
	t.Helper()

	if err != nil {
		t.Fatal(err)
	}
}

func staging(t *testing.T, args Args) staged {
	t.Helper()

	content, err := stage(args)
	if err != nil {
		t.Fatal(err)
	}
	if len(content.digest) != 64 || content.folder != ".build/"+content.digest {
		t.Fatalf("digest %q, folder %q", content.digest, content.folder)
	}

	return content
}

// listing returns all files below a folder, with what the Docker provider compares: permissions and contents.
func listing(t *testing.T, folder string) map[string]string {
	t.Helper()

	all := map[string]string{}
	must(t, fs.WalkDir(os.DirFS(folder), ".", func(name string, item fs.DirEntry, err error) error {
		must(t, err)
		info, err := item.Info()
		must(t, err)
		all[name] = info.Mode().String()
		if info.Mode().IsRegular() {
			content, err := fs.ReadFile(os.DirFS(folder), name)
			must(t, err)
			all[name] += " " + string(content)
		}
		return nil
	}))

	return all
}

func TestTheCopyHoldsWhatTheBuilderReadsAndNothingElse(t *testing.T) {
	args := project(t, sample())
	must(t, os.Chmod("app/lib/a.js", 0o775))
	got := listing(t, staging(t, args).folder)
	want := map[string]string{
		".":               "drwxr-xr-x",
		"docs":            "drwxr-xr-x",
		"lib":             "drwxr-xr-x",
		"Dockerfile":      "-rw-r--r-- " + sample()["Dockerfile"],
		".dockerignore":   "-rw-r--r-- " + sample()[".dockerignore"],
		"docs/keep.md":    "-rw-r--r-- keep",
		"server.js":       "-rw-r--r-- listen()",
		"lib/a.js":        "-rwxr-xr-x a",
		"keep.log":        "-rw-r--r-- keep",
		"lib/node_module": "-rw-r--r-- not ignored",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the copy holds %v\nwant: %v", got, want)
	}
}

// Web servers use a file's modification time to tell whether a client's cached copy is still valid.
func TestTheCopyKeepsTheTimesOfFiles(t *testing.T) {
	args := project(t, sample())
	written := time.Unix(1_700_000_000, 0)
	must(t, os.Chtimes("app/server.js", written, written))
	info, err := os.Stat(filepath.Join(staging(t, args).folder, "server.js"))
	if err != nil || !info.ModTime().Equal(written) {
		t.Errorf("time %v, error %v; want %v", info.ModTime(), err, written)
	}
}

func TestEveryChangeOfWhatTheBuildSeesChangesTheDigest(t *testing.T) {
	for name, change := range map[string]func(t *testing.T){
		"contents":                              func(t *testing.T) { write(t, "app/server.js", "listen(1)") },
		"new file":                              func(t *testing.T) { write(t, "app/lib/b.js", "") },
		"kept file":                             func(t *testing.T) { write(t, "app/keep.log", "kept") },
		"dockerfile, which .dockerignore lists": func(t *testing.T) { write(t, "app/Dockerfile", "FROM x") },
		"ignore list":                           func(t *testing.T) { write(t, "app/.dockerignore", sample()[".dockerignore"]+"#\n") },
		"kept file in ignored folder":           func(t *testing.T) { write(t, "app/docs/keep.md", "kept") },
		"executable":                            func(t *testing.T) { must(t, os.Chmod("app/server.js", 0o755)) },
		"name":                                  func(t *testing.T) { must(t, os.Rename("app/lib/a.js", "app/lib/c.js")) },
		"empty directory":                       func(t *testing.T) { must(t, os.Mkdir("app/empty", 0o755)) },
		"file that becomes a link": func(t *testing.T) {
			must(t, os.Remove("app/lib/a.js"))
			must(t, os.Symlink("../server.js", "app/lib/a.js"))
		},
		"an ignore list named after the Dockerfile": func(t *testing.T) { write(t, "app/Dockerfile.dockerignore", "x\n") },
	} {
		t.Run(name, func(t *testing.T) {
			args := project(t, sample())
			before := staging(t, args)
			change(t)
			if staging(t, args).digest == before.digest {
				t.Error("the digest is the same")
			}
		})
	}
}

func TestNothingElseChangesTheDigest(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, args *Args){
		"nothing":                        func(*testing.T, *Args) {},
		"file in ignored folder":         func(t *testing.T, _ *Args) { write(t, "app/node_modules/y", "y") },
		"ignored file beside a kept one": func(t *testing.T, _ *Args) { write(t, "app/docs/other.md", "changed") },
		"ignored file":                   func(t *testing.T, _ *Args) { write(t, "app/other.log", "other") },
		"time": func(t *testing.T, _ *Args) {
			must(t, os.Chtimes("app/server.js", time.Unix(1, 0), time.Unix(1, 0)))
		},
		"moved context": func(t *testing.T, args *Args) {
			must(t, os.Rename("app", "other"))
			args.Context = "other"
		},
		"context behind a link": func(t *testing.T, args *Args) {
			must(t, os.Symlink("app", "link"))
			args.Context = "link"
		},
		"umask 0002": func(t *testing.T, _ *Args) { permissions(t, 0o664, 0o775) },
		"umask 0077": func(t *testing.T, _ *Args) { permissions(t, 0o600, 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			args := project(t, sample())
			before := staging(t, args)
			seen := listing(t, before.folder)
			must(t, os.RemoveAll(before.folder))
			change(t, &args)
			after := staging(t, args)
			if after != before {
				t.Errorf("%+v; before: %+v", after, before)
			}
			if again := listing(t, after.folder); !reflect.DeepEqual(again, seen) {
				t.Errorf("the Docker provider sees %v\nbefore: %v", again, seen)
			}
		})
	}
}

func permissions(t *testing.T, file, directory fs.FileMode) {
	t.Helper()

	app, err := os.OpenRoot("app")
	must(t, err)
	defer app.Close() //nolint:errcheck // Nothing was written.
	must(t, fs.WalkDir(app.FS(), ".", func(name string, item fs.DirEntry, err error) error {
		must(t, err)
		if item.IsDir() {
			return app.Chmod(name, directory)
		}
		return app.Chmod(name, file)
	}))
}

// rows holds, for every argument, a change to it and whether that change rebuilds the image.
var rows = map[string]struct {
	change   func(t *testing.T, args *Args)
	rebuilds bool
}{
	"Prebuilt": {func(_ *testing.T, a *Args) { a.Prebuilt = "team/app:1" }, false},
	"Context": {func(t *testing.T, a *Args) {
		must(t, os.CopyFS("copy", os.DirFS("app")))
		a.Context = "copy"
	}, false},
	"Dockerfile": {func(t *testing.T, a *Args) {
		write(t, "app/Other", sample()["Dockerfile"])
		a.Dockerfile = "Other"
	}, true},
	"Target":           {func(_ *testing.T, a *Args) { a.Target = "run" }, true},
	"BuildArgs":        {func(_ *testing.T, a *Args) { a.BuildArgs = map[string]string{"B": "1"} }, true},
	"ForceDelete":      {func(_ *testing.T, a *Args) { a.ForceDelete = true }, false},
	"Name":             {func(_ *testing.T, a *Args) { a.Name = "other" }, false},
	"Container":        {func(_ *testing.T, a *Args) { a.Container = "other" }, false},
	"Partition":        {func(_ *testing.T, a *Args) { a.Partition = pulumi.String("aws-cn") }, false},
	"Account":          {func(_ *testing.T, a *Args) { a.Account = pulumi.String("1") }, false},
	"Region":           {func(_ *testing.T, a *Args) { a.Region = "eu-west-1" }, false},
	"LogRetentionDays": {func(_ *testing.T, a *Args) { a.LogRetentionDays = 1 }, false},
	"Architecture":     {func(_ *testing.T, a *Args) { a.Architecture = "ARM64" }, true},
	"KMSKeyARN":        {func(_ *testing.T, a *Args) { a.KMSKeyARN = "arn:aws:kms:eu-central-1:123456789012:key/1" }, false},
	"BoundaryARN":      {func(_ *testing.T, a *Args) { a.BoundaryARN = "arn:aws:iam::123456789012:policy/a" }, false},
	"Secret":           {func(_ *testing.T, a *Args) { a.Secret = true }, false},
	"Protect":          {func(_ *testing.T, a *Args) { a.Protect = true }, false},
}

// The provider builds the image when its inputs change, and pushes it under a tag that is made from the digest. ECR refuses
// a tag that it already has, so the digest must change whenever the inputs do.
func TestTheDigestChangesExactlyWithTheProvidersInputs(t *testing.T) {
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Args]()) {
		if field.Anonymous {
			continue
		}
		row, known := rows[field.Name]
		if !known {
			t.Errorf("%s has no row in this test: say whether it changes the image", field.Name)
			continue
		}
		t.Run(field.Name, func(t *testing.T) {
			args := project(t, sample())
			before := staging(t, args)
			inputs := buildInputs(args, before.folder)
			row.change(t, &args)
			after := staging(t, args)
			if differ := after.digest != before.digest; differ != row.rebuilds {
				t.Errorf("another digest: %v; want %v", differ, row.rebuilds)
			}
			if differ := !reflect.DeepEqual(buildInputs(args, after.folder), inputs); differ != row.rebuilds {
				t.Errorf("other inputs: %v; want %v", differ, row.rebuilds)
			}
		})
	}
}

// The two clones stand for two machines with different umasks and times, one of them with a Git that is configured to write
// Windows line endings.
func TestTwoClonesOfACommitHaveOneDigest(t *testing.T) {
	source, err := filepath.Abs("../..")
	must(t, err)
	t.Chdir(t.TempDir())
	must(t, os.CopyFS("origin/images", os.DirFS(filepath.Join(source, "images"))))
	attributes, err := os.ReadFile(filepath.Join(source, ".gitattributes"))
	must(t, err)
	write(t, "origin/.gitattributes", string(attributes))
	for _, command := range []string{
		"git -c init.defaultBranch=main init -q origin && cd origin && git add . && " +
			"git -c user.name=test -c user.email=test@example.com commit -qm 'Take the images'",
		"umask 0022 && git clone -q origin one",
		"umask 0002 && git -c core.autocrlf=true clone -q origin other && find other -name '*.js' -exec touch -d 2001-01-01 {} +",
	} {
		if out, err := exec.CommandContext(t.Context(), "sh", "-c", command).CombinedOutput(); err != nil { //nolint:gosec // A command of this test.
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}

	for _, name := range []string{"app", "app-go", "nginx"} {
		args := Args{Settings: Settings{Context: "one/images/" + name, Dockerfile: "Dockerfile"}, Architecture: "ARM64"}
		one := staging(t, args)
		seen := listing(t, one.folder)
		must(t, os.RemoveAll(one.folder))
		args.Context = "other/images/" + name
		if other := staging(t, args); other != one || !reflect.DeepEqual(listing(t, other.folder), seen) {
			t.Errorf("%s: %s and %s", name, one.digest, other.digest)
		}
	}
}

func TestAnIgnoreListNamedAfterTheDockerfileCountsFirst(t *testing.T) {
	args := project(t, sample())
	write(t, "app/Dockerfile.dockerignore", "server.js\n")
	before := staging(t, args)

	write(t, "app/server.js", "listen(1)")
	if staging(t, args) != before {
		t.Error("a file that the list ignores counts")
	}
	write(t, "app/debug.log", "only the general list ignores this")
	if staging(t, args) == before {
		t.Error("the general list still counts")
	}
}

func TestABuildNeedsADockerfile(t *testing.T) {
	contents := sample()
	delete(contents, "Dockerfile")
	if content, err := stage(project(t, contents)); err == nil {
		t.Errorf("digest %s without a Dockerfile", content.digest)
	}
	if left, err := os.ReadDir(stages); err != nil || len(left) != 0 {
		t.Errorf("%d folders are left, error %v", len(left), err)
	}
}

func TestTheWholeProjectCanBeTheContext(t *testing.T) {
	args := project(t, sample())
	write(t, "Dockerfile", "FROM scratch\n")
	args.Context = "."
	first := staging(t, args)
	if again := staging(t, args); again != first {
		t.Error("the copy of the first run is in that of the second")
	}
}

// A monorepo's context lies above the project, whose copies of it are no part of it.
func TestAContextMayLieAboveTheProject(t *testing.T) {
	args := project(t, sample())
	write(t, "shared/lib.js", "x")
	write(t, "apps/web/Dockerfile", "FROM scratch\n")
	write(t, "infra/Pulumi.yaml", "name: a\n")
	t.Chdir("infra")
	args.Context, args.Dockerfile = "..", "apps/web/Dockerfile"
	first := staging(t, args)
	if again := staging(t, args); again != first {
		t.Error("the copy of the first run is in that of the second")
	}
	for _, name := range []string{"shared/lib.js", "apps/web/Dockerfile"} {
		if _, err := os.Stat(filepath.Join(first.folder, name)); err != nil {
			t.Error(err)
		}
	}
	for path, allowed := range map[string]bool{"..": true, "../..": true, "../../apps": true, "../": false, "a/..": false, "../a/../b": false, "/..": false, `..\a`: false, "": false} {
		if isContext(path) != allowed {
			t.Errorf("%q: %v; want %v", path, !allowed, allowed)
		}
	}
}

func TestLinksLeadToWhatIsInTheContext(t *testing.T) {
	for target, good := range map[string]bool{
		"server.js": true, "lib": true, "./docs/../lib/a.js": true,
		"../secret": false, "/etc/passwd": false, "missing": false, "debug.log": false, "link": false,
	} {
		args := project(t, sample())
		write(t, "secret", "")
		must(t, os.Symlink(target, "app/link"))
		_, err := stage(args)
		want := "symbolic link link points to " + target + "; allowed: a relative path to something in the context that " +
			".dockerignore does not exclude"
		if good && err != nil || !good && (err == nil || err.Error() != want) {
			t.Errorf("link to %s: %v", target, err)
		}
		found, err := unusable(args.Context, args.Dockerfile)
		if err != nil || (len(found) == 0) != good {
			t.Errorf("link to %s: %v is found before, error %v", target, found, err)
		}
	}
}

func TestEverythingThatNoBuildCanUseIsFoundAtOnce(t *testing.T) {
	args := project(t, sample())
	must(t, os.Symlink("missing", "app/one"))
	must(t, os.Symlink("/etc/passwd", "app/lib/two"))
	must(t, os.Symlink("missing", "app/three.log")) // which .dockerignore excludes
	must(t, syscall.Mkfifo("app/pipe", 0o600))
	want := []problem{
		{`"app" contains the symbolic link lib/two, which points to /etc/passwd`, linkAllowed},
		{`"app" contains the symbolic link one, which points to missing`, linkAllowed},
		{`"app" contains pipe`, "files, directories and symbolic links"},
	}
	found, err := unusable(args.Context, args.Dockerfile)
	if err != nil || !slices.Equal(found, want) {
		t.Errorf("found %q, error %v; want %q", found, err, want)
	}
}

// Two stacks can run in one checkout at the same time. A copy that is in use was asked for recently, so it must stay.
func TestOldCopiesGoAndYoungOnesStay(t *testing.T) {
	args := project(t, sample())
	mine := staging(t, args)
	args.Target = "other"
	others := staging(t, args)
	args.Target = "old"
	old := staging(t, args)
	write(t, ".build/notes.txt", "somebody's own")
	for _, path := range []string{mine.folder, old.folder, ".build/notes.txt"} {
		must(t, os.Chtimes(path, time.Now(), time.Now().Add(-unused-time.Hour)))
	}

	// The next run that asks for mine may find that it was removed. Either way, the copy exists after that run.
	args.Target = ""
	staging(t, args)
	for path, want := range map[string]bool{
		mine.folder: true, others.folder: true, old.folder: false, ".build/notes.txt": true,
	} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s is there: %v; want %v", path, err == nil, want)
		}
	}
}

func TestACopyThatIsAskedForAgainIsYoung(t *testing.T) {
	args := project(t, sample())
	copied := staging(t, args)
	almost := time.Now().Add(-unused + time.Hour)
	must(t, os.Chtimes(copied.folder, almost, almost))
	staging(t, args)
	if info, err := os.Stat(copied.folder); err != nil || time.Since(info.ModTime()) > time.Hour {
		t.Errorf("%v, error %v; want the time of now", info.ModTime(), err)
	}
}

func TestTheProvidersVersionIsThatOfTheModule(t *testing.T) {
	text, err := os.ReadFile("../../go.mod")
	must(t, err)
	found := regexp.MustCompile(`(?m)^\tgithub\.com/pulumi/pulumi-docker/sdk/v4 v(\S+)$`).FindStringSubmatch(string(text))
	if found == nil || found[1] != dockerSDK {
		t.Errorf("the digest has %s; go.mod: %v", dockerSDK, found)
	}
}
