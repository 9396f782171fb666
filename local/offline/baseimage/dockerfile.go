package baseimage

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
)

// baseArg is the line by which the project's Dockerfiles name their base image.
var baseArg = regexp.MustCompile(`(?m)^ARG[ \t]+BASE_IMAGE=(\S+)[ \t]*$`)

// baseRefs reads the base image of each Dockerfile, each image once.
func baseRefs(dockerfiles []string) ([]string, error) {
	var refs []string
	var errs []error
	for _, path := range dockerfiles {
		text, err := os.ReadFile(path)
		if err != nil {
			errs = append(errs, fmt.Errorf("base image: %w", err))
			continue
		}
		found := baseArg.FindSubmatch(text)
		if found == nil {
			errs = append(errs, fmt.Errorf("base image: %s: no line `ARG BASE_IMAGE=<reference>`", path))
			continue
		}
		if ref := string(found[1]); !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	return refs, errors.Join(errs...)
}
