package awsbridge

// resources maps the Terraform provider's resource types to Pulumi's. A resource that is not here does not exist for
// a program that runs against this stand-in: the engine says so by its token.
var resources = map[string]string{
	"aws_acm_certificate":            "aws:acm/certificate:Certificate",
	"aws_acm_certificate_validation": "aws:acm/certificateValidation:CertificateValidation",

	"aws_apigatewayv2_api":         "aws:apigatewayv2/api:Api",
	"aws_apigatewayv2_api_mapping": "aws:apigatewayv2/apiMapping:ApiMapping",
	"aws_apigatewayv2_domain_name": "aws:apigatewayv2/domainName:DomainName",
	"aws_apigatewayv2_integration": "aws:apigatewayv2/integration:Integration",
	"aws_apigatewayv2_route":       "aws:apigatewayv2/route:Route",
	"aws_apigatewayv2_stage":       "aws:apigatewayv2/stage:Stage",
	"aws_apigatewayv2_vpc_link":    "aws:apigatewayv2/vpcLink:VpcLink",

	"aws_appautoscaling_policy":           "aws:appautoscaling/policy:Policy",
	"aws_appautoscaling_scheduled_action": "aws:appautoscaling/scheduledAction:ScheduledAction",
	"aws_appautoscaling_target":           "aws:appautoscaling/target:Target",

	"aws_cloudwatch_composite_alarm":     "aws:cloudwatch/compositeAlarm:CompositeAlarm",
	"aws_cloudwatch_dashboard":           "aws:cloudwatch/dashboard:Dashboard",
	"aws_cloudwatch_event_rule":          "aws:cloudwatch/eventRule:EventRule",
	"aws_cloudwatch_event_target":        "aws:cloudwatch/eventTarget:EventTarget",
	"aws_cloudwatch_log_group":           "aws:cloudwatch/logGroup:LogGroup",
	"aws_cloudwatch_log_metric_filter":   "aws:cloudwatch/logMetricFilter:LogMetricFilter",
	"aws_cloudwatch_log_resource_policy": "aws:cloudwatch/logResourcePolicy:LogResourcePolicy",
	"aws_cloudwatch_metric_alarm":        "aws:cloudwatch/metricAlarm:MetricAlarm",
	"aws_cloudwatch_query_definition":    "aws:cloudwatch/queryDefinition:QueryDefinition",

	"aws_default_security_group":               "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
	"aws_egress_only_internet_gateway":         "aws:ec2/egressOnlyInternetGateway:EgressOnlyInternetGateway",
	"aws_eip":                                  "aws:ec2/eip:Eip",
	"aws_flow_log":                             "aws:ec2/flowLog:FlowLog",
	"aws_internet_gateway":                     "aws:ec2/internetGateway:InternetGateway",
	"aws_nat_gateway":                          "aws:ec2/natGateway:NatGateway",
	"aws_route":                                "aws:ec2/route:Route",
	"aws_route_table":                          "aws:ec2/routeTable:RouteTable",
	"aws_route_table_association":              "aws:ec2/routeTableAssociation:RouteTableAssociation",
	"aws_security_group":                       "aws:ec2/securityGroup:SecurityGroup",
	"aws_security_group_rule":                  "aws:ec2/securityGroupRule:SecurityGroupRule",
	"aws_subnet":                               "aws:ec2/subnet:Subnet",
	"aws_vpc":                                  "aws:ec2/vpc:Vpc",
	"aws_vpc_endpoint":                         "aws:ec2/vpcEndpoint:VpcEndpoint",
	"aws_vpc_endpoint_route_table_association": "aws:ec2/vpcEndpointRouteTableAssociation:VpcEndpointRouteTableAssociation",
	"aws_vpc_security_group_egress_rule":       "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
	"aws_vpc_security_group_ingress_rule":      "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",

	"aws_ecr_lifecycle_policy":  "aws:ecr/lifecyclePolicy:LifecyclePolicy",
	"aws_ecr_repository":        "aws:ecr/repository:Repository",
	"aws_ecr_repository_policy": "aws:ecr/repositoryPolicy:RepositoryPolicy",

	"aws_ecs_cluster":                    "aws:ecs/cluster:Cluster",
	"aws_ecs_cluster_capacity_providers": "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders",
	"aws_ecs_service":                    "aws:ecs/service:Service",
	"aws_ecs_task_definition":            "aws:ecs/taskDefinition:TaskDefinition",

	"aws_iam_openid_connect_provider":           "aws:iam/openIdConnectProvider:OpenIdConnectProvider",
	"aws_iam_role_policies_exclusive":           "aws:iam/rolePoliciesExclusive:RolePoliciesExclusive",
	"aws_iam_role_policy_attachments_exclusive": "aws:iam/rolePolicyAttachmentsExclusive:RolePolicyAttachmentsExclusive",
	"aws_iam_policy":                            "aws:iam/policy:Policy",
	"aws_iam_role":                              "aws:iam/role:Role",
	"aws_iam_role_policy":                       "aws:iam/rolePolicy:RolePolicy",
	"aws_iam_role_policy_attachment":            "aws:iam/rolePolicyAttachment:RolePolicyAttachment",

	"aws_kms_alias": "aws:kms/alias:Alias",
	"aws_kms_key":   "aws:kms/key:Key",

	"aws_lb":                      "aws:lb/loadBalancer:LoadBalancer",
	"aws_lb_listener":             "aws:lb/listener:Listener",
	"aws_lb_listener_certificate": "aws:lb/listenerCertificate:ListenerCertificate",
	"aws_lb_listener_rule":        "aws:lb/listenerRule:ListenerRule",
	"aws_lb_target_group":         "aws:lb/targetGroup:TargetGroup",

	"aws_db_instance":     "aws:rds/instance:Instance",
	"aws_db_subnet_group": "aws:rds/subnetGroup:SubnetGroup",

	"aws_route53_record": "aws:route53/record:Record",
	"aws_route53_zone":   "aws:route53/zone:Zone",

	"aws_s3_bucket":                                      "aws:s3/bucketV2:BucketV2",
	"aws_s3_bucket_acl":                                  "aws:s3/bucketAclV2:BucketAclV2",
	"aws_s3_bucket_lifecycle_configuration":              "aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2",
	"aws_s3_bucket_logging":                              "aws:s3/bucketLoggingV2:BucketLoggingV2",
	"aws_s3_bucket_ownership_controls":                   "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
	"aws_s3_bucket_policy":                               "aws:s3/bucketPolicy:BucketPolicy",
	"aws_s3_bucket_public_access_block":                  "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
	"aws_s3_bucket_server_side_encryption_configuration": "aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2",
	"aws_s3_bucket_versioning":                           "aws:s3/bucketVersioningV2:BucketVersioningV2",

	"aws_scheduler_schedule":       "aws:scheduler/schedule:Schedule",
	"aws_scheduler_schedule_group": "aws:scheduler/scheduleGroup:ScheduleGroup",

	"aws_secretsmanager_secret":         "aws:secretsmanager/secret:Secret",
	"aws_secretsmanager_secret_version": "aws:secretsmanager/secretVersion:SecretVersion",

	"aws_service_discovery_private_dns_namespace": "aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace",
	"aws_service_discovery_service":               "aws:servicediscovery/service:Service",

	"aws_sns_topic":              "aws:sns/topic:Topic",
	"aws_sns_topic_policy":       "aws:sns/topicPolicy:TopicPolicy",
	"aws_sns_topic_subscription": "aws:sns/topicSubscription:TopicSubscription",

	"aws_sqs_queue":        "aws:sqs/queue:Queue",
	"aws_sqs_queue_policy": "aws:sqs/queuePolicy:QueuePolicy",

	"aws_ssm_parameter": "aws:ssm/parameter:Parameter",

	"aws_wafv2_web_acl":                       "aws:wafv2/webAcl:WebAcl",
	"aws_wafv2_web_acl_association":           "aws:wafv2/webAclAssociation:WebAclAssociation",
	"aws_wafv2_web_acl_logging_configuration": "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration",
}

