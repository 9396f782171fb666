package main

import (
	"slices"

	"fargate-nginx-sidecar/infra/policy"
)

// account is where the roles are, and what Pulumi keeps there.
type account struct{ partition, number, bucketARN, keyARN string }

// right is what a role may do with one service of AWS. docs/first-deploy.md and docs/iam are written from it.
type right struct {
	service string
	// reads are enough for a preview, and for a preview with --refresh. writes are what an update does beside them.
	reads, writes []string
	// why is what the program needs them for, in Markdown.
	why string
}

// rights are those for all resources of the program. Where AWS lists and describes without changing anything, the actions are
// named by their beginning: which of them a provider calls differs from version to version.
var rights = []right{
	{
		"acm", []string{"Describe*", "List*"},
		[]string{"RequestCertificate", "DeleteCertificate", "AddTagsToCertificate", "RemoveTagsFromCertificate"},
		"the certificate, with `domain.name` and `domain.zone`",
	},
	{
		"apigateway", []string{"GET"}, []string{"POST", "PATCH", "DELETE", "TagResource", "UntagResource"},
		"`ingress.kind: api-gateway`, on `/apis`, `/vpclinks` and `/domainnames` ([AWS](https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonapigatewaymanagementv2.html))",
	},
	{
		"application-autoscaling", []string{"Describe*", "List*"},
		[]string{"RegisterScalableTarget", "DeregisterScalableTarget", "Put*", "DeleteScalingPolicy", "DeleteScheduledAction", "TagResource", "UntagResource"},
		"`scale.max` and `scale.schedules`",
	},
	{
		"cloudwatch", []string{"Describe*", "GetDashboard", "List*"},
		[]string{"PutMetricAlarm", "DeleteAlarms", "PutDashboard", "DeleteDashboards", "TagResource", "UntagResource"},
		"alarms and dashboard",
	},
	{
		"ec2", []string{"Describe*", "GetManagedPrefixListEntries"},
		[]string{
			"CreateVpc", "DeleteVpc", "ModifyVpcAttribute", "CreateSubnet", "DeleteSubnet", "ModifySubnetAttribute",
			"CreateRouteTable", "DeleteRouteTable", "AssociateRouteTable", "DisassociateRouteTable", "CreateRoute", "ReplaceRoute", "DeleteRoute",
			"CreateInternetGateway", "DeleteInternetGateway", "AttachInternetGateway", "DetachInternetGateway",
			"CreateNatGateway", "DeleteNatGateway", "AllocateAddress", "ReleaseAddress", "DisassociateAddress",
			"CreateSecurityGroup", "DeleteSecurityGroup", "AuthorizeSecurityGroup*", "RevokeSecurityGroup*", "ModifySecurityGroupRules",
			"CreateVpcEndpoint", "DeleteVpcEndpoints", "ModifyVpcEndpoint", "CreateFlowLogs", "DeleteFlowLogs", "CreateTags", "DeleteTags",
		},
		"network and security groups",
	},
	{
		"ecr", []string{"Describe*", "List*", "Get*", "BatchGetImage", "BatchCheckLayerAvailability"},
		[]string{
			"CreateRepository", "DeleteRepository", "PutLifecyclePolicy", "DeleteLifecyclePolicy", "PutImageScanningConfiguration",
			"InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload", "PutImage", "BatchDeleteImage", "TagResource", "UntagResource",
		},
		"repositories, and the push of images that the stack builds ([AWS](https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html))",
	},
	{
		"ecs", []string{"Describe*", "List*"},
		[]string{
			"CreateCluster", "UpdateCluster*", "DeleteCluster", "PutClusterCapacityProviders", "RegisterTaskDefinition", "DeregisterTaskDefinition",
			"CreateService", "UpdateService", "DeleteService", "RunTask", "StopTask", "ExecuteCommand", "TagResource", "UntagResource",
		},
		"cluster, service and tasks; `deployment.command`, and the commands of `make run` and `make shell`",
	},
	{
		"elasticloadbalancing", []string{"Describe*"},
		[]string{"Create*", "Delete*", "Modify*", "Set*", "AddTags", "RemoveTags"},
		"load balancer; `SetWebACL` with `ingress.firewall` ([AWS](https://docs.aws.amazon.com/waf/latest/developerguide/security_iam_service-with-iam.html))",
	},
	{
		"events", []string{"Describe*", "List*"}, []string{"PutRule", "DeleteRule", "PutTargets", "RemoveTargets", "TagResource", "UntagResource"},
		"the rule that finds failed tasks, with `schedule`",
	},
	{
		"iam", []string{"Get*", "List*"},
		[]string{
			"CreateRole", "UpdateRole", "UpdateRoleDescription", "UpdateAssumeRolePolicy", "DeleteRole", "PutRolePolicy", "DeleteRolePolicy",
			"AttachRolePolicy", "DetachRolePolicy", "PutRolePermissionsBoundary", "DeleteRolePermissionsBoundary", "TagRole", "UntagRole",
			"CreateServiceLinkedRole",
		},
		"the roles of the tasks; `PassRole` of these to ECS and the scheduler ([AWS](https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html)); `CreateServiceLinkedRole` ([below](#service-linked-roles))",
	},
	{
		"logs", []string{"Describe*", "List*", "GetLogEvents", "FilterLogEvents", "GetLogDelivery"},
		[]string{
			"CreateLogGroup", "DeleteLogGroup", "PutRetentionPolicy", "DeleteRetentionPolicy", "AssociateKmsKey", "DisassociateKmsKey",
			"PutMetricFilter", "DeleteMetricFilter", "CreateLogDelivery", "UpdateLogDelivery", "DeleteLogDelivery", "PutResourcePolicy", "TagResource", "UntagResource",
		},
		"log groups, and the last lines of a task that failed; `…LogDelivery` and `…ResourcePolicies` with `network.flowLogs` ([AWS](https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3.html)), `ingress.firewall` ([AWS](https://docs.aws.amazon.com/waf/latest/developerguide/logging-cw-logs.html)) and the access logs of an API ([AWS](https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging.html))",
	},
	{
		"route53", []string{"Get*", "List*"}, []string{"ChangeResourceRecordSets", "ChangeTagsForResource", "CreateHostedZone", "DeleteHostedZone", "AssociateVPCWithHostedZone"},
		"DNS records, with `domain.zone`; hosted zones, which Cloud Map makes, with `ingress.kind: api-gateway`; `AssociateVPCWithHostedZone` with `network.egress: endpoints` ([AWS](https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html))",
	},
	{
		"s3", []string{"ListBucket", "ListBucketVersions", "GetBucket*", "GetEncryptionConfiguration", "GetLifecycleConfiguration", "GetAccelerateConfiguration", "GetReplicationConfiguration"},
		[]string{
			"CreateBucket", "DeleteBucket", "PutBucketPolicy", "DeleteBucketPolicy", "PutBucketTagging", "PutBucketOwnershipControls",
			"PutBucketPublicAccessBlock", "PutEncryptionConfiguration", "PutLifecycleConfiguration",
		},
		"buckets of access logs and flow logs",
	},
	{
		"scheduler", []string{"Get*", "List*"}, []string{"CreateScheduleGroup", "DeleteScheduleGroup", "CreateSchedule", "UpdateSchedule", "DeleteSchedule", "TagResource", "UntagResource"},
		"`schedule`",
	},
	{
		"secretsmanager", []string{"DescribeSecret", "GetResourcePolicy", "ListSecretVersionIds"}, nil,
		"the ARN and the current version of a secret; an app's secret itself is never read",
	},
	{
		"servicequotas", []string{"GetServiceQuota", "GetAWSDefaultServiceQuota"}, nil,
		"the account's own number of rules in a security group, when `ingress.clients` are many",
	},
	{
		"servicediscovery", []string{"Get*", "List*"},
		[]string{"CreatePrivateDnsNamespace", "DeleteNamespace", "CreateService", "UpdateService", "DeleteService", "DeregisterInstance", "TagResource", "UntagResource"},
		"the list of the tasks, with `ingress.kind: api-gateway` ([AWS](https://docs.aws.amazon.com/cloud-map/latest/dg/identity-and-access-management.html))",
	},
	{
		"sns", []string{"Get*", "List*"}, []string{"CreateTopic", "DeleteTopic", "SetTopicAttributes", "Subscribe", "Unsubscribe", "TagResource", "UntagResource"},
		"the alarms' topic",
	},
	{
		"sqs", []string{"GetQueueAttributes", "ListQueueTags"}, []string{"CreateQueue", "DeleteQueue", "SetQueueAttributes", "TagQueue", "UntagQueue"},
		"the queue of failures, with `schedule`",
	},
	{
		"ssm", []string{"GetParameter"}, nil,
		"the current version of a parameter in `app.secrets`, without decryption",
	},
	{
		"sts", []string{"GetCallerIdentity"}, nil,
		"the account's number",
	},
	{
		"wafv2", []string{"Get*", "List*"},
		[]string{
			"CreateWebACL", "UpdateWebACL", "DeleteWebACL", "AssociateWebACL", "DisassociateWebACL",
			"PutLoggingConfiguration", "DeleteLoggingConfiguration", "TagResource", "UntagResource",
		},
		"`ingress.firewall`",
	},
}

