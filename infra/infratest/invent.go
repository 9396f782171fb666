package infratest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// suffixed returns the physical name that the engine would give a resource: the logical name and seven random digits,
// which here are derived from the URN.
func suffixed(r Resource) string {
	return r.Name + "-" + digest(r.URN)[:7]
}

// named are the types whose names the engine chooses, so that it knows them before the resources exist.
// https://www.pulumi.com/docs/iac/concepts/resources/names/#autonaming
var named = []string{
	"aws:ecr/repository:Repository",
	"aws:lb/loadBalancer:LoadBalancer",
	"aws:lb/targetGroup:TargetGroup",
	"aws:apigatewayv2/api:Api",
	"aws:servicediscovery/service:Service",
	"aws:cloudwatch/logGroup:LogGroup",
	"aws:cloudwatch/metricAlarm:MetricAlarm",
	"aws:sns/topic:Topic",
	"aws:ecs/cluster:Cluster",
	"aws:ecs/service:Service",
	"aws:ssm/parameter:Parameter",
	"aws:scheduler/scheduleGroup:ScheduleGroup",
	"aws:sqs/queue:Queue",
	"aws:cloudwatch/eventRule:EventRule",
	"aws:iam/role:Role",
	"aws:iam/rolePolicy:RolePolicy",
}

func isNamed(r Resource) bool { return slices.Contains(named, r.Type) }

// digest returns 64 hexadecimal digits that are derived from the text.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))

	return hex.EncodeToString(sum[:])
}