// functions maps the Terraform provider's data sources to Pulumi's functions.
var functions = map[string]string{ //nolint:gosec // names, no credentials
	"aws_availability_zones": "aws:index/getAvailabilityZones:getAvailabilityZones",
	"aws_caller_identity":    "aws:index/getCallerIdentity:getCallerIdentity",
	"aws_default_tags":       "aws:index/getDefaultTags:getDefaultTags",
	"aws_partition":          "aws:index/getPartition:getPartition",
	"aws_region":             "aws:index/getRegion:getRegion",

	"aws_acm_certificate": "aws:acm/getCertificate:getCertificate",

	"aws_cloudwatch_log_group": "aws:cloudwatch/getLogGroup:getLogGroup",

	"aws_ec2_managed_prefix_list":  "aws:ec2/getManagedPrefixList:getManagedPrefixList",
	"aws_route_table":              "aws:ec2/getRouteTable:getRouteTable",
	"aws_route_tables":             "aws:ec2/getRouteTables:getRouteTables",
	"aws_security_group":           "aws:ec2/getSecurityGroup:getSecurityGroup",
	"aws_subnet":                   "aws:ec2/getSubnet:getSubnet",
	"aws_subnets":                  "aws:ec2/getSubnets:getSubnets",
	"aws_vpc":                      "aws:ec2/getVpc:getVpc",
	"aws_vpc_security_group_rule":  "aws:vpc/getSecurityGroupRule:getSecurityGroupRule",
	"aws_vpc_security_group_rules": "aws:vpc/getSecurityGroupRules:getSecurityGroupRules",

	"aws_ecr_authorization_token": "aws:ecr/getAuthorizationToken:getAuthorizationToken",
	"aws_ecr_image":               "aws:ecr/getImage:getImage",
	"aws_ecr_repository":          "aws:ecr/getRepository:getRepository",

	"aws_ecs_cluster":         "aws:ecs/getCluster:getCluster",
	"aws_ecs_service":         "aws:ecs/getService:getService",
	"aws_ecs_task_definition": "aws:ecs/getTaskDefinition:getTaskDefinition",

	"aws_elb_hosted_zone_id":  "aws:elb/getHostedZoneId:getHostedZoneId",
	"aws_elb_service_account": "aws:elb/getServiceAccount:getServiceAccount",
	"aws_lb":                  "aws:lb/getLoadBalancer:getLoadBalancer",
	"aws_lb_listener":         "aws:lb/getListener:getListener",
	"aws_lb_hosted_zone_id":   "aws:lb/getHostedZoneId:getHostedZoneId",
	"aws_lb_target_group":     "aws:lb/getTargetGroup:getTargetGroup",

	"aws_iam_policy":          "aws:iam/getPolicy:getPolicy",
	"aws_iam_policy_document": "aws:iam/getPolicyDocument:getPolicyDocument",
	"aws_iam_role":            "aws:iam/getRole:getRole",

	"aws_kms_alias": "aws:kms/getAlias:getAlias",
	"aws_kms_key":   "aws:kms/getKey:getKey",

	"aws_route53_zone": "aws:route53/getZone:getZone",

	"aws_s3_bucket": "aws:s3/getBucket:getBucket",

	"aws_secretsmanager_secret":          "aws:secretsmanager/getSecret:getSecret",
	"aws_secretsmanager_secret_version":  "aws:secretsmanager/getSecretVersion:getSecretVersion",
	"aws_secretsmanager_secret_versions": "aws:secretsmanager/getSecretVersions:getSecretVersions",

	"aws_servicequotas_service_quota": "aws:servicequotas/getServiceQuota:getServiceQuota",

	"aws_sns_topic": "aws:sns/getTopic:getTopic",

	"aws_ssm_parameter": "aws:ssm/getParameter:getParameter",

	"aws_wafv2_web_acl": "aws:wafv2/getWebAcl:getWebAcl",
}
