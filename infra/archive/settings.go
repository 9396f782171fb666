package archive

import "fargate-nginx-sidecar/infra/settings"

// Settings says how long traffic logs are kept. Whether there are any is said where they are written: the load
// balancer's access logs and the network's flow logs.
type Settings struct {
	// RetentionDays is the age at which logs are deleted, in days.
	RetentionDays int
	// ForceDestroy deletes the logs together with their buckets; without it a bucket that holds any stays.
	ForceDestroy bool
}

// Read returns the settings of the archive.
func Read(r *settings.Reader) Settings {
	r.FollowProfile("trafficLogDays", "30", "365")

	return Settings{
		RetentionDays: r.Between("trafficLogDays", 1, 3650, "days"),
		ForceDestroy:  r.Boolean("forceDeleteTrafficLogs"),
	}
}