// invent returns the outputs of a resource: its inputs, and one value for each property that AWS fills in. An unknown
// type is an error, because an output that is left out would be empty in the program, and tests would compare nothing.
func invent(r Resource) (resource.PropertyMap, error) {
	outputs := r.Inputs.Copy()
	set := func(key, value string) {
		outputs[resource.PropertyKey(key)] = resource.NewProperty(value)
	}
	arn := func(service, rest string) string {
		return fmt.Sprintf("arn:%s:%s:eu-central-1:%s:%s", Partition, service, Account, rest)
	}
	name := suffixed(r)
	if isNamed(r) {
		set("name", name)
	}

	switch r.Type {
	case "aws:ecr/repository:Repository":
		set("arn", arn("ecr", "repository/"+name))
		set("registryId", Account)
		set("repositoryUrl", Account+".dkr.ecr.eu-central-1.amazonaws.com/"+name)
	case "docker:index/image:Image":
		repository, _, _ := strings.Cut(r.Inputs["imageName"].StringValue(), ":")
		// The folder goes by the content, the tag only begins with it.
		set("repoDigest", repository+"@sha256:"+digest(r.URN+plain(r.Inputs["build"]).ObjectValue()["context"].StringValue()))
	case "awsx:ec2:Vpc":
		set("vpcId", "vpc-"+digest(r.URN)[:17])
		outputs["publicSubnetIds"] = subnets(r, "Public")
		outputs["privateSubnetIds"] = subnets(r, "Private")
	case "aws:lb/loadBalancer:LoadBalancer":
		set("arn", arn("elasticloadbalancing", "loadbalancer/app/"+name))
		set("arnSuffix", "app/"+name)
		set("dnsName", name+".eu-central-1.elb.amazonaws.com")
		set("zoneId", "Z"+strings.ToUpper(digest(r.URN)[:12]))
	case "aws:wafv2/webAcl:WebAcl":
		set("arn", arn("wafv2", "regional/webacl/"+name+"/"+digest(r.URN)[:8]))
	case "aws:s3/bucketV2:BucketV2":
		set("bucket", name)
		set("arn", fmt.Sprintf("arn:%s:s3:::%s", Partition, name))
	case "aws:acm/certificate:Certificate":
		set("arn", arn("acm", "certificate/"+name))
		outputs["domainValidationOptions"] = proof(r)
	case "aws:route53/record:Record":
		set("fqdn", r.Inputs["name"].StringValue())
	case "aws:lb/targetGroup:TargetGroup":
		set("arn", arn("elasticloadbalancing", "targetgroup/"+name))
		set("arnSuffix", "targetgroup/"+name)
	case "aws:lb/listener:Listener":
		set("arn", arn("elasticloadbalancing", "listener/app/"+name))
	case "aws:lb/listenerRule:ListenerRule":
		set("arn", arn("elasticloadbalancing", "listener-rule/app/"+name))
	case "aws:apigatewayv2/api:Api":
		set("arn", fmt.Sprintf("arn:%s:apigateway:eu-central-1::/apis/%s", Partition, name))
		set("apiEndpoint", "https://"+name+".execute-api.eu-central-1.amazonaws.com")
	case "aws:apigatewayv2/domainName:DomainName":
		configuration := r.Inputs["domainNameConfiguration"].ObjectValue().Copy()
		configuration["targetDomainName"] = resource.NewProperty("d-" + digest(r.URN)[:10] + ".execute-api.eu-central-1.amazonaws.com")
		configuration["hostedZoneId"] = resource.NewProperty("Z" + strings.ToUpper(digest(r.URN)[:12]))
		outputs["domainNameConfiguration"] = resource.NewProperty(configuration)
	case "aws:servicediscovery/service:Service":
		set("arn", arn("servicediscovery", "service/srv-"+digest(r.URN)[:16]))
	case "aws:cloudwatch/logGroup:LogGroup":
		set("arn", arn("logs", "log-group:"+name))
	case "aws:cloudwatch/metricAlarm:MetricAlarm":
		set("arn", arn("cloudwatch", "alarm:"+name))
	case "aws:sns/topic:Topic":
		set("arn", arn("sns", name))
	case "aws:ecs/cluster:Cluster":
		set("arn", arn("ecs", "cluster/"+name))
	case "aws:ecs/taskDefinition:TaskDefinition":
		set("arn", arn("ecs", "task-definition/"+r.Inputs["family"].StringValue()+":7"))
	case "aws:scheduler/scheduleGroup:ScheduleGroup":
		set("arn", arn("scheduler", "schedule-group/"+name))
	case "aws:sqs/queue:Queue":
		set("arn", arn("sqs", name))
		set("url", "https://sqs.eu-central-1.amazonaws.com/"+Account+"/"+name)
	case "aws:cloudwatch/eventRule:EventRule":
		set("arn", arn("events", "rule/"+name))
	case "aws:iam/role:Role":
		set("arn", fmt.Sprintf("arn:%s:iam::%s:role/%s", Partition, Account, name))
	case "aws:ec2/securityGroup:SecurityGroup",
		"aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
		"aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
		"aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
		"aws:ecr/lifecyclePolicy:LifecyclePolicy",
		"aws:apigatewayv2/apiMapping:ApiMapping",
		"aws:apigatewayv2/integration:Integration",
		"aws:apigatewayv2/route:Route",
		"aws:apigatewayv2/stage:Stage",
		"aws:apigatewayv2/vpcLink:VpcLink",
		"aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace",
		"aws:iam/rolePolicy:RolePolicy",
		"aws:iam/rolePolicyAttachment:RolePolicyAttachment",
		"aws:iam/rolePoliciesExclusive:RolePoliciesExclusive",
		"aws:iam/rolePolicyAttachmentsExclusive:RolePolicyAttachmentsExclusive",
		"aws:appautoscaling/target:Target",
		"aws:appautoscaling/policy:Policy",
		"aws:appautoscaling/scheduledAction:ScheduledAction",
		"aws:ecs/clusterCapacityProviders:ClusterCapacityProviders",
		"aws:ecs/service:Service",
		"aws:ssm/parameter:Parameter",
		"aws:cloudwatch/dashboard:Dashboard",
		"aws:cloudwatch/eventTarget:EventTarget",
		"aws:sqs/queuePolicy:QueuePolicy",
		"aws:scheduler/schedule:Schedule",
		"aws:cloudwatch/logMetricFilter:LogMetricFilter",
		"aws:sns/topicPolicy:TopicPolicy",
		"aws:sns/topicSubscription:TopicSubscription",
		"aws:acm/certificateValidation:CertificateValidation",
		"aws:ec2/flowLog:FlowLog",
		"aws:wafv2/webAclAssociation:WebAclAssociation",
		"aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration",
		"aws:ec2/vpcEndpoint:VpcEndpoint",
		"aws:s3/bucketPolicy:BucketPolicy",
		"aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
		"aws:s3/bucketOwnershipControls:BucketOwnershipControls",
		"aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2",
		"aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2",
		"pulumi:providers:aws":
		// Of these, the program uses no output but the id, which every resource gets.
	default:
		if r.Custom || r.Remote {
			return nil, fmt.Errorf("resource type %s: no outputs are invented for it", r.Type)
		}
	}

	return outputs, nil
}

// proof returns the DNS record with which ACM checks that the domain belongs to whoever requests the certificate.
func proof(certificate Resource) resource.PropertyValue {
	names := []resource.PropertyValue{certificate.Inputs["domainName"]}
	if further := certificate.Inputs["subjectAlternativeNames"]; further.IsArray() {
		names = append(further.ArrayValue(), names...)
	}
	proofs := make([]resource.PropertyValue, len(names))
	for i, name := range names {
		domain := name.StringValue()
		proofs[i] = resource.NewProperty(resource.PropertyMap{
			"domainName":          name,
			"resourceRecordName":  resource.NewProperty("_" + digest(certificate.URN)[:32] + "." + domain + "."),
			"resourceRecordType":  resource.NewProperty("CNAME"),
			"resourceRecordValue": resource.NewProperty("_" + digest(domain)[:32] + ".acm-validations.aws."),
		})
	}

	return resource.NewProperty(proofs)
}

