package image

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestAMachineThatCannotBuildIsToldSoInOneLine(t *testing.T) {
	const colima = `{"currentContext":"colima"}`
	const export = "the Docker context colima is in use, but Pulumi's Docker provider reads DOCKER_HOST alone; run: export DOCKER_HOST="
	const install = "the images are for ARM64, and nothing on this machine runs programs for it; run: docker run --privileged --rm tonistiigi/binfmt --install arm64"
	for name, test := range map[string]struct {
		os, architecture, config string
		environment              map[string]string
		files                    []string
		want                     []string
	}{
		"as most":                    {"linux", "X86_64", "{}", nil, []string{defaultSocket}, nil},
		"Colima":                     {"darwin", "X86_64", colima, nil, nil, []string{export}},
		"a context of the shell's":   {"linux", "X86_64", "{}", map[string]string{"DOCKER_CONTEXT": "colima"}, nil, []string{export}},
		"the way out":                {"darwin", "X86_64", colima, map[string]string{"DOCKER_HOST": "unix:///colima.sock"}, nil, nil},
		"an engine beside Colima":    {"darwin", "X86_64", colima, nil, []string{defaultSocket}, nil},
		"no configuration":           {"linux", "X86_64", "", nil, []string{defaultSocket}, nil},
		"ARM64 on an x86 engine":     {"linux", "ARM64", "{}", nil, []string{defaultSocket}, []string{install}},
		"with QEMU":                  {"linux", "ARM64", "{}", nil, []string{defaultSocket, "/proc/sys/fs/binfmt_misc/qemu-aarch64"}, nil},
		"Docker Desktop has QEMU":    {"darwin", "ARM64", "{}", nil, []string{defaultSocket}, nil},
		"a remote engine's own QEMU": {"linux", "ARM64", "{}", map[string]string{"DOCKER_HOST": "ssh://builder"}, nil, nil},
	} {
		m := machine{
			test.os, "amd64", func(key string) string { return test.environment[key] },
			func(path string) ([]byte, error) {
				if test.config == "" || !strings.HasSuffix(path, ".docker/config.json") {
					return nil, errors.New("not found")
				}
				return []byte(test.config), nil
			},
			func(path string) bool { return slices.Contains(test.files, path) },
		}
		if got := m.problems(test.architecture); !slices.EqualFunc(got, test.want, strings.HasPrefix) {
			t.Errorf("%s: %q; want %q", name, got, test.want)
		}
	}
}
