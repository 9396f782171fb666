package image

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestADockerfileThatNoBuildCanUseIsRefused(t *testing.T) {
	const from = "FROM debian AS base\n"
	for name, test := range map[string]struct{ dockerfile, found string }{
		"an unknown instruction":      {from + "USR 1000", "dockerfile parse error on line 2: unknown instruction: USR"},
		"an instruction without FROM": {"RUN true", "no build stage in current context"},
		"an option of another":        {from + "COPY --fron=base /a /b", "unknown flag: --fron"},
		"a file that is not there":    {from + "RUN true\nCOPY package.json gone.json ./", "Dockerfile, line 3, copies gone.json, which is not in"},
		"a folder that is excluded":   {from + "COPY out ./", "line 2, copies out, which is not in"},
		"a file in such a folder":     {from + "ADD ./out/app.js /", "line 2, copies ./out/app.js"},
		"nothing":                     {"", "file with no instructions"},
		"a heredoc that goes on":      {from + "RUN <<EOT\necho", "unterminated heredoc"},
	} {
		t.Run(name, func(t *testing.T) {
			_, wrong, err := readDockerfile(contextWith(t, test.dockerfile))
			if err != nil || len(wrong) != 1 || !strings.Contains(wrong[0].found, test.found) {
				t.Errorf("%v, %v; want %q", wrong, err, test.found)
			}
		})
	}
}

func TestADockerfileThatABuildCanUseIsNotRefused(t *testing.T) {
	const from = "FROM debian AS base\n"
	for name, text := range map[string]string{
		"files and folders": from + "COPY package.json src /app/\nCOPY /src/ .\nCOPY . /all",
		"another stage":     from + "FROM base AS run\nCOPY --from=base /gone /",
		"patterns":          from + "COPY *.lock gone?.json [a-c].txt /",
		"variables":         from + "ARG OUT=out\nCOPY ${OUT}/app.js $OUT /",
		"addresses":         from + "ADD https://example.com/a.tar.gz git@github.com:o/r.git https://github.com/o/r.git#main /",
		"text of its own":   from + "COPY <<EOT /etc/motd\nhello\nEOT",
		"mounts and links":  "# syntax=docker/dockerfile:1.20\n" + from + "RUN --mount=type=cache,target=/c --mount=type=secret,id=npm true\nCOPY --link --chmod=0644 --exclude=*.md src /",
		"another language":  "# syntax=ghcr.io/other/frontend:1\nSPELL it\nCOPY gone /",
		"an experiment":     "# syntax=docker/dockerfile:1-labs\nSPELL it",
	} {
		t.Run(name, func(t *testing.T) {
			if _, wrong, err := readDockerfile(contextWith(t, text)); err != nil || len(wrong) > 0 {
				t.Errorf("%v, %v", wrong, err)
			}
		})
	}
}

func TestAStageIsKnownByNameAndNumber(t *testing.T) {
	stages, _, err := readDockerfile(contextWith(t, "FROM debian AS base\nFROM base\nFROM base AS run"))
	if err != nil || stageNames(stages) != "base, 1, run" {
		t.Fatal(stageNames(stages), err)
	}
	for target, there := range map[string]bool{"base": true, "run": true, "0": true, "2": true, "3": false, "runs": false, "debian": false} {
		if hasStage(stages, target) != there {
			t.Errorf("%s: %v", target, !there)
		}
	}
}

// contextWith has a folder that .dockerignore excludes, out.
func contextWith(t *testing.T, text string) Settings {
	t.Helper()
	context := t.TempDir()
	for name, content := range map[string]string{
		"Dockerfile": text + "\n", "package.json": "{}", "src/app.js": "", "out/app.js": "", ".dockerignore": "out\n",
	} {
		file := filepath.Join(context, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	return Settings{Context: context, Dockerfile: dockerfile}
}

func TestVolumesAreThoseOfTheStageThatIsBuilt(t *testing.T) {
	const stages = "FROM debian AS base\nVOLUME /data/ /logs\nFROM node AS compiled\nVOLUME /cache\nFROM base\nvolume [\"/app/public\"]\n"
	for name, test := range map[string]struct{ dockerfile, target, want string }{
		"the last one":   {stages, "", "/app/public /data /logs"},
		"one by name":    {stages, "compiled", "/cache"},
		"one by number":  {stages, "0", "/data /logs"},
		"none declared":  {"FROM debian", "", ""},
		"in a comment":   {"FROM debian\n# VOLUME /data", "", ""},
		"over two lines": {"FROM debian\nVOLUME /data \\\n /logs", "", "/data /logs"},
	} {
		image := contextWith(t, test.dockerfile)
		image.Target = test.target
		if got, known := image.Volumes(); !known || strings.Join(got, " ") != test.want {
			t.Errorf("%s: got %q, %v; want %s", name, got, known, test.want)
		}
	}
	if got, known := contextWith(t, "FROM debian\nARG DIR=/data\nVOLUME $DIR").Volumes(); known {
		t.Errorf("a variable: got %q", got)
	}
}