// subnets returns one id for each range of the given type.
func subnets(vpc Resource, kind string) resource.PropertyValue {
	ids := []resource.PropertyValue{}
	for _, spec := range vpc.Inputs["subnetSpecs"].ArrayValue() {
		if spec.ObjectValue()["type"].StringValue() != kind {
			continue
		}
		for _, cidr := range spec.ObjectValue()["cidrBlocks"].ArrayValue() {
			ids = append(ids, resource.NewProperty("subnet-"+digest(vpc.URN + cidr.StringValue())[:17]))
		}
	}

	return resource.NewProperty(ids)
}

// region is where the provider declares everything.
func (r *recorder) region() string {
	for _, declared := range r.graph.Resources {
		if declared.Type == "pulumi:providers:aws" {
			return declared.Inputs["region"].StringValue()
		}
	}

	return ""
}

// zones answers for an account that has opted into a Local Zone. AWS lists it among the other zones, and by name it comes
// first, unless the request leaves out zones that need an opt-in.
func zones(region string, args resource.PropertyMap) resource.PropertyMap {
	names := []string{region + "-xyz-1a", region + "a", region + "b", region + "c"}
	for _, filter := range args["filters"].ArrayValue() {
		wanted := filter.ObjectValue()
		if wanted["name"].StringValue() == "opt-in-status" && wanted["values"].ArrayValue()[0].StringValue() == "opt-in-not-required" {
			names = names[1:]
		}
	}

	return Zones(names, names)
}

// Zones is an answer to a request for zones, with the ids that belong to the names.
func Zones(names, ids []string) resource.PropertyMap {
	answer := resource.PropertyMap{}
	for key, texts := range map[resource.PropertyKey][]string{"names": names, "zoneIds": ids} {
		var list []resource.PropertyValue
		for _, text := range texts {
			list = append(list, resource.NewProperty(text))
		}
		answer[key] = resource.NewProperty(list)
	}

	return answer
}

// ExistingVPC is the VPC of every subnet that a program looks up.
const ExistingVPC = "vpc-0123456789abcdef0"

// SharedListener is the only listener that a program can look up. Its load balancer is in ExistingVPC and has SharedGroup.
const (
	SharedListener = "arn:" + Partition + ":elasticloadbalancing:eu-central-1:" + Account +
		":listener/app/owner/0123456789abcdef/0123456789abcdef"
	SharedGroup = "sg-0123456789abcdef0"

	sharedBalancer = "arn:" + Partition + ":elasticloadbalancing:eu-central-1:" + Account + ":loadbalancer/app/owner/0123456789abcdef"
)

func texts(values ...string) resource.PropertyValue {
	var list []resource.PropertyValue
	for _, value := range values {
		list = append(list, resource.NewProperty(value))
	}

	return resource.NewProperty(list)
}

// SharedBalancer is the load balancer of SharedListener.
func SharedBalancer() resource.PropertyMap {
	return resource.PropertyMap{
		"arn":         resource.NewProperty(sharedBalancer),
		"arnSuffix":   resource.NewProperty("app/owner/0123456789abcdef"),
		"dnsName":     resource.NewProperty("owner-0123456789.eu-central-1.elb.amazonaws.com"),
		"idleTimeout": resource.NewProperty(60.0),

		"xffHeaderProcessingMode": resource.NewProperty("append"),
		"securityGroups":          texts(SharedGroup, "sg-0123456789abcdef1"),
		"subnets":                 texts("subnet-0123456789abcdef0", "subnet-0123456789abcdef1"),
		"vpcId":                   resource.NewProperty(ExistingVPC),
	}
}

// subnet answers a look-up. Each id is in a zone of its own and has an address range of its own.
func subnet(id string) resource.PropertyMap {
	number := digest(id)[:2]

	return resource.PropertyMap{
		"id":               resource.NewProperty(id),
		"vpcId":            resource.NewProperty(ExistingVPC),
		"availabilityZone": resource.NewProperty("eu-central-1-" + number),
		"cidrBlock":        resource.NewProperty(fmt.Sprintf("192.168.%d.0/24", sha256.Sum256([]byte(id))[0])),
	}
}

