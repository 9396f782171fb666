package archive

import "fargate-nginx-sidecar/infra/settings"

// Settings holds the retention of traffic logs. Whether logs are written at all is a setting of what writes them: the load
// balancer for access logs, and the network for flow logs.
type Settings struct {
	// RetentionDays is the age at which logs are deleted, in days.
	RetentionDays int
	// ForceDestroy deletes the logs together with their buckets. Without it, a bucket that holds logs is not deleted.
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
