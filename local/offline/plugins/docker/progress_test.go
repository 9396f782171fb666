package docker

import "testing"

func TestOnlyStepsOutputAndErrorsAreShown(t *testing.T) {
	for line, want := range map[string]bool{
		"#5 [stage-1 2/5] RUN npm ci":                                               true,
		"#13 0.081 added 68 packages":                                               true,
		"#13 ERROR: executor failed running [/bin/sh -c false]: exit code: 1":       true,
		"executor failed running [/bin/sh -c false]: exit code: 1":                  true,
		"Step 1/3 : FROM scratch":                                                   true,
		"received unexpected HTTP status: 500 Internal Server Error":                true,
		"#5 sha256:02f6d3fabc71":                                                    false,
		"#5 CACHED":                                                                 false,
		"#8 transferring context: 216B done":                                        false,
		"#1 [internal] load build definition from Dockerfile":                       false,
		"712ea9bba957: Retrying in 5 seconds":                                       false,
		"The push refers to repository [127.0.0.1:5000/web]":                        false,
		"ERROR: BuildKit is enabled but the buildx component is missing or broken.": false,
		"https://docs.docker.com/go/buildx/":                                        false,
	} {
		if worthShowing(line) != want {
			t.Errorf("%q: shown %v, want %v", line, !want, want)
		}
	}
}
