package awsmodel

import "slices"

// rule is what AWS's documentation says about a value and its model does not.
type rule struct {
	service    string
	operations []string
	member     string // path of the values; [] stands for every entry of a list
	fits       func(value any) bool
	allowed    string
	source     string
}

const (
	ec2API  = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/"
	ecsAPI  = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/"
	elbAPI  = "https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/"
	logsAPI = "https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/"

	albQuotas = "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html"
	ecsQuotas = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html"
	iamQuotas = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"
)

const (
	ecsName = `[A-Za-z0-9_-]{1,255}`
	ecsSays = "up to 255 letters, digits, underscores and hyphens"
	sgText  = `[A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{0,255}`
	sgSays  = "up to 255 letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*"
)

var (
	securityGroupRules = []string{"AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress"}
	servicesOfECS      = []string{"CreateService", "UpdateService"}
	rulesOfALB         = []string{"CreateRule", "ModifyRule"}
)

// documented are the rules of this project's services. A quota that AWS raises on request stands with its default: a
// stack that needs more than that does not deploy into a new account.
var documented = []rule{
	{"ecs", []string{"CreateCluster"}, "clusterName", matching(ecsName), ecsSays, ecsAPI + "API_CreateCluster.html"},
	{"ecs", []string{"CreateService"}, "serviceName", matching(ecsName), ecsSays, ecsAPI + "API_CreateService.html"},
	{"ecs", servicesOfECS, "networkConfiguration.awsvpcConfiguration.subnets", entries(16), "at most 16 subnets", ecsAPI + "API_AwsVpcConfiguration.html"},
	{"ecs", servicesOfECS, "networkConfiguration.awsvpcConfiguration.securityGroups", entries(5), "at most 5 security groups", ecsAPI + "API_AwsVpcConfiguration.html"},
	{"ecs", servicesOfECS, "loadBalancers", entries(5), "at most 5 target groups", ecsQuotas},
	{"ecs", []string{"RegisterTaskDefinition"}, "family", matching(ecsName), ecsSays, ecsAPI + "API_RegisterTaskDefinition.html"},
	{"ecs", []string{"RegisterTaskDefinition"}, "", inKiB(64), "at most 64 KiB", ecsQuotas},
	{"ecs", []string{"RegisterTaskDefinition"}, "containerDefinitions", entries(10), "at most 10 containers", ecsQuotas},
	{"ecs", []string{"RegisterTaskDefinition"}, "", fargateSize, "a pair of cpu and memory that Fargate has", ecsAPI + "API_RegisterTaskDefinition.html"},
	{"ecs", []string{"RegisterTaskDefinition"}, "containerDefinitions[]", having("name", "image"), "a container with a name and an image", "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html"},
	{"ecs", []string{"RegisterTaskDefinition"}, "containerDefinitions[].name", matching(ecsName), ecsSays, ecsAPI + "API_ContainerDefinition.html"},
	{"ecs", []string{"RegisterTaskDefinition"}, "containerDefinitions[].stopTimeout", between(2, 120), "2 to 120 seconds on Fargate", ecsAPI + "API_ContainerDefinition.html"},
	{"ecs", []string{"RegisterTaskDefinition"}, "containerDefinitions[].startTimeout", between(2, 120), "2 to 120 seconds on Fargate", ecsAPI + "API_ContainerDefinition.html"},
	{"ecs", []string{"RegisterTaskDefinition"}, "containerDefinitions[].healthCheck.interval", between(5, 300), "5 to 300 seconds", ecsAPI + "API_HealthCheck.html"},
	{"ecs", []string{"RegisterTaskDefinition"}, "containerDefinitions[].healthCheck.timeout", between(2, 60), "2 to 60 seconds", ecsAPI + "API_HealthCheck.html"},
	{"ecs", []string{"RegisterTaskDefinition"}, "containerDefinitions[].healthCheck.retries", between(1, 10), "1 to 10", ecsAPI + "API_HealthCheck.html"},
	{"ecs", []string{"RegisterTaskDefinition"}, "containerDefinitions[].healthCheck.startPeriod", between(0, 300), "0 to 300 seconds", ecsAPI + "API_HealthCheck.html"},
	{"ecs", []string{"RegisterTaskDefinition"}, "containerDefinitions[].restartPolicy.restartAttemptPeriod", between(60, 1800), "60 to 1800 seconds", ecsAPI + "API_ContainerRestartPolicy.html"},
	{"ecs", []string{"RegisterTaskDefinition"}, "ephemeralStorage.sizeInGiB", between(21, 200), "21 to 200 GiB", ecsAPI + "API_EphemeralStorage.html"},

	{"elbv2", []string{"CreateLoadBalancer"}, "Name", both(matching(`[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?`), without(prefix, "internal-")), "up to 32 letters, digits and hyphens, with no hyphen at either end, not beginning with internal-", elbAPI + "API_CreateLoadBalancer.html"},
	{"elbv2", []string{"CreateTargetGroup"}, "Name", matching(`[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?`), "up to 32 letters, digits and hyphens, with no hyphen at either end", elbAPI + "API_CreateTargetGroup.html"},
	{"elbv2", []string{"ModifyLoadBalancerAttributes"}, "Attributes[]", attribute("idle_timeout.timeout_seconds", between(1, 4000)), "1 to 4000 seconds", elbAPI + "API_LoadBalancerAttribute.html"},
	{"elbv2", []string{"ModifyLoadBalancerAttributes"}, "Attributes[]", attribute("client_keep_alive.seconds", between(60, 604800)), "60 to 604800 seconds", elbAPI + "API_LoadBalancerAttribute.html"},
	{"elbv2", []string{"ModifyTargetGroupAttributes"}, "Attributes[]", attribute("deregistration_delay.timeout_seconds", between(0, 3600)), "0 to 3600 seconds", elbAPI + "API_TargetGroupAttribute.html"},
	{"elbv2", []string{"ModifyTargetGroupAttributes"}, "Attributes[]", attribute("slow_start.duration_seconds", either(matching("0"), between(30, 900))), "0, or 30 to 900 seconds", elbAPI + "API_TargetGroupAttribute.html"},
	{"elbv2", []string{"ModifyTargetGroupAttributes"}, "Attributes[]", attribute("stickiness.lb_cookie.duration_seconds", between(1, 604800)), "1 to 604800 seconds", elbAPI + "API_TargetGroupAttribute.html"},
	{"elbv2", rulesOfALB, "Conditions[].PathPatternConfig.Values[]", characters(128), "at most 128 characters", elbAPI + "API_PathPatternConditionConfig.html"},
	{"elbv2", rulesOfALB, "Conditions[].HostHeaderConfig.Values[]", characters(128), "at most 128 characters", elbAPI + "API_HostHeaderConditionConfig.html"},
	{"elbv2", rulesOfALB, "Conditions", conditionValues(5), "at most 5 values in all conditions of a rule", albQuotas},

	{"ec2", []string{"CreateSecurityGroup"}, "GroupName", both(matching(sgText), without(prefix, "sg-")), sgSays + ", not beginning with sg-", ec2API + "API_CreateSecurityGroup.html"},
	{"ec2", []string{"CreateSecurityGroup"}, "Description", matching(sgText), sgSays, ec2API + "API_CreateSecurityGroup.html"},
	{"ec2", securityGroupRules, "IpPermissions[].IpRanges[].Description", matching(sgText), sgSays, ec2API + "API_IpRange.html"},
	{"ec2", securityGroupRules, "IpPermissions[].Ipv6Ranges[].Description", matching(sgText), sgSays, ec2API + "API_Ipv6Range.html"},
	{"ec2", securityGroupRules, "IpPermissions[].UserIdGroupPairs[].Description", matching(sgText), sgSays, ec2API + "API_UserIdGroupPair.html"},
	{"ec2", securityGroupRules, "IpPermissions[].PrefixListIds[].Description", matching(sgText), sgSays, ec2API + "API_PrefixListId.html"},
	{"ec2", []string{"CreateVpc"}, "CidrBlock", netmask(16, 28), "an IPv4 range of /16 to /28", "https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html"},
	{"ec2", []string{"CreateSubnet"}, "CidrBlock", netmask(16, 28), "an IPv4 range of /16 to /28", ec2API + "API_CreateSubnet.html"},

	{"s3", []string{"CreateBucket"}, "Bucket", both(matching(`[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]`), bucketName), "3 to 63 lower-case letters, digits, dots and hyphens, beginning and ending with a letter or digit, no two dots together, no IP address, none of the reserved prefixes and suffixes", "https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html"},
	{"ssm", []string{"PutParameter"}, "Name", both(parameterName, characters(1011)), "up to 1011 letters, digits and _.-/, in at most 15 levels, not beginning with aws or ssm in any case", "https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html"},
	{"secretsmanager", []string{"CreateSecret"}, "Name", matching(`[A-Za-z0-9/_+=.@-]+`), "letters, digits and /_+=.@-", "https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html"},
	{"kms", []string{"CreateAlias"}, "AliasName", both(matching(`alias/[A-Za-z0-9/_-]+`), without(prefix, "alias/aws/")), "alias/ and letters, digits and /_-, not beginning with alias/aws/", "https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateAlias.html"},
	{"sns", []string{"CreateTopic"}, "Name", matching(`[A-Za-z0-9_-]{1,251}(\.fifo)?|[A-Za-z0-9_-]{1,256}`), "1 to 256 letters, digits, underscores and hyphens", "https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html"},
	{"wafv2", []string{"PutLoggingConfiguration"}, "LoggingConfiguration.LogDestinationConfigs", entries(1), "one destination", "https://docs.aws.amazon.com/waf/latest/APIReference/API_LoggingConfiguration.html"},
	{"wafv2", []string{"PutLoggingConfiguration"}, "LoggingConfiguration.LogDestinationConfigs[]", matching(`.*[:/]aws-waf-logs-[^:/]*(:\*)?`), "a destination whose name begins with aws-waf-logs-", "https://docs.aws.amazon.com/waf/latest/APIReference/API_LoggingConfiguration.html"},

	{"logs", []string{"CreateLogGroup"}, "logGroupName", without(prefix, "aws/"), "a name not beginning with aws/", logsAPI + "API_CreateLogGroup.html"},
	{"logs", []string{"PutRetentionPolicy"}, "retentionInDays", oneOf(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653), "1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653 days", logsAPI + "API_PutRetentionPolicy.html"},
	{"cloudwatch", []string{"PutMetricAlarm"}, "Period", period, "10, 20, 30 or a multiple of 60 seconds", "https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"},

	{"iam", []string{"CreateRole"}, "AssumeRolePolicyDocument", denseCharacters(2048), "at most 2048 characters that are not white space", iamQuotas},
	{"iam", []string{"UpdateAssumeRolePolicy"}, "PolicyDocument", denseCharacters(2048), "at most 2048 characters that are not white space", iamQuotas},
	{"iam", []string{"CreatePolicy", "CreatePolicyVersion"}, "PolicyDocument", denseCharacters(6144), "at most 6144 characters that are not white space", iamQuotas},
}

// rules holds a request against all that is documented.
func (v *validation) rules(input any, known *account) {
	for _, r := range documented {
		if r.service != v.service.name || !slices.Contains(r.operations, v.operation.name) {
			continue
		}
		for _, at := range find(r.member, "", input) {
			if !r.fits(at.value) {
				v.addRule(at.path, quote(&shape{}, at.value), r.allowed, r.source)
			}
		}
	}
	v.tags("", input)
	known.ask(v, input)
}
