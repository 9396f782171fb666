package archive

// Settings holds the retention of traffic logs. Whether logs are written at all is a setting of what writes them: the load
// balancer for access logs, and the network for flow logs.
type Settings struct {
	// RetentionDays is the age at which logs are deleted, in days.
	RetentionDays int
	// ForceDestroy deletes the logs together with their buckets. Without it, a bucket that holds logs is not deleted.
	ForceDestroy bool
}
