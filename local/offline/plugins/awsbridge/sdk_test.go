package awsbridge

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/acm"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/apigatewayv2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/appautoscaling"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecr"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecs"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/elb"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/kms"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/rds"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/scheduler"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/secretsmanager"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/servicediscovery"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/servicequotas"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sns"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sqs"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
)

// The SDK's types by token. wafv2 is left out: its package has 140,600 lines and takes a minute to compile, for three
// resources whose names the bridge derives by the same rules.

var sdkProvider = aws.ProviderArgs{}

var sdkResources = map[string]types{
	"aws:acm/certificate:Certificate":                                           {acm.CertificateArgs{}, acm.Certificate{}},
	"aws:acm/certificateValidation:CertificateValidation":                       {acm.CertificateValidationArgs{}, acm.CertificateValidation{}},
	"aws:apigatewayv2/api:Api":                                                  {apigatewayv2.ApiArgs{}, apigatewayv2.Api{}},
	"aws:apigatewayv2/apiMapping:ApiMapping":                                    {apigatewayv2.ApiMappingArgs{}, apigatewayv2.ApiMapping{}},
	"aws:apigatewayv2/domainName:DomainName":                                    {apigatewayv2.DomainNameArgs{}, apigatewayv2.DomainName{}},
	"aws:apigatewayv2/integration:Integration":                                  {apigatewayv2.IntegrationArgs{}, apigatewayv2.Integration{}},
	"aws:apigatewayv2/route:Route":                                              {apigatewayv2.RouteArgs{}, apigatewayv2.Route{}},
	"aws:apigatewayv2/stage:Stage":                                              {apigatewayv2.StageArgs{}, apigatewayv2.Stage{}},
	"aws:apigatewayv2/vpcLink:VpcLink":                                          {apigatewayv2.VpcLinkArgs{}, apigatewayv2.VpcLink{}},
	"aws:appautoscaling/policy:Policy":                                          {appautoscaling.PolicyArgs{}, appautoscaling.Policy{}},
	"aws:appautoscaling/scheduledAction:ScheduledAction":                        {appautoscaling.ScheduledActionArgs{}, appautoscaling.ScheduledAction{}},
	"aws:appautoscaling/target:Target":                                          {appautoscaling.TargetArgs{}, appautoscaling.Target{}},
	"aws:cloudwatch/compositeAlarm:CompositeAlarm":                              {cloudwatch.CompositeAlarmArgs{}, cloudwatch.CompositeAlarm{}},
	"aws:cloudwatch/dashboard:Dashboard":                                        {cloudwatch.DashboardArgs{}, cloudwatch.Dashboard{}},
	"aws:cloudwatch/eventRule:EventRule":                                        {cloudwatch.EventRuleArgs{}, cloudwatch.EventRule{}},
	"aws:cloudwatch/eventTarget:EventTarget":                                    {cloudwatch.EventTargetArgs{}, cloudwatch.EventTarget{}},
	"aws:iam/rolePoliciesExclusive:RolePoliciesExclusive":                       {iam.RolePoliciesExclusiveArgs{}, iam.RolePoliciesExclusive{}},
	"aws:iam/rolePolicyAttachmentsExclusive:RolePolicyAttachmentsExclusive":     {iam.RolePolicyAttachmentsExclusiveArgs{}, iam.RolePolicyAttachmentsExclusive{}},
	"aws:scheduler/schedule:Schedule":                                           {scheduler.ScheduleArgs{}, scheduler.Schedule{}},
	"aws:scheduler/scheduleGroup:ScheduleGroup":                                 {scheduler.ScheduleGroupArgs{}, scheduler.ScheduleGroup{}},
	"aws:sqs/queue:Queue":                                                       {sqs.QueueArgs{}, sqs.Queue{}},
	"aws:sqs/queuePolicy:QueuePolicy":                                           {sqs.QueuePolicyArgs{}, sqs.QueuePolicy{}},
	"aws:cloudwatch/logGroup:LogGroup":                                          {cloudwatch.LogGroupArgs{}, cloudwatch.LogGroup{}},
	"aws:cloudwatch/logMetricFilter:LogMetricFilter":                            {cloudwatch.LogMetricFilterArgs{}, cloudwatch.LogMetricFilter{}},
	"aws:cloudwatch/logResourcePolicy:LogResourcePolicy":                        {cloudwatch.LogResourcePolicyArgs{}, cloudwatch.LogResourcePolicy{}},
	"aws:cloudwatch/metricAlarm:MetricAlarm":                                    {cloudwatch.MetricAlarmArgs{}, cloudwatch.MetricAlarm{}},
	"aws:cloudwatch/queryDefinition:QueryDefinition":                            {cloudwatch.QueryDefinitionArgs{}, cloudwatch.QueryDefinition{}},
	"aws:ec2/defaultSecurityGroup:DefaultSecurityGroup":                         {ec2.DefaultSecurityGroupArgs{}, ec2.DefaultSecurityGroup{}},
	"aws:ec2/egressOnlyInternetGateway:EgressOnlyInternetGateway":               {ec2.EgressOnlyInternetGatewayArgs{}, ec2.EgressOnlyInternetGateway{}},
	"aws:ec2/eip:Eip":                                                           {ec2.EipArgs{}, ec2.Eip{}},
	"aws:ec2/flowLog:FlowLog":                                                   {ec2.FlowLogArgs{}, ec2.FlowLog{}},
	"aws:ec2/internetGateway:InternetGateway":                                   {ec2.InternetGatewayArgs{}, ec2.InternetGateway{}},
	"aws:ec2/natGateway:NatGateway":                                             {ec2.NatGatewayArgs{}, ec2.NatGateway{}},
	"aws:ec2/route:Route":                                                       {ec2.RouteArgs{}, ec2.Route{}},
	"aws:ec2/routeTable:RouteTable":                                             {ec2.RouteTableArgs{}, ec2.RouteTable{}},
	"aws:ec2/routeTableAssociation:RouteTableAssociation":                       {ec2.RouteTableAssociationArgs{}, ec2.RouteTableAssociation{}},
	"aws:ec2/securityGroup:SecurityGroup":                                       {ec2.SecurityGroupArgs{}, ec2.SecurityGroup{}},
	"aws:ec2/securityGroupRule:SecurityGroupRule":                               {ec2.SecurityGroupRuleArgs{}, ec2.SecurityGroupRule{}},
	"aws:ec2/subnet:Subnet":                                                     {ec2.SubnetArgs{}, ec2.Subnet{}},
	"aws:ec2/vpc:Vpc":                                                           {ec2.VpcArgs{}, ec2.Vpc{}},
	"aws:ec2/vpcEndpoint:VpcEndpoint":                                           {ec2.VpcEndpointArgs{}, ec2.VpcEndpoint{}},
	"aws:ec2/vpcEndpointRouteTableAssociation:VpcEndpointRouteTableAssociation": {ec2.VpcEndpointRouteTableAssociationArgs{}, ec2.VpcEndpointRouteTableAssociation{}},
	"aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule":                   {vpc.SecurityGroupEgressRuleArgs{}, vpc.SecurityGroupEgressRule{}},
	"aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule":                 {vpc.SecurityGroupIngressRuleArgs{}, vpc.SecurityGroupIngressRule{}},
	"aws:ecr/lifecyclePolicy:LifecyclePolicy":                                   {ecr.LifecyclePolicyArgs{}, ecr.LifecyclePolicy{}},
	"aws:ecr/repository:Repository":                                             {ecr.RepositoryArgs{}, ecr.Repository{}},
	"aws:ecr/repositoryPolicy:RepositoryPolicy":                                 {ecr.RepositoryPolicyArgs{}, ecr.RepositoryPolicy{}},
	"aws:ecs/cluster:Cluster":                                                   {ecs.ClusterArgs{}, ecs.Cluster{}},
	"aws:ecs/clusterCapacityProviders:ClusterCapacityProviders":                 {ecs.ClusterCapacityProvidersArgs{}, ecs.ClusterCapacityProviders{}},
	"aws:ecs/service:Service":                                                   {ecs.ServiceArgs{}, ecs.Service{}},
	"aws:ecs/taskDefinition:TaskDefinition":                                     {ecs.TaskDefinitionArgs{}, ecs.TaskDefinition{}},
	"aws:iam/openIdConnectProvider:OpenIdConnectProvider":                       {iam.OpenIdConnectProviderArgs{}, iam.OpenIdConnectProvider{}},
	"aws:iam/policy:Policy":                                                     {iam.PolicyArgs{}, iam.Policy{}},
	"aws:iam/role:Role":                                                         {iam.RoleArgs{}, iam.Role{}},
	"aws:iam/rolePolicy:RolePolicy":                                             {iam.RolePolicyArgs{}, iam.RolePolicy{}},
	"aws:iam/rolePolicyAttachment:RolePolicyAttachment":                         {iam.RolePolicyAttachmentArgs{}, iam.RolePolicyAttachment{}},
	"aws:kms/alias:Alias":                                                       {kms.AliasArgs{}, kms.Alias{}},
	"aws:kms/key:Key":                                                           {kms.KeyArgs{}, kms.Key{}},
	"aws:lb/loadBalancer:LoadBalancer":                                          {lb.LoadBalancerArgs{}, lb.LoadBalancer{}},
	"aws:lb/listener:Listener":                                                  {lb.ListenerArgs{}, lb.Listener{}},
	"aws:lb/listenerCertificate:ListenerCertificate":                            {lb.ListenerCertificateArgs{}, lb.ListenerCertificate{}},
	"aws:lb/listenerRule:ListenerRule":                                          {lb.ListenerRuleArgs{}, lb.ListenerRule{}},
	"aws:lb/targetGroup:TargetGroup":                                            {lb.TargetGroupArgs{}, lb.TargetGroup{}},
	"aws:rds/instance:Instance":                                                 {rds.InstanceArgs{}, rds.Instance{}},
	"aws:rds/subnetGroup:SubnetGroup":                                           {rds.SubnetGroupArgs{}, rds.SubnetGroup{}},
	"aws:route53/record:Record":                                                 {route53.RecordArgs{}, route53.Record{}},
	"aws:route53/zone:Zone":                                                     {route53.ZoneArgs{}, route53.Zone{}},
	"aws:s3/bucketV2:BucketV2":                                                  {s3.BucketV2Args{}, s3.BucketV2{}},
	"aws:s3/bucketAclV2:BucketAclV2":                                            {s3.BucketAclV2Args{}, s3.BucketAclV2{}},
	"aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2":      {s3.BucketLifecycleConfigurationV2Args{}, s3.BucketLifecycleConfigurationV2{}},
	"aws:s3/bucketLoggingV2:BucketLoggingV2":                                    {s3.BucketLoggingV2Args{}, s3.BucketLoggingV2{}},
	"aws:s3/bucketOwnershipControls:BucketOwnershipControls":                    {s3.BucketOwnershipControlsArgs{}, s3.BucketOwnershipControls{}},
	"aws:s3/bucketPolicy:BucketPolicy":                                          {s3.BucketPolicyArgs{}, s3.BucketPolicy{}},
	"aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock":                    {s3.BucketPublicAccessBlockArgs{}, s3.BucketPublicAccessBlock{}},
	"aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2": {s3.BucketServerSideEncryptionConfigurationV2Args{}, s3.BucketServerSideEncryptionConfigurationV2{}},
	"aws:s3/bucketVersioningV2:BucketVersioningV2":                                               {s3.BucketVersioningV2Args{}, s3.BucketVersioningV2{}},
	"aws:secretsmanager/secret:Secret":                                                           {secretsmanager.SecretArgs{}, secretsmanager.Secret{}},
	"aws:secretsmanager/secretVersion:SecretVersion":                                             {secretsmanager.SecretVersionArgs{}, secretsmanager.SecretVersion{}},
	"aws:sns/topic:Topic":                                                                        {sns.TopicArgs{}, sns.Topic{}},
	"aws:sns/topicPolicy:TopicPolicy":                                                            {sns.TopicPolicyArgs{}, sns.TopicPolicy{}},
	"aws:sns/topicSubscription:TopicSubscription":                                                {sns.TopicSubscriptionArgs{}, sns.TopicSubscription{}},
	"aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace":                               {servicediscovery.PrivateDnsNamespaceArgs{}, servicediscovery.PrivateDnsNamespace{}},
	"aws:servicediscovery/service:Service":                                                       {servicediscovery.ServiceArgs{}, servicediscovery.Service{}},
	"aws:ssm/parameter:Parameter":                                                                {ssm.ParameterArgs{}, ssm.Parameter{}},
}

