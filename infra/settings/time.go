package settings

import "regexp"

// Schedule has the three forms that EventBridge Scheduler and Application Auto Scaling take; they check the fields of cron
// themselves. https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PutScheduledAction.html
var Schedule = Pattern("at(2030-01-31T08:00:00), rate(5 minutes) or cron(0 8 ? * MON-FRI *)",
	`^(at\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\)|rate\([1-9]\d* (minute|hour|day)s?\)|cron\(\S+( \S+){5}\))$`)

// Timezone checks only the form of a name. Machines differ in the time zones that they have, and whether a stack's settings
// are accepted must not depend on the machine.
var Timezone = Form{Allowed: "a name such as Europe/Berlin", Pattern: regexp.MustCompile(`^[A-Za-z_]+(/[A-Za-z0-9_+-]+){0,2}$`)}
