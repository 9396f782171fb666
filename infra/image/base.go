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

// basesFile lists the base images with the digests that their tags stood for when Renovate last read the registry. A
// Dockerfile names a base image by its exact version, and this file pins that version, as go.sum pins what go.mod names.
const basesFile = "images/bases.lock"

// baseArgument is the build argument that sets the base image of a Dockerfile.
const baseArgument = "BASE_IMAGE"

var (
	baseLine   = regexp.MustCompile(`(?m)^ARG[ \t]+` + baseArgument + `=(\S+)[ \t]*\r?$`)
	baseDigest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// pinned returns the build arguments. If the Dockerfile has the argument for its base image and the image's digest is
// known, it adds that argument, with the digest. An argument from the stack's settings is left as it is.
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

// readBases returns the known digests by image reference. Each line holds a reference, followed by its digest if that is
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
			return nil, fmt.Errorf("%s: line %q; allowed: an image reference, alone or followed by a digest: sha256: and 64 hexadecimal digits",
				basesFile, strings.TrimSpace(line))
		}
	}

	return digests, nil
}
