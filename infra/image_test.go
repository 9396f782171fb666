package infra_test

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"fargate-nginx-sidecar/infra/infratest"
)

// sameFile fails the test unless both files have the same contents.
func sameFile(t *testing.T, got, want string) {
	t.Helper()

	one, err := os.ReadFile(got)
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile(want)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one, other) {
		t.Errorf("%s is not a copy of %s", got, want)
	}
}

// ownProject goes to a copy of the project that a test may change: Pulumi.yaml and the images.
func ownProject(t *testing.T) {
	t.Helper()

	if err := goToProject(); err != nil {
		t.Fatal(err)
	}
	source, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if err := os.CopyFS("images", os.DirFS(filepath.Join(source, "images"))); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(source, "Pulumi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("Pulumi.yaml", text, 0o644); err != nil { //nolint:gosec // Below the test's temporary folder.
		t.Fatal(err)
	}
}

// The Docker provider pushes whenever an input differs. What does not change the image must not change the inputs, and what does
// has to change the folder, too, whose name begins the tag.
func TestAnImageIsPushedOnlyWithOtherContent(t *testing.T) {
	for name, test := range map[string]struct {
		change  func() error
		setting map[string]string
		pushed  bool
	}{
		"moved context": {
			func() error { return os.Rename("images/app", "images/moved") }, map[string]string{"app.context": "images/moved"}, false,
		},
		"renamed Dockerfile": {
			func() error { return os.Rename("images/app/Dockerfile", "images/app/Other") }, map[string]string{"app.dockerfile": "Other"}, true,
		},
		"another umask": {
			func() error { return os.Chmod("images/app/server.js", 0o664) }, nil, false,
		},
		"another stage":    {func() error { return nil }, map[string]string{"app.target": "dependencies"}, true},
		"another argument": {func() error { return nil }, map[string]string{"app.buildArgs": `{"A":"1"}`}, true},
		"another content": {
			func() error { return os.WriteFile("images/app/server.js", nil, 0o644) }, nil, true,
		},
		"another base image": {
			func() error { return pin("images/app/Dockerfile") }, nil, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			ownProject(t)
			before := named(t, run(t, defaults(t, nil)), dockerImage, "web-app")
			if err := test.change(); err != nil {
				t.Fatal(err)
			}
			after := named(t, run(t, defaults(t, test.setting)), dockerImage, "web-app")
			if changed := !reflect.DeepEqual(before.Inputs, after.Inputs); changed != test.pushed {
				t.Errorf("pushed: %v; want %v", changed, test.pushed)
			}
			if moved := at(t, before, "build", "context") != at(t, after, "build", "context"); moved != test.pushed {
				t.Errorf("another folder: %v; want %v", moved, test.pushed)
			}
		})
	}
}

// pin gives the base image of a Dockerfile another digest.
func pin(dockerfile string) error {
	text, err := os.ReadFile(dockerfile)
	if err != nil {
		return err
	}
	_, base, _ := strings.Cut(string(text), "ARG BASE_IMAGE=")
	base, _, _ = strings.Cut(base, "\n")

	lock := base + " sha256:" + strings.Repeat("b", 64) + "\n"

	return os.WriteFile("images/bases.lock", []byte(lock), 0o644) //nolint:gosec // Below the test's temporary folder.
}

func TestOldImagesExpireOnlyOnceTheNewOnesRun(t *testing.T) {
	forEveryShape(t, func(t *testing.T, settings map[string]string, graph *infratest.Graph) {
		want := 2
		if of(t, settings, "app.image") != "" {
			want = 0 // both images are prebuilt
		}
		policies := graph.OfType(lifecyclePolicy)
		if len(policies) != want {
			t.Errorf("%d lifecycle policies; want %d", len(policies), want)
		}
		for _, policy := range policies {
			if service := one(t, graph, ecsService).URN; !slices.Contains(policy.DependsOn, service) {
				t.Errorf("%s depends on %v; want %s among them", policy.Name, policy.DependsOn, service)
			}
			if !policy.DeleteBeforeReplace {
				t.Errorf("%s: the old policy is deleted after the new one is put, and takes it away", policy.Name)
			}
		}
	})
}

// An image that the stack has built earlier is run by its digest, for instance to go back. Without its repository it would be
// gone, with force where that is on, and the tasks that run it could not be replaced.
func TestTheRepositoryOfAnImageThatRunsStays(t *testing.T) {
	built := named(t, run(t, defaults(t, nil)), repository, "web-app")
	digest := "@sha256:" + strings.Repeat("a", 64)
	for reference, kept := range map[string]bool{
		"123456789012.dkr.ecr.eu-central-1.amazonaws.com/web-app-0123abc" + digest: true,
		"123456789012.dkr.ecr.eu-central-1.amazonaws.com/web-app-0123abc:v1":       true,
		"123456789012.dkr.ecr.eu-central-1.amazonaws.com/web-nginx-0123abc:v1":     false,
		"123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/web-app-0123abc:v1":  false,
		"public.ecr.aws/docker/library/httpd:2.4":                                  false,
	} {
		graph := run(t, defaults(t, map[string]string{"app.image": reference}))
		found, ok := graph.ByURN(built.URN)
		if ok != kept || kept && !reflect.DeepEqual(found.Inputs, built.Inputs) {
			t.Errorf("%s: the repository stays: %t, with %v; want %t, as it is", reference, ok, found.Inputs, kept)
		}
		for _, r := range slices.Concat(graph.OfType(lifecyclePolicy), graph.OfType(dockerImage)) {
			if r.Name == "web-app" {
				t.Errorf("%s: %s is declared", reference, r.URN)
			}
		}
	}
}

// ECS pulls with the execution role, whatever the host is called. Of a repository to which the stack does not push, it may be
// the first to pull an image, through a cache.
func TestECSMayPullFromEveryPrivateRegistry(t *testing.T) {
	for host, region := range map[string]string{
		"123456789012.dkr.ecr.eu-central-1.amazonaws.com":       "eu-central-1",
		"123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com": "us-gov-west-1",
		"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn":      "cn-north-1",
		"123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu":      "eusc-de-east-1",
		"123456789012.dkr-ecr.eu-central-1.on.aws":              "eu-central-1",
		"123456789012.dkr-ecr-fips.us-east-1.on.aws":            "us-east-1",
		"public.ecr.aws": "",
	} {
		graph := run(t, defaults(t, map[string]string{"http.image": host + "/hub/library/nginx:1"}))
		granted := map[string][]string{}
		for _, document := range policies(t, graph, rolePolicy, "policy", "web-execution") {
			for _, statement := range document.Statement {
				for _, action := range statement.Action {
					granted[action] = append(granted[action], statement.Resource...)
				}
			}
		}
		arn := "arn:aws:ecr:" + region + ":123456789012:repository/hub/library/nginx"
		for action, want := range map[string]bool{"ecr:BatchGetImage": region != "", "ecr:BatchImportUpstreamImage": region != ""} {
			if slices.Contains(granted[action], arn) != want {
				t.Errorf("%s: %s of %v; want %s among them: %v", host, action, granted[action], arn, want)
			}
		}
		if len(granted["ecr:BatchImportUpstreamImage"]) > 1 {
			t.Errorf("%s: caches %v; the stack pushes to its own repositories", host, granted["ecr:BatchImportUpstreamImage"])
		}
	}
}
