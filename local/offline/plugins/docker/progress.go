package docker

import "regexp"

// step is a line of BuildKit's plain progress that names an instruction, or that an instruction printed.
var step = regexp.MustCompile(`^#\d+ (\[[^]]*\d+/\d+\] |\d+\.\d+ |ERROR)`)

// routine is a line that says only that something goes as it should: BuildKit's bookkeeping, the state of single
// layers in a push, and the refusal of BuildKit by one docker command, after which the next is tried.
var routine = regexp.MustCompile(`^#\d+ |^[0-9a-f]{12}: |^The push refers to|buildx`)

// worthShowing says whether a line of a build or a push is worth a person's attention while it runs. An error carries the
// last lines whatever they are.
func worthShowing(line string) bool {
	return step.MatchString(line) || !routine.MatchString(line)
}
