package observability

import "testing"

// If a part were missing, the condition would be true for everybody's alarms or for nobody's.
func TestTopicPolicyNeedsAllItsParts(t *testing.T) {
	for _, parts := range [][3]string{{"", "aws", "1"}, {"arn", "", "1"}, {"arn", "aws", ""}} {
		if text, err := topicPolicy(parts[0], parts[1], "eu-central-1", parts[2]); err == nil {
			t.Errorf("%q gives %s", parts, text)
		}
	}
}

func TestEachPartitionHasItsConsole(t *testing.T) {
	for partition, want := range map[string]string{
		"aws":        "https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1#dashboards/dashboard/web",
		"aws-cn":     "https://console.amazonaws.cn/cloudwatch/home?region=eu-central-1#dashboards/dashboard/web",
		"aws-us-gov": "https://console.amazonaws-us-gov.com/cloudwatch/home?region=eu-central-1#dashboards/dashboard/web",
	} {
		if got := consoleURL(partition, "eu-central-1", "web"); got != want {
			t.Errorf("%s: %s; want %s", partition, got, want)
		}
	}
}
