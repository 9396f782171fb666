package pulumi

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// A report reads what the CLI prints of a preview and an update, line by line. The lines go to out; what a person wants to
// read of them is how far it is, in status, and at its end the summary and the diagnostics.
type report struct {
	out    io.Writer
	status func(string)

	line        []byte // the beginning of a line whose end has not come yet
	section     string // the heading that the last lines stand under
	summary     []string
	diagnostics []string
	planned     int // resources that the preview says will change
	done        int
	conflict    bool // something exists already
}

// Headings of the CLI's report, and the line between its preview and its update.
// https://github.com/pulumi/pulumi/blob/v3.230.0/pkg/backend/display/progress.go
const (
	headingDiagnostics = "Diagnostics:"
	headingResources   = "Resources:"
	updating           = "Updating ("
)

var (
	// event is a line about one resource, as in ` +  aws:ecs:Cluster web created (1s)`.
	event = regexp.MustCompile(`^ ?[-+~<>=]{1,2} +(\S+) (\S+) (creating|created|updating|updated|replacing|replaced|deleting|deleted)\b`)
	// counted is a line of the summary, as in `    + 94 to create`, or `    95 changes. 2 unchanged`.
	counted = regexp.MustCompile(`^\s+(?:[-+~<>=]+ |[0-9]+ changes\. )?([0-9]+) (to (?:create|update|delete|replace)|created|updated|deleted|replaced|unchanged)$`)
	// inTheWay is how AWS says that something exists already.
	inTheWay = regexp.MustCompile(`already exists|AlreadyExists|InvalidPermission\.Duplicate|InvalidSubnet\.Conflict|DuplicateListener|PriorityInUse`)
	// heading is the resource that diagnostics are about.
	heading = regexp.MustCompile(`^  \S.*:$`)
	// noise is what the diagnostics have beside what is wrong: stand-ins on PATH, which the toolchain has named before, and
	// that the whole has failed.
	noise = regexp.MustCompile(`^\s*(pulumi-\S+: stand-in for |warning: using pulumi-\S+ from \$PATH|error: (?:update|preview|destroy|refresh) failed$)`)
)

func (r *report) Write(content []byte) (int, error) {
	r.line = append(r.line, content...)
	for {
		line, rest, whole := strings.Cut(string(r.line), "\n")
		if !whole {
			return len(content), nil
		}
		r.line = []byte(rest)
		r.read(line)
		if _, err := fmt.Fprintln(r.out, line); err != nil {
			return 0, err
		}
	}
}

func (r *report) read(line string) {
	r.conflict = r.conflict || inTheWay.MatchString(line)
	switch {
	case strings.HasPrefix(line, updating):
		r.section, r.summary, r.diagnostics = "", nil, nil // those of the preview
	case line == headingDiagnostics, line == headingResources:
		r.section = line
		return
	case line != "" && !strings.HasPrefix(line, " "):
		r.section = ""
	}
	switch r.section {
	case headingDiagnostics:
		if strings.TrimSpace(line) != "" && !noise.MatchString(line) {
			r.diagnostics = append(r.diagnostics, line)
		}
		return
	case headingResources:
		r.count(line)
		return
	}
	if found := event.FindStringSubmatch(line); found != nil {
		if strings.HasSuffix(found[3], "ed") {
			r.done++
		}
		r.status(fmt.Sprintf("%s%s %s %s", r.progress(), found[1], found[2], found[3]))
	}
}

// progress is how many resources are done, if the preview has said how many will be.
func (r *report) progress() string {
	if r.planned == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d, ", min(r.done, r.planned), r.planned)
}

func (r *report) count(line string) {
	found := counted.FindStringSubmatch(line)
	if found == nil {
		return
	}
	if strings.HasPrefix(found[2], "to ") {
		number, _ := strconv.Atoi(found[1]) // digits
		r.planned += number
	}
	r.summary = append(r.summary, found[1]+" "+found[2])
}

// explanation is what the diagnostics say, without headings that have nothing below them.
func (r *report) explanation() string {
	var lines []string
	for i, line := range r.diagnostics {
		last := i+1 == len(r.diagnostics)
		if !heading.MatchString(line) || !last && !heading.MatchString(r.diagnostics[i+1]) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
