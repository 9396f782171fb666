package config

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Scaling says how many tasks there are when load decides it, and on which capacity all of them run.
type Scaling struct {
	On       bool
	Min, Max int
	// Targets of zero are off. CPU and memory are in percent, requests are per task and minute.
	CPUPercent, MemoryPercent, RequestsPerTask int
	InCooldown, OutCooldown                    time.Duration
	Schedules                                  []Schedule

	// SpotPercent of the tasks above OnDemandBase run on Fargate Spot.
	SpotPercent, OnDemandBase int
}

// Schedule sets the limits of scaling at given times.
type Schedule struct {
	Name     string `json:"name"`
	Schedule string `json:"schedule"`
	Timezone string `json:"timezone"`
	Min      int    `json:"min"`
	Max      int    `json:"max"`
}

func (r *reader) scaling() Scaling {
	return Scaling{
		On:              r.switched("autoscaling"),
		Min:             r.between("minCount", 1, 5000, "tasks"),
		Max:             r.between("maxCount", 1, 5000, "tasks"),
		CPUPercent:      r.between("scaleOnCpuPercent", 0, 100, "percent"),
		MemoryPercent:   r.between("scaleOnMemoryPercent", 0, 100, "percent"),
		RequestsPerTask: r.between("scaleOnRequestsPerTask", 0, 10_000_000, "requests a minute"),
		InCooldown:      r.seconds("scaleInCooldownSeconds", 0, 3600),
		OutCooldown:     r.seconds("scaleOutCooldownSeconds", 0, 3600),
		Schedules:       r.schedules(),
		SpotPercent:     r.between("spotPercent", 0, 100, "percent"),
		OnDemandBase:    r.between("onDemandBase", 1, 5000, "tasks"),
	}
}

var (
	scheduleNamePattern = regexp.MustCompile(`^[a-z][a-z0-9-]{0,19}$`)
	// The three forms that Application Auto Scaling takes; it checks the fields of cron itself.
	// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PutScheduledAction.html
	schedulePattern = regexp.MustCompile(`^(at\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\)|rate\([1-9]\d* (minute|hour|day)s?\)|cron\(\S+( \S+){5}\))$`)
)

func (r *reader) schedules() []Schedule {
	const key = "scheduledScaling"

	all := objects[Schedule](r, key, "name, schedule, timezone, min, max")
	seen := map[string]bool{}
	for i, schedule := range all {
		one := func(field string) string { return fmt.Sprintf("%s[%d].%s", key, i, field) }
		if !scheduleNamePattern.MatchString(schedule.Name) || seen[schedule.Name] {
			r.failIn(key, one("name"), fmt.Sprintf("%q", schedule.Name), "1 to 20 of a-z, 0-9 and hyphens, first a letter, each once")
		}
		seen[schedule.Name] = true
		if !schedulePattern.MatchString(schedule.Schedule) {
			r.failIn(key, one("schedule"), fmt.Sprintf("%q", schedule.Schedule),
				"at(2030-01-31T08:00:00), rate(5 minutes) or cron(0 8 ? * MON-FRI *)")
		}
		if !knownZone(schedule.Timezone) {
			r.failIn(key, one("timezone"), fmt.Sprintf("%q", schedule.Timezone), "empty (UTC), or a name such as Europe/Berlin")
		}
		if schedule.Min < 0 || schedule.Max < max(1, schedule.Min) || schedule.Max > 5000 {
			r.failIn(key, one("min"), fmt.Sprintf("%d and max %d", schedule.Min, schedule.Max), "0 <= min <= max <= 5000, max at least 1")
		}
	}

	return all
}

var zonePattern = regexp.MustCompile(`^([A-Za-z_]+(/[A-Za-z0-9_+-]+){0,2})?$`)

// knownZone checks the form alone: which zones a machine knows differs, and a stack's settings must not.
func knownZone(name string) bool {
	return zonePattern.MatchString(name)
}

func (r *reader) scalingContradictions(cfg *Config) {
	scaling, service := cfg.Scaling, cfg.Service

	if !scaling.On {
		if len(scaling.Schedules) > 0 {
			r.contradiction([]string{"scheduledScaling", "autoscaling"}, "given, but autoscaling is off; allowed with: on")
		}
		r.spotContradictions(scaling, service.DesiredCount, "desiredCount")
		return
	}

	if scaling.Min > scaling.Max {
		r.contradiction([]string{"minCount", "maxCount"}, fmt.Sprintf("%d is more than %d", scaling.Min, scaling.Max))
	} else if service.DesiredCount < scaling.Min || service.DesiredCount > scaling.Max {
		r.contradiction([]string{"desiredCount", "minCount", "maxCount"},
			fmt.Sprintf("%d is not within %d and %d; autoscaling would change it at once", service.DesiredCount, scaling.Min, scaling.Max))
	}
	if scaling.CPUPercent == 0 && scaling.MemoryPercent == 0 && scaling.RequestsPerTask == 0 && len(scaling.Schedules) == 0 {
		r.contradiction([]string{"autoscaling", "scaleOnCpuPercent", "scaleOnMemoryPercent", "scaleOnRequestsPerTask", "scheduledScaling"},
			"autoscaling is on, but nothing scales; allowed: one target above 0, or a schedule")
	}
	r.spotContradictions(scaling, scaling.Max, "maxCount")
}

func (r *reader) spotContradictions(scaling Scaling, most int, key string) {
	if scaling.SpotPercent > 0 && scaling.OnDemandBase >= most {
		r.contradiction([]string{"spotPercent", "onDemandBase", key},
			fmt.Sprintf("%d of at most %d tasks are on demand; %d %% Spot would have no effect",
				scaling.OnDemandBase, most, scaling.SpotPercent))
	}
}

// failIn records that a part of a structured setting is not allowed.
func (r *reader) failIn(key, part, got, allowed string) {
	r.fail(key, got, allowed)
	r.errs[len(r.errs)-1] = fmt.Errorf("%s%s", part, strings.TrimPrefix(r.errs[len(r.errs)-1].Error(), key))
}
