package main

import (
	"slices"

	"fargate-nginx-sidecar/infra/policy"
)

// account is where the roles are, and what Pulumi keeps there.
type account struct{ partition, number, bucketARN, keyARN string }

// right is what a role may do with one service of AWS. docs/first-deploy.md says what each action is for, and a test compares
// the two.
type right struct {
	service string
	// reads are enough for a preview, and for a preview with --refresh. writes are what an update does beside them.
	reads, writes []string
}

// rights are those for all resources of the program. Where AWS lists and describes without changing anything, the actions are
// named by their beginning: which of them a provider calls differs from version to version.
var rights = []right{
	{
		"acm", []string{"Describe*", "List*"},
		[]string{"RequestCertificate", "DeleteCertificate", "AddTagsToCertificate", "RemoveTagsFromCertificate"},
	},
	{"apigateway", []string{"GET"}, []string{"POST", "PATCH", "PUT", "DELETE", "TagResource", "UntagResource"}},
	{
		"application-autoscaling", []string{"Describe*", "List*"},
		[]string{"RegisterScalableTarget", "DeregisterScalableTarget", "Put*", "DeleteScalingPolicy", "DeleteScheduledAction", "TagResource", "UntagResource"},
	},
	{
		"cloudwatch", []string{"Describe*", "GetDashboard", "List*"},
		[]string{"PutMetricAlarm", "DeleteAlarms", "PutDashboard", "DeleteDashboards", "TagResource", "UntagResource"},
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
	},
	{
		"ecr", []string{"Describe*", "List*", "Get*", "BatchGetImage", "BatchCheckLayerAvailability"},
		[]string{
			"CreateRepository", "DeleteRepository", "PutLifecyclePolicy", "DeleteLifecyclePolicy", "PutImageScanningConfiguration",
			"InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload", "PutImage", "BatchDeleteImage", "TagResource", "UntagResource",
		},
	},
	{
		"ecs", []string{"Describe*", "List*"},
		[]string{
			"CreateCluster", "UpdateCluster*", "DeleteCluster", "PutClusterCapacityProviders", "RegisterTaskDefinition", "DeregisterTaskDefinition",
			"CreateService", "UpdateService", "DeleteService", "RunTask", "StopTask", "ExecuteCommand", "TagResource", "UntagResource",
		},
	},
	{
		"elasticloadbalancing", []string{"Describe*"},
		[]string{"Create*", "Delete*", "Modify*", "Set*", "AddTags", "RemoveTags"},
	},
	{"events", []string{"Describe*", "List*"}, []string{"PutRule", "DeleteRule", "PutTargets", "RemoveTargets", "TagResource", "UntagResource"}},
	{
		"iam", []string{"Get*", "List*"},
		[]string{
			"CreateRole", "UpdateRole", "UpdateRoleDescription", "UpdateAssumeRolePolicy", "DeleteRole", "PutRolePolicy", "DeleteRolePolicy",
			"AttachRolePolicy", "DetachRolePolicy", "TagRole", "UntagRole", "CreateServiceLinkedRole",
		},
	},
	{
		"logs", []string{"Describe*", "List*", "GetLogEvents", "FilterLogEvents", "GetLogDelivery"},
		[]string{
			"CreateLogGroup", "DeleteLogGroup", "PutRetentionPolicy", "DeleteRetentionPolicy", "AssociateKmsKey", "DisassociateKmsKey",
			"PutMetricFilter", "DeleteMetricFilter", "CreateLogDelivery", "UpdateLogDelivery", "DeleteLogDelivery", "PutResourcePolicy", "TagResource", "UntagResource",
		},
	},
	{"route53", []string{"Get*", "List*"}, []string{"ChangeResourceRecordSets", "ChangeTagsForResource", "CreateHostedZone", "DeleteHostedZone", "AssociateVPCWithHostedZone"}},
	{
		"s3", []string{"ListBucket", "ListBucketVersions", "GetBucket*", "GetEncryptionConfiguration", "GetLifecycleConfiguration", "GetAccelerateConfiguration", "GetReplicationConfiguration"},
		[]string{
			"CreateBucket", "DeleteBucket", "PutBucketPolicy", "DeleteBucketPolicy", "PutBucketTagging", "PutBucketOwnershipControls",
			"PutBucketPublicAccessBlock", "PutEncryptionConfiguration", "PutLifecycleConfiguration",
		},
	},
	{"scheduler", []string{"Get*", "List*"}, []string{"CreateScheduleGroup", "DeleteScheduleGroup", "CreateSchedule", "UpdateSchedule", "DeleteSchedule", "TagResource", "UntagResource"}},
	{"secretsmanager", []string{"DescribeSecret", "GetResourcePolicy", "ListSecretVersionIds"}, nil},
	{"servicequotas", []string{"GetServiceQuota", "GetAWSDefaultServiceQuota"}, nil},
	{
		"servicediscovery", []string{"Get*", "List*"},
		[]string{"CreatePrivateDnsNamespace", "DeleteNamespace", "CreateService", "UpdateService", "DeleteService", "DeregisterInstance", "TagResource", "UntagResource"},
	},
	{"sns", []string{"Get*", "List*"}, []string{"CreateTopic", "DeleteTopic", "SetTopicAttributes", "Subscribe", "Unsubscribe", "TagResource", "UntagResource"}},
	{"sqs", []string{"GetQueueAttributes", "GetQueueUrl", "ListQueueTags"}, []string{"CreateQueue", "DeleteQueue", "SetQueueAttributes", "TagQueue", "UntagQueue"}},
	{"ssm", []string{"GetParameter", "GetParameters", "DescribeParameters", "ListTagsForResource"}, []string{"PutParameter", "DeleteParameter", "AddTagsToResource", "RemoveTagsFromResource"}},
	{"sts", []string{"GetCallerIdentity"}, nil},
	{
		"wafv2", []string{"Get*", "List*"},
		[]string{
			"CreateWebACL", "UpdateWebACL", "DeleteWebACL", "AssociateWebACL", "DisassociateWebACL",
			"PutLoggingConfiguration", "DeleteLoggingConfiguration", "TagResource", "UntagResource",
		},
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