func actions(of func(right) []string) []string {
	var all []string
	for _, r := range rights {
		for _, action := range of(r) {
			all = append(all, r.service+":"+action)
		}
	}

	return all
}

// previewPolicy only reads. A preview takes no lock on a state, so it need not write there either.
func (a account) previewPolicy() (string, error) {
	return policy.Render(
		policy.Statement{Sid: "Read", Effect: "Allow", Action: actions(func(r right) []string { return r.reads }), Resource: []string{"*"}},
		policy.Statement{Sid: "ReadStates", Effect: "Allow", Action: []string{"s3:GetObject", "s3:ListBucket"}, Resource: a.states()},
		policy.Statement{Sid: "ReadSecretsOfStates", Effect: "Allow", Action: []string{"kms:Decrypt"}, Resource: []string{a.keyARN}},
	)
}

// passedTo are the services to which a role of a task is passed.
var passedTo = []string{"ecs-tasks.amazonaws.com", "scheduler.amazonaws.com"}

// deployPolicy is for an environment. It cannot widen itself: what bootstrap made is out of its reach.
func (a account) deployPolicy() (string, error) {
	statements := []policy.Statement{
		{Sid: "Deploy", Effect: "Allow", Action: actions(func(r right) []string { return slices.Concat(r.reads, r.writes) }), Resource: []string{"*"}},
		// A bucket of logs is emptied before it goes, unless storage.forceDelete is false.
		{Sid: "LogBuckets", Effect: "Allow", Action: []string{"s3:DeleteObject", "s3:DeleteObjectVersion"}, Resource: []string{"arn:" + a.partition + ":s3:::*-logs-*/*"}},
		{Sid: "States", Effect: "Allow", Action: []string{"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"}, Resource: a.states()},
		{Sid: "SecretsOfStates", Effect: "Allow", Action: []string{"kms:Encrypt", "kms:Decrypt", "kms:DescribeKey"}, Resource: []string{a.keyARN}},
		{
			Sid: "NotBootstrap", Effect: "Deny", Action: []string{"iam:*"},
			Resource: []string{
				"arn:" + a.partition + ":iam::" + a.number + ":role/" + rolePrefix + "*",
				"arn:" + a.partition + ":iam::" + a.number + ":oidc-provider/*",
			},
		},
		{
			Sid: "NotTheStates", Effect: "Deny",
			Action:   []string{"s3:DeleteBucket", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy", "s3:PutBucketPublicAccessBlock", "s3:PutLifecycleConfiguration"},
			Resource: []string{a.bucketARN},
		},
	}
	for _, service := range passedTo {
		statements = append(statements, policy.Statement{
			Effect: "Allow", Action: []string{"iam:PassRole"}, Resource: []string{"*"},
			Condition: map[string]map[string]string{"StringEquals": {"iam:PassedToService": service}},
		})
	}

	return policy.Render(statements...)
}

func (a account) states() []string { return []string{a.bucketARN, a.bucketARN + "/*"} }
