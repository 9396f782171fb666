package nginx_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"fargate-nginx-sidecar/images/imagetest"
)

// The base image that ships has the newest stable nginx. Whoever sets another one gets the same contract: these are
// the oldest release that the configuration is for, and one in between.
//
// The images are pulled or made by `go run . base-images ../images/nginx/testdata/releases/*.Dockerfile` in local/.
func TestOlderReleasesKeepTheContract(t *testing.T) {
	files, err := filepath.Glob("testdata/releases/*.Dockerfile")
	if err != nil || len(files) < 2 {
		t.Fatalf("got %q, %v, want two files or more", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		base := regexp.MustCompile(`(?m)^ARG BASE_IMAGE=(\S+)$`).FindStringSubmatch(string(text))[1]
		t.Run(base, func(t *testing.T) {
			image := imagetest.BuildOn(t, base)
			if image == "" {
				t.Skip("not on this machine; `go run . base-images ../images/nginx/testdata/releases/*.Dockerfile` in local/ brings it")
			}
			for name, env := range renderings {
				out, err := checkIn(t, image, env...)
				if err != nil || !strings.Contains(out, "test is successful") || strings.Contains(out, "[warn]") {
					t.Errorf("%s: %v: %s", name, err, out)
				}
			}
			task := imagetest.Start(t, imagetest.Options{Image: image})
			for _, c := range targets(t, prefixTargets) {
				if strings.HasPrefix(c.line, "CONNECT ") {
					continue // nginx takes it for a method like others before 1.29
				}
				contract(t, task, c)
			}
			t.Log(strings.TrimSpace(imagetest.Docker(t, "exec", task.Nginx, "sh", "-c", "nginx -v 2>&1")))
		})
	}
}
