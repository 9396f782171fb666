package schedule

import "fargate-nginx-sidecar/infra/settings"

// Settings are the commands that run at given times.
type Settings struct{ Tasks []Task }

// Task is a command and when it runs. Schedule has one of the three forms at(…), rate(…) and cron(…); Timezone is empty for
// UTC.
type Task struct {
	Name, Schedule, Timezone string
	Command                  []string
}

// Read returns the settings of the schedule.
func Read(r *settings.Reader) Settings {
	g := r.Group("schedule")

	return Settings{Tasks: settings.Members(g, func(name string, task settings.Group) Task {
		return Task{
			Name: name,
			Schedule: task.Required("at", settings.Schedule,
				"When the command runs; keep the quotes, as in `\"cron(0 6 * * ? *)\"`.",
				"https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html"),
			Timezone: task.Else("UTC").Text("timezone", "", settings.Timezone, "Time zone of the schedule.",
				"https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html"),
			Command: task.RequiredCommand("command", "The command, one word per item, as in `[npm, run, report]`.",
				"https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerOverride.html"),
		}
	})}
}
