package image

import (
	"reflect"
	"strings"
	"testing"
)

func TestTheBaseImageIsPinned(t *testing.T) {
	const base = "public.ecr.aws/docker/library/node:26-trixie-slim"
	digest := "sha256:" + strings.Repeat("a", 64)
	named := "# the base\nARG BASE_IMAGE=" + base + "\nFROM ${BASE_IMAGE}\n"
	for name, test := range map[string]struct {
		dockerfile, lock string
		given            map[string]string
		want             map[string]string
	}{
		"known digest":   {named, "# why\n\n" + base + " " + digest + "\n", nil, map[string]string{"BASE_IMAGE": base + "@" + digest}},
		"beside others":  {named, base + " " + digest, map[string]string{"A": "1"}, map[string]string{"A": "1", "BASE_IMAGE": base + "@" + digest}},
		"a person's own": {named, base + " " + digest, map[string]string{"BASE_IMAGE": "x"}, map[string]string{"BASE_IMAGE": "x"}},
		"two images": {
			named + "ARG GO_IMAGE=golang:1.26-trixie\n", base + " " + digest + "\ngolang:1.26-trixie " + digest,
			nil, map[string]string{"BASE_IMAGE": base + "@" + digest, "GO_IMAGE": "golang:1.26-trixie@" + digest},
		},
		"no digest yet":    {named, base + "\n", nil, nil},
		"another version":  {named, strings.ReplaceAll(base, "26", "28") + " " + digest, nil, nil},
		"no argument":      {"FROM " + base + "\n", base + " " + digest, nil, nil},
		"no file":          {named, "", nil, nil},
		"windows' endings": {strings.ReplaceAll(named, "\n", "\r\n"), base + " " + digest + "\r\n", nil, map[string]string{"BASE_IMAGE": base + "@" + digest}},
	} {
		t.Run(name, func(t *testing.T) {
			args := project(t, map[string]string{"Dockerfile": test.dockerfile})
			args.BuildArgs = test.given
			if test.lock != "" {
				write(t, basesFile, test.lock)
			}
			got, err := pinned(args)
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("%v, error %v; want %v", got, err, test.want)
			}
		})
	}
}

func TestALineThatPinsNothingIsRefused(t *testing.T) {
	args := project(t, map[string]string{"Dockerfile": "ARG BASE_IMAGE=x:1\nFROM ${BASE_IMAGE}\n"})
	write(t, basesFile, "x:1 sha256:abc\n")
	want := `images/bases.lock: line "x:1 sha256:abc"; allowed: an image reference, alone or followed by a digest: sha256: and 64 hexadecimal digits`
	if got, err := pinned(args); err == nil || err.Error() != want {
		t.Errorf("%v, error %v; want %s", got, err, want)
	}
}
