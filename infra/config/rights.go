package config

import (
	"fmt"
	"regexp"
	"strings"
)

// Rights are what tasks and people may do, and the key that guards what is stored.
type Rights struct {
	TaskPolicyARNs []string
	Exec           bool
	KMSKeyARN      string
}

var (
	policyPattern = regexp.MustCompile(`^arn:aws[a-z-]*:iam::(aws|[0-9]{12}):policy(/[\x21-\x2e\x30-\x7e]+)+$`)
	keyARNPattern = regexp.MustCompile(`^arn:aws[a-z-]*:kms:([a-z0-9-]+):[0-9]{12}:key/[A-Za-z0-9-]+$`)
)

func (r *reader) rights() Rights {
	return Rights{
		TaskPolicyARNs: r.texts("taskPolicyArns", "the ARN of an IAM policy that grants less than everything",
			func(arn string) bool {
				return policyPattern.MatchString(arn) && !strings.HasSuffix(arn, ":aws:policy/AdministratorAccess")
			}),
		Exec: r.boolean("exec"),
		KMSKeyARN: r.text("kmsKeyArn", "empty, or the ARN of a key, arn:aws:kms:<region>:<account>:key/<id>",
			func(arn string) bool { return arn == "" || keyARNPattern.MatchString(arn) }),
	}
}

func (r *reader) rightsContradictions(cfg *Config) {
	if part := keyARNPattern.FindStringSubmatch(cfg.Rights.KMSKeyARN); part != nil && part[1] != cfg.Region {
		r.contradiction([]string{"kmsKeyArn", "aws:region"},
			fmt.Sprintf("the key is in %s, the stack in %s; logs and images take a key of their own region", part[1], cfg.Region))
	}
}