// SecretARN returns the ARN of the secret with the given name. Like AWS's, it ends in six characters that the program
// cannot know.
func SecretARN(name string) string {
	return fmt.Sprintf("arn:%s:secretsmanager:eu-central-1:%s:secret:%s-%s", Partition, Account, name, digest(name)[:6])
}

// SecretVersion returns the id of the current version of the secret with the given ARN.
func SecretVersion(arn string) string { return digest(arn)[:32] }

func (r *recorder) answer(token string, args resource.PropertyMap) (resource.PropertyMap, error) {
	switch token {
	case "aws:index/getPartition:getPartition":
		return resource.PropertyMap{"partition": resource.NewProperty(Partition)}, nil
	case "aws:index/getCallerIdentity:getCallerIdentity":
		return resource.PropertyMap{"accountId": resource.NewProperty(Account)}, nil
	case "aws:index/getAvailabilityZones:getAvailabilityZones":
		return zones(r.region(), args), nil
	case "aws:ecr/getAuthorizationToken:getAuthorizationToken":
		return resource.PropertyMap{
			"userName": resource.NewProperty("AWS"),
			"password": resource.NewProperty("password-of-registry-" + args["registryId"].StringValue()),
		}, nil
	case "aws:ec2/getRouteTables:getRouteTables":
		id := args["vpcId"].StringValue()
		return resource.PropertyMap{"ids": resource.NewProperty([]resource.PropertyValue{
			resource.NewProperty("rtb-" + digest(id + "public")[:17]), resource.NewProperty("rtb-" + digest(id + "private")[:17]),
		})}, nil
	case "aws:vpc/getSecurityGroupRules:getSecurityGroupRules":
		return resource.PropertyMap{"ids": texts()}, nil
	case "aws:ec2/getManagedPrefixList:getManagedPrefixList":
		return resource.PropertyMap{
			"id": args["id"], "name": resource.NewProperty("office"), "ownerId": resource.NewProperty(Account),
			"addressFamily": resource.NewProperty("IPv4"), "maxEntries": resource.NewProperty(10.0),
			"entries": resource.NewProperty([]resource.PropertyValue{
				resource.NewProperty(resource.PropertyMap{"cidr": resource.NewProperty("203.0.113.0/24"), "description": resource.NewProperty("")}),
			}),
		}, nil
	case "aws:ec2/getSubnet:getSubnet":
		return subnet(args["id"].StringValue()), nil
	case "aws:lb/getListener:getListener":
		if got := args["arn"].StringValue(); got != SharedListener {
			return nil, fmt.Errorf("listener %s: there is none", got)
		}
		return resource.PropertyMap{
			"arn": args["arn"], "loadBalancerArn": resource.NewProperty(sharedBalancer), "protocol": resource.NewProperty("HTTPS"),
		}, nil
	case "aws:lb/getLoadBalancer:getLoadBalancer":
		if got := args["arn"].StringValue(); got != sharedBalancer {
			return nil, fmt.Errorf("load balancer %s: there is none", got)
		}
		return SharedBalancer(), nil
	case "aws:ssm/getParameter:getParameter":
		value := "value of " + args["name"].StringValue()
		if decrypt := args["withDecryption"]; !decrypt.IsBool() || !decrypt.BoolValue() {
			value = digest(value)
		}
		return resource.PropertyMap{"value": resource.NewProperty(value), "version": resource.NewProperty(3.0)}, nil
	case "aws:secretsmanager/getSecretVersion:getSecretVersion":
		return resource.PropertyMap{"secretString": resource.NewProperty(`{"client":"value of ` + args["secretId"].StringValue() + `"}`)}, nil
	case "aws:secretsmanager/getSecretVersions:getSecretVersions":
		version := func(id, stage string) resource.PropertyValue {
			return resource.NewProperty(resource.PropertyMap{"versionId": resource.NewProperty(id), "versionStages": texts(stage)})
		}
		return resource.PropertyMap{"versions": resource.NewProperty([]resource.PropertyValue{
			version("previous", "AWSPREVIOUS"), version(SecretVersion(args["secretId"].StringValue()), "AWSCURRENT"),
		})}, nil
	case "aws:secretsmanager/getSecret:getSecret":
		if arn, given := args["arn"]; given && arn.IsString() {
			return resource.PropertyMap{"arn": arn}, nil
		}
		return resource.PropertyMap{"arn": resource.NewProperty(SecretARN(args["name"].StringValue()))}, nil
	default:
		return nil, fmt.Errorf("call of %s: no answer is known", token)
	}
}

// plain is a value without the mark of a secret.
func plain(value resource.PropertyValue) resource.PropertyValue {
	if value.IsSecret() {
		return value.SecretValue().Element
	}

	return value
}