var sdkFunctions = map[string]types{
	"aws:index/getAvailabilityZones:getAvailabilityZones":    {aws.GetAvailabilityZonesArgs{}, aws.GetAvailabilityZonesResult{}},
	"aws:index/getCallerIdentity:getCallerIdentity":          {aws.GetCallerIdentityArgs{}, aws.GetCallerIdentityResult{}},
	"aws:index/getDefaultTags:getDefaultTags":                {aws.GetDefaultTagsArgs{}, aws.GetDefaultTagsResult{}},
	"aws:index/getPartition:getPartition":                    {aws.GetPartitionArgs{}, aws.GetPartitionResult{}},
	"aws:index/getRegion:getRegion":                          {aws.GetRegionArgs{}, aws.GetRegionResult{}},
	"aws:vpc/getSecurityGroupRule:getSecurityGroupRule":      {vpc.GetSecurityGroupRuleArgs{}, vpc.GetSecurityGroupRuleResult{}},
	"aws:vpc/getSecurityGroupRules:getSecurityGroupRules":    {vpc.GetSecurityGroupRulesArgs{}, vpc.GetSecurityGroupRulesResult{}},
	"aws:servicequotas/getServiceQuota:getServiceQuota":      {servicequotas.LookupServiceQuotaArgs{}, servicequotas.LookupServiceQuotaResult{}},
	"aws:acm/getCertificate:getCertificate":                  {acm.LookupCertificateArgs{}, acm.LookupCertificateResult{}},
	"aws:cloudwatch/getLogGroup:getLogGroup":                 {cloudwatch.LookupLogGroupArgs{}, cloudwatch.LookupLogGroupResult{}},
	"aws:ec2/getManagedPrefixList:getManagedPrefixList":      {ec2.LookupManagedPrefixListArgs{}, ec2.LookupManagedPrefixListResult{}},
	"aws:ec2/getRouteTable:getRouteTable":                    {ec2.LookupRouteTableArgs{}, ec2.LookupRouteTableResult{}},
	"aws:ec2/getRouteTables:getRouteTables":                  {ec2.GetRouteTablesArgs{}, ec2.GetRouteTablesResult{}},
	"aws:ec2/getSecurityGroup:getSecurityGroup":              {ec2.LookupSecurityGroupArgs{}, ec2.LookupSecurityGroupResult{}},
	"aws:ec2/getSubnet:getSubnet":                            {ec2.LookupSubnetArgs{}, ec2.LookupSubnetResult{}},
	"aws:ec2/getSubnets:getSubnets":                          {ec2.GetSubnetsArgs{}, ec2.GetSubnetsResult{}},
	"aws:ec2/getVpc:getVpc":                                  {ec2.LookupVpcArgs{}, ec2.LookupVpcResult{}},
	"aws:ecr/getAuthorizationToken:getAuthorizationToken":    {ecr.GetAuthorizationTokenArgs{}, ecr.GetAuthorizationTokenResult{}},
	"aws:ecr/getImage:getImage":                              {ecr.GetImageArgs{}, ecr.GetImageResult{}},
	"aws:ecr/getRepository:getRepository":                    {ecr.LookupRepositoryArgs{}, ecr.LookupRepositoryResult{}},
	"aws:ecs/getCluster:getCluster":                          {ecs.LookupClusterArgs{}, ecs.LookupClusterResult{}},
	"aws:ecs/getService:getService":                          {ecs.LookupServiceArgs{}, ecs.LookupServiceResult{}},
	"aws:ecs/getTaskDefinition:getTaskDefinition":            {ecs.LookupTaskDefinitionArgs{}, ecs.LookupTaskDefinitionResult{}},
	"aws:elb/getHostedZoneId:getHostedZoneId":                {elb.GetHostedZoneIdArgs{}, elb.GetHostedZoneIdResult{}},
	"aws:elb/getServiceAccount:getServiceAccount":            {elb.GetServiceAccountArgs{}, elb.GetServiceAccountResult{}},
	"aws:lb/getLoadBalancer:getLoadBalancer":                 {lb.LookupLoadBalancerArgs{}, lb.LookupLoadBalancerResult{}},
	"aws:lb/getListener:getListener":                         {lb.LookupListenerArgs{}, lb.LookupListenerResult{}},
	"aws:lb/getHostedZoneId:getHostedZoneId":                 {lb.GetHostedZoneIdArgs{}, lb.GetHostedZoneIdResult{}},
	"aws:lb/getTargetGroup:getTargetGroup":                   {lb.LookupTargetGroupArgs{}, lb.LookupTargetGroupResult{}},
	"aws:iam/getPolicy:getPolicy":                            {iam.LookupPolicyArgs{}, iam.LookupPolicyResult{}},
	"aws:iam/getPolicyDocument:getPolicyDocument":            {iam.GetPolicyDocumentArgs{}, iam.GetPolicyDocumentResult{}},
	"aws:iam/getRole:getRole":                                {iam.LookupRoleArgs{}, iam.LookupRoleResult{}},
	"aws:kms/getAlias:getAlias":                              {kms.LookupAliasArgs{}, kms.LookupAliasResult{}},
	"aws:kms/getKey:getKey":                                  {kms.LookupKeyArgs{}, kms.LookupKeyResult{}},
	"aws:route53/getZone:getZone":                            {route53.LookupZoneArgs{}, route53.LookupZoneResult{}},
	"aws:s3/getBucket:getBucket":                             {s3.LookupBucketArgs{}, s3.LookupBucketResult{}},
	"aws:secretsmanager/getSecretVersion:getSecretVersion":   {secretsmanager.LookupSecretVersionArgs{}, secretsmanager.LookupSecretVersionResult{}},
	"aws:secretsmanager/getSecretVersions:getSecretVersions": {secretsmanager.GetSecretVersionsArgs{}, secretsmanager.GetSecretVersionsResult{}},
	"aws:secretsmanager/getSecret:getSecret":                 {secretsmanager.LookupSecretArgs{}, secretsmanager.LookupSecretResult{}},
	"aws:sns/getTopic:getTopic":                              {sns.LookupTopicArgs{}, sns.LookupTopicResult{}},
	"aws:ssm/getParameter:getParameter":                      {ssm.LookupParameterArgs{}, ssm.LookupParameterResult{}},
}
