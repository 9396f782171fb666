package schedule

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"fargate-nginx-sidecar/infra/settings"
)

// Settings are the commands that run at given times.
type Settings struct{ Tasks []Task }

// Task is a command and when it runs. Schedule has one of the three forms at(…), rate(…) and cron(…); Timezone is empty for
// UTC.
type Task struct {
	Name     string   `json:"name"`
	Schedule string   `json:"schedule"`
	Timezone string   `json:"timezone"`
	Command  []string `json:"command"`
}

var (
	namePattern = regexp.MustCompile(`^[a-z][a-z0-9-]{0,19}$`)
	// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
	schedulePattern = regexp.MustCompile(`^(at\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\)|rate\([1-9]\d* (minute|hour|day)s?\)|cron\(\S+( \S+){5}\))$`)
	zonePattern     = regexp.MustCompile(`^([A-Za-z_]+(/[A-Za-z0-9_+-]+){0,2})?$`)
)

// Read returns the settings of the schedule.
func Read(r *settings.Reader) Settings {
	const key = "scheduledTasks"

	all := settings.Objects[Task](r, key, "name, schedule, timezone, command")
	seen := map[string]bool{}
	for i, task := range all {
		one := func(field string) string { return fmt.Sprintf("%s[%d].%s", key, i, field) }
		if !namePattern.MatchString(task.Name) || seen[task.Name] {
			r.FailIn(key, one("name"), strconv.Quote(task.Name), "1 to 20 of a-z, 0-9 and hyphens, beginning with a letter, and each name once")
		}
		seen[task.Name] = true
		if !schedulePattern.MatchString(task.Schedule) {
			r.FailIn(key, one("schedule"), strconv.Quote(task.Schedule),
				"at(2030-01-31T08:00:00), rate(5 minutes) or cron(0 8 ? * MON-FRI *)")
		}
		if !zonePattern.MatchString(task.Timezone) {
			r.FailIn(key, one("timezone"), strconv.Quote(task.Timezone), "empty (UTC), or a name such as Europe/Berlin")
		}
		if len(task.Command) == 0 || slices.Contains(task.Command, "") {
			r.FailIn(key, one("command"), "["+strings.Join(task.Command, ", ")+"]", "a list of words, none of them empty")
		}
	}

	return Settings{Tasks: all}
}
