package image

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// basesFile says of each base image which one its tag stood for when `make bases` asked the registry. A Dockerfile names
// the image with its exact version; the file pins it, as go.sum does what go.mod names.
const basesFile = "images/bases.lock"

// baseArgument is the build argument that a Dockerfile's base image can be replaced by.
const baseArgument = "BASE_IMAGE"

var (
	baseLine   = regexp.MustCompile(`(?m)^ARG[ \t]+` + baseArgument + `=(\S+)[ \t]*\r?$`)
	baseDigest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// pinned returns the build arguments with the digest of the base image, where the Dockerfile has an argument for it and
// the digest is known. An argument that a person gave stays.
func pinned(args Args) (map[string]string, error) {
	if _, given := args.BuildArgs[baseArgument]; given {
		return args.BuildArgs, nil
	}
	text, err := os.ReadFile(filepath.Join(args.Context, args.Dockerfile))
	if err != nil {
		return nil, err
	}
	named := baseLine.FindSubmatch(text)
	if named == nil {
		return args.BuildArgs, nil
	}
	digests, err := readBases()
	if err != nil {
		return nil, err
	}
	base := string(named[1])
	digest := digests[base]
	if digest == "" {
		return args.BuildArgs, nil
	}

	all := map[string]string{baseArgument: base + "@" + digest}
	maps.Copy(all, args.BuildArgs)

	return all, nil
}

// readBases returns the known digests by reference. Each line has a reference, and behind it the digest when one is
// known.
func readBases() (map[string]string, error) {
	text, err := os.ReadFile(basesFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}

	digests := map[string]string{}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || strings.HasPrefix(words[0], "#"):
		case len(words) == 1:
		case len(words) == 2 && baseDigest.MatchString(words[1]):
			digests[words[0]] = words[1]
		default:
			return nil, fmt.Errorf("%s: line %q; allowed: a reference, and its digest sha256: and 64 hexadecimal digits",
				basesFile, strings.TrimSpace(line))
		}
	}

	return digests, nil
}
