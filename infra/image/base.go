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
// Dockerfile names the line of a base image, and this file pins what that stands for, as go.sum pins what go.mod names.
const basesFile = "images/bases.lock"

var (
	// A build argument such as BASE_IMAGE sets a base image of a Dockerfile.
	baseLine   = regexp.MustCompile(`(?m)^ARG[ \t]+([A-Z]+_IMAGE)=(\S+)[ \t]*\r?$`)
	baseDigest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// pinned returns the build arguments. If the Dockerfile has arguments for its base images and their digests are known, it
// adds these arguments, with the digests. An argument from the stack's settings is left as it is.
func pinned(args Args) (map[string]string, error) {
	text, err := os.ReadFile(filepath.Join(args.Context, args.Dockerfile))
	if err != nil {
		return nil, err
	}
	digests, err := readBases()
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, named := range baseLine.FindAllSubmatch(text, -1) {
		argument, base := string(named[1]), string(named[2])
		if digest := digests[base]; digest != "" {
			all[argument] = base + "@" + digest
		}
	}
	maps.Copy(all, args.BuildArgs)
	if len(all) == 0 {
		return nil, nil
	}

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
