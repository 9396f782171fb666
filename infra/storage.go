package infra

import (
	"regexp"

	"fargate-nginx-sidecar/infra/settings"
)

// Storage is how long data is kept, with which key it is encrypted, and what may delete it. Several topics keep data.
type Storage struct {
	LogRetentionDays int
	// ForceDelete lets repositories and buckets be deleted together with their content.
	ForceDelete bool
	// KMSKeyARN is the key that encrypts logs and images. If it is empty, AWS's own key is used.
	KMSKeyARN string
}

// retentions are those that CloudWatch Logs accepts, in days.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
var retentions = []int{
	1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
}

var keyARN = regexp.MustCompile(`^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$`)

// readStorage returns the settings of what is kept. Unless the stack is protected from deletion, its content goes with it: a
// destroy deletes repositories and buckets last, and would stop there, with everything else gone.
func readStorage(r *settings.Reader, protected bool) Storage {
	g := r.Group("storage")

	return Storage{
		LogRetentionDays: int(g.InProd(365*settings.Day).DurationOf("logRetention", 30*settings.Day, retentions,
			"Time after which CloudWatch deletes log events, and S3 access logs and flow logs.",
			"https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html") / settings.Day),
		ForceDelete: g.Else("the opposite of `deployment.deletionProtection`").Bool("forceDelete", !protected,
			"Whether repositories that hold images, and the buckets of access logs and flow logs, are deleted with their content when the stack is destroyed or a change removes them. With `false`, the destroy or update stops at them, half-way. Takes effect with an update, which must come before the change.",
			"https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-delete.html"),
		KMSKeyARN: g.Else("AWS's keys").Text("kmsKey", "", settings.Form{Allowed: "the ARN of a key, arn:aws:kms:<region>:<account>:key/<id>", Pattern: keyARN},
			"Your own KMS key, which then encrypts logs and images. Its policy must allow CloudWatch Logs to use it. Decide before the first update: a change replaces the repositories, and `deployment.deletionProtection` must have been `false` before it.",
			"https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html"),
	}
}
