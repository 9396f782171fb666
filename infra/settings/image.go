package settings

import (
	"regexp"
	"strings"
)

// ImageAllowed says what IsImage takes.
const ImageAllowed = "an image with a tag or digest, such as public.ecr.aws/team/app:1.2.3"

// imagePattern matches a reference that the container engine accepts: host and path, followed by a tag, a digest or both.
// https://pkg.go.dev/github.com/distribution/reference
var imagePattern = regexp.MustCompile(
	`^[a-z0-9]+([.:_/-]+[a-zA-Z0-9]+)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(@sha256:[0-9a-f]{64})?|@sha256:[0-9a-f]{64})$`)

// IsImage reports whether a text names one image.
func IsImage(reference string) bool {
	// A tag, unlike the port of a registry, comes after the last slash.
	return imagePattern.MatchString(reference) && strings.ContainsAny(reference[strings.LastIndex(reference, "/")+1:], ":@")
}
