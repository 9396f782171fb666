"""What AWS's documentation says about requests and its models do not.

A quota that AWS raises on request stands with its default: a stack that needs more does not deploy into a new account.
"""

import ipaddress
import json
import re
import threading
from collections import defaultdict

from check import quote, under

EC2 = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/"
ECS = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/"
ELB = "https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/"
LOGS = "https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/"
ALB_QUOTAS = "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html"
ECS_QUOTAS = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html"
IAM_QUOTAS = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"
VPC_QUOTAS = "https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html#vpc-limits-security-groups"


def matching(pattern):
    return lambda value: re.fullmatch(pattern, plain(value), re.ASCII | re.DOTALL) is not None


def without(end, *reserved):
    return lambda value: not getattr(plain(value).lower(), end)(reserved)


def both(*rules):
    return lambda value: all(rule(value) for rule in rules)


def between(least, most):
    return lambda value: whole(value) is not None and least <= whole(value) <= most


def one_of(*numbers):
    return lambda value: whole(value) in numbers


def entries(most):
    return lambda value: len(value) <= most


def characters(most):
    return lambda value: len(plain(value)) <= most


def dense(most):
    """A limit for a policy, of which IAM does not count the white space."""
    return lambda value: len("".join(plain(value).split())) <= most


def attribute(key, rule):
    return lambda value: plain(value.get("Key")) != key or rule(value.get("Value"))


def having(*members):
    """For members that the model calls optional."""
    return lambda value: all(plain(value.get(member)) for member in members)


def netmask(value):
    try:
        return 16 <= ipaddress.IPv4Network(plain(value), strict=False).prefixlen <= 28 and "/" in plain(value)
    except ValueError:
        return False


def bucket(value):
    return (
        matching(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")(value)
        and ".." not in value
        and not re.fullmatch(r"\d+(\.\d+){3}", value)
        and without("startswith", "xn--", "sthree-", "amzn-s3-demo-")(value)
        and without("endswith", "-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")(value)
    )


def parameter(value):
    name = plain(value).removeprefix("/")
    return (
        matching(r"[A-Za-z0-9_./-]{1,1011}")(value)
        and without("startswith", "aws", "ssm")(name)
        and name.count("/") < 15
    )


def condition_values(value):
    """At most five values in all conditions of a listener rule."""
    return sum(len(found) for condition in value for found in values_of(condition)) <= 5


def values_of(condition):
    yield condition.get("Values", [])
    yield from (config.get("Values", []) for config in condition.values() if isinstance(config, dict))


# Memory in MiB that goes with a task's CPU units on Fargate.
SIZES = {
    "256": (512, 1024, 2048),
    "512": range(1024, 4097, 1024),
    "1024": range(2048, 8193, 1024),
    "2048": range(4096, 16385, 1024),
    "4096": range(8192, 30721, 1024),
    "8192": range(16384, 61441, 4096),
    "16384": range(32768, 122881, 8192),
}


def fargate(value):
    return "FARGATE" not in (value.get("requiresCompatibilities") or []) or whole(value.get("memory")) in SIZES.get(plain(value.get("cpu")), ())


def plain(value):
    """A leaf as text."""
    return value if isinstance(value, str) else str(value) if isinstance(value, (int, float)) else ""


def whole(value):
    return int(plain(value)) if re.fullmatch(r"-?\d+", plain(value)) else None


NAME = matching(r"[A-Za-z0-9_-]{1,255}")
NAME_SAYS = "up to 255 letters, digits, underscores and hyphens"
BALANCER = matching(r"[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?")
BALANCER_SAYS = "up to 32 letters, digits and hyphens, with no hyphen at either end"
GROUP = matching(r"[A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{0,255}")
GROUP_SAYS = "up to 255 letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*"
BUCKET_SAYS = (
    "3 to 63 lower-case letters, digits, dots and hyphens, beginning and ending with a letter or digit, no two dots together, "
    "no IP address, none of the reserved prefixes and suffixes"
)
DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
SERVICES, RULES = "CreateService UpdateService", "AuthorizeSecurityGroupIngress AuthorizeSecurityGroupEgress"
TASK, CONTAINER = "RegisterTaskDefinition", "containerDefinitions[]."
LB, TG, LISTENER = "ModifyLoadBalancerAttributes", "ModifyTargetGroupAttributes", "CreateRule ModifyRule"

# Service, its operations, the values ([] stands for every entry of a list), the rule, what is allowed, the source.
DOCUMENTED = [
    ("ecs", "CreateCluster", "clusterName", NAME, NAME_SAYS, ECS + "API_CreateCluster.html"),
    ("ecs", "CreateService", "serviceName", NAME, NAME_SAYS, ECS + "API_CreateService.html"),
    ("ecs", SERVICES, "networkConfiguration.awsvpcConfiguration.subnets", entries(16), "at most 16 subnets", ECS + "API_AwsVpcConfiguration.html"),
    ("ecs", SERVICES, "networkConfiguration.awsvpcConfiguration.securityGroups", entries(5), "at most 5 security groups", ECS + "API_AwsVpcConfiguration.html"),
    ("ecs", SERVICES, "loadBalancers", entries(5), "at most 5 target groups", ECS_QUOTAS),
    ("ecs", TASK, "family", NAME, NAME_SAYS, ECS + "API_RegisterTaskDefinition.html"),
    ("ecs", TASK, "", lambda value: len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()) <= 64 << 10, "at most 64 KiB", ECS_QUOTAS),
    ("ecs", TASK, "containerDefinitions", entries(10), "at most 10 containers", ECS_QUOTAS),
    ("ecs", TASK, "", fargate, "a pair of cpu and memory that Fargate has", ECS + "API_RegisterTaskDefinition.html"),
    ("ecs", TASK, "containerDefinitions[]", having("name", "image"), "a container with a name and an image", "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html"),
    ("ecs", TASK, CONTAINER + "name", NAME, NAME_SAYS, ECS + "API_ContainerDefinition.html"),
    ("ecs", TASK, CONTAINER + "stopTimeout", between(2, 120), "2 to 120 seconds on Fargate", ECS + "API_ContainerDefinition.html"),
    ("ecs", TASK, CONTAINER + "startTimeout", between(2, 120), "2 to 120 seconds on Fargate", ECS + "API_ContainerDefinition.html"),
    ("ecs", TASK, CONTAINER + "healthCheck.interval", between(5, 300), "5 to 300 seconds", ECS + "API_HealthCheck.html"),
    ("ecs", TASK, CONTAINER + "healthCheck.timeout", between(2, 60), "2 to 60 seconds", ECS + "API_HealthCheck.html"),
    ("ecs", TASK, CONTAINER + "healthCheck.retries", between(1, 10), "1 to 10", ECS + "API_HealthCheck.html"),
    ("ecs", TASK, CONTAINER + "healthCheck.startPeriod", between(0, 300), "0 to 300 seconds", ECS + "API_HealthCheck.html"),
    ("ecs", TASK, CONTAINER + "restartPolicy.restartAttemptPeriod", between(60, 1800), "60 to 1800 seconds", ECS + "API_ContainerRestartPolicy.html"),
    ("ecs", TASK, "ephemeralStorage.sizeInGiB", between(21, 200), "21 to 200 GiB", ECS + "API_EphemeralStorage.html"),
    ("elbv2", "CreateLoadBalancer", "Name", both(BALANCER, without("startswith", "internal-")), BALANCER_SAYS + ", not beginning with internal-", ELB + "API_CreateLoadBalancer.html"),
    ("elbv2", "CreateTargetGroup", "Name", BALANCER, BALANCER_SAYS, ELB + "API_CreateTargetGroup.html"),
    ("elbv2", LB, "Attributes[]", attribute("idle_timeout.timeout_seconds", between(1, 4000)), "1 to 4000 seconds", ELB + "API_LoadBalancerAttribute.html"),
    ("elbv2", LB, "Attributes[]", attribute("client_keep_alive.seconds", between(60, 604800)), "60 to 604800 seconds", ELB + "API_LoadBalancerAttribute.html"),
    ("elbv2", TG, "Attributes[]", attribute("deregistration_delay.timeout_seconds", between(0, 3600)), "0 to 3600 seconds", ELB + "API_TargetGroupAttribute.html"),
    ("elbv2", TG, "Attributes[]", attribute("slow_start.duration_seconds", lambda value: whole(value) == 0 or between(30, 900)(value)), "0, or 30 to 900 seconds", ELB + "API_TargetGroupAttribute.html"),
    ("elbv2", TG, "Attributes[]", attribute("stickiness.lb_cookie.duration_seconds", between(1, 604800)), "1 to 604800 seconds", ELB + "API_TargetGroupAttribute.html"),
    ("elbv2", LISTENER, "Conditions[].PathPatternConfig.Values[]", characters(128), "at most 128 characters", ELB + "API_PathPatternConditionConfig.html"),
    ("elbv2", LISTENER, "Conditions[].HostHeaderConfig.Values[]", characters(128), "at most 128 characters", ELB + "API_HostHeaderConditionConfig.html"),
    ("elbv2", LISTENER, "Conditions", condition_values, "at most 5 values in all conditions of a rule", ALB_QUOTAS),
    ("ec2", "CreateSecurityGroup", "GroupName", both(GROUP, without("startswith", "sg-")), GROUP_SAYS + ", not beginning with sg-", EC2 + "API_CreateSecurityGroup.html"),
    ("ec2", "CreateSecurityGroup", "Description", GROUP, GROUP_SAYS, EC2 + "API_CreateSecurityGroup.html"),
    ("ec2", RULES, "IpPermissions[].IpRanges[].Description", GROUP, GROUP_SAYS, EC2 + "API_IpRange.html"),
    ("ec2", RULES, "IpPermissions[].Ipv6Ranges[].Description", GROUP, GROUP_SAYS, EC2 + "API_Ipv6Range.html"),
    ("ec2", RULES, "IpPermissions[].UserIdGroupPairs[].Description", GROUP, GROUP_SAYS, EC2 + "API_UserIdGroupPair.html"),
    ("ec2", RULES, "IpPermissions[].PrefixListIds[].Description", GROUP, GROUP_SAYS, EC2 + "API_PrefixListId.html"),
    ("ec2", "CreateVpc", "CidrBlock", netmask, "an IPv4 range of /16 to /28", "https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html"),
    ("ec2", "CreateSubnet", "CidrBlock", netmask, "an IPv4 range of /16 to /28", EC2 + "API_CreateSubnet.html"),
    ("s3", "CreateBucket", "Bucket", bucket, BUCKET_SAYS, "https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html"),
    ("ssm", "PutParameter", "Name", parameter, "up to 1011 letters, digits and _.-/, in at most 15 levels, not beginning with aws or ssm in any case", "https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html"),
    ("secretsmanager", "CreateSecret", "Name", matching(r"[A-Za-z0-9/_+=.@-]+"), "letters, digits and /_+=.@-", "https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html"),
    ("kms", "CreateAlias", "AliasName", both(matching(r"alias/[A-Za-z0-9/_-]+"), without("startswith", "alias/aws/")), "alias/ and letters, digits and /_-, not beginning with alias/aws/", "https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateAlias.html"),
    ("sns", "CreateTopic", "Name", matching(r"[A-Za-z0-9_-]{1,251}(\.fifo)?|[A-Za-z0-9_-]{1,256}"), "1 to 256 letters, digits, underscores and hyphens", "https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html"),
    ("wafv2", "PutLoggingConfiguration", "LoggingConfiguration.LogDestinationConfigs", entries(1), "one destination", "https://docs.aws.amazon.com/waf/latest/APIReference/API_LoggingConfiguration.html"),
    ("wafv2", "PutLoggingConfiguration", "LoggingConfiguration.LogDestinationConfigs[]", matching(r".*[:/]aws-waf-logs-[^:/]*(:\*)?"), "a destination whose name begins with aws-waf-logs-", "https://docs.aws.amazon.com/waf/latest/APIReference/API_LoggingConfiguration.html"),
    ("logs", "CreateLogGroup", "logGroupName", without("startswith", "aws/"), "a name not beginning with aws/", LOGS + "API_CreateLogGroup.html"),
    ("logs", "PutRetentionPolicy", "retentionInDays", one_of(*DAYS), ", ".join(map(str, DAYS[:-1])) + f" or {DAYS[-1]} days", LOGS + "API_PutRetentionPolicy.html"),
    ("cloudwatch", "PutMetricAlarm", "Period", lambda value: whole(value) in (10, 20, 30) or whole(value) and whole(value) % 60 == 0, "10, 20, 30 or a multiple of 60 seconds", "https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"),
    ("iam", "CreateRole", "AssumeRolePolicyDocument", dense(2048), "at most 2048 characters that are not white space", IAM_QUOTAS),
    ("iam", "UpdateAssumeRolePolicy", "PolicyDocument", dense(2048), "at most 2048 characters that are not white space", IAM_QUOTAS),
    ("iam", "CreatePolicy CreatePolicyVersion", "PolicyDocument", dense(6144), "at most 6144 characters that are not white space", IAM_QUOTAS),
]


def apply(check, value, account):
    """Holds a call against all that is documented."""
    for service, operations, member, rule, allowed, source in DOCUMENTED:
        if service == check.call.service and check.call.operation in operations.split():
            for path, found in find(member, value):
                if not fits(rule, found):
                    check.add(path, quote(None, found), allowed, source)
    tags(check, "", value)
    account.count(check, value)


def fits(rule, value):
    try:
        return rule(value)
    except (AttributeError, TypeError):
        return True  # of another type, which the model refuses


def find(member, value, path=""):
    """The values at a rule's path, and where each is."""
    if value is None:
        return []
    if not member:
        return [(path, value)]
    step, _, rest = member.partition(".")
    name = step.removesuffix("[]")
    below = value.get(name) if name and isinstance(value, dict) else value if not name else None
    path = under(path, name) if name else path
    if not step.endswith("[]"):
        return find(rest, below, path)
    items = below if isinstance(below, list) else []
    return [found for i, item in enumerate(items) for found in find(rest, item, f"{path}[{i}]")]


TAGS = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions"


def tags(check, path, value):
    """What is documented for tags, everywhere alike; some models have a part of it.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Tag.html
    """
    if isinstance(value, list):
        for i, item in enumerate(value):
            tags(check, f"{path}[{i}]", item)
    elif isinstance(value, dict):
        for name in sorted(value):
            (tagged if name.lower() in ("tags", "tagset") else tags)(check, under(path, name), value[name])


def tagged(check, path, value):
    """The tags of one thing: a list of keys and values, or a map."""
    if isinstance(value, dict):
        pairs = [(f'{path}["{key}"]', key, plain(value[key])) for key in sorted(value)]
    elif isinstance(value, list):
        named = [{key.lower().removeprefix("tag"): plain(part) for key, part in tag.items()} if isinstance(tag, dict) else {} for tag in value]
        pairs = [(f"{path}[{i}]", tag.get("key", ""), tag.get("value", "")) for i, tag in enumerate(named)]
    else:
        return
    for at, key, text in pairs:
        if key.lower().startswith("aws:"):
            check.add(at, f'a tag with the key "{key}"', "a key not beginning with aws:", TAGS)
        if len(key) > 128:
            check.add(at, f"a tag whose key has {len(key)} characters", "at most 128", TAGS)
        if len(text) > 256:
            check.add(at, f"a tag whose value has {len(text)} characters", "at most 256", TAGS)
    if len(pairs) > 50:
        check.add(path, f"{len(pairs)} tags", "at most 50", TAGS)


class Account:
    """What a run has called for so far, where AWS limits a sum over several requests. It supposes that a request succeeds."""

    INLINE = 10240  # characters of all inline policies of a role together, white space not counted
    RULES = 60  # rules of a security group, for each direction, IPv4 apart from IPv6

    def __init__(self):
        self.lock = threading.Lock()
        self.inline, self.rules = defaultdict(dict), defaultdict(set)

    def count(self, check, value):
        operation = f"{check.call.service} {check.call.operation}"
        with self.lock:
            role, group = plain(value.get("RoleName")), plain(value.get("GroupId"))
            if operation == "iam PutRolePolicy":
                self.put_policy(check, role, value)
            elif operation == "iam DeleteRolePolicy":
                self.inline[role].pop(plain(value.get("PolicyName")), None)
            elif operation == "iam DeleteRole":
                self.inline.pop(role, None)
            elif operation == "ec2 DeleteSecurityGroup":
                self.rules = defaultdict(set, {key: rules for key, rules in self.rules.items() if not key.startswith(group + " ")})
            elif operation in ("ec2 AuthorizeSecurityGroupIngress", "ec2 AuthorizeSecurityGroupEgress"):
                self.authorize(check, value)
            elif operation in ("ec2 RevokeSecurityGroupIngress", "ec2 RevokeSecurityGroupEgress"):
                for key, rules in families(check, value).items():
                    self.rules[key] -= rules

    def put_policy(self, check, role, value):
        policies = self.inline[role]
        policies[plain(value.get("PolicyName"))] = len("".join(plain(value.get("PolicyDocument")).split()))
        if sum(policies.values()) > self.INLINE:
            check.add(
                "PolicyDocument",
                f"the policy that makes {sum(policies.values())} characters of role {role}'s {len(policies)} inline policies",
                f"{self.INLINE} characters that are not white space in all inline policies of a role",
                IAM_QUOTAS + "#reference_iam-quotas-entity-length",
            )

    def authorize(self, check, value):
        for key, rules in families(check, value).items():
            self.rules[key] |= rules
            if len(self.rules[key]) > self.RULES:
                check.add("IpPermissions", f"rule {len(self.rules[key])} of {key}", f"{self.RULES} rules for each direction and address family", VPC_QUOTAS)


def families(check, value):
    """The rules of a request by group, direction and address family.

    A group or a prefix list on the other side counts in both families. A prefix list of one's own counts with its maximum of
    entries, which is not known here: it is counted as one.
    """
    found = defaultdict(set)
    key = f"{plain(value.get('GroupId'))} {'outbound' if check.call.operation.endswith('Egress') else 'inbound'} "
    for _, permission in find("IpPermissions[]", value):
        ports = " ".join(plain(permission.get(name)) for name in ("IpProtocol", "FromPort", "ToPort"))
        for member, kinds in (
            ("IpRanges[].CidrIp", ["IPv4"]),
            ("Ipv6Ranges[].CidrIpv6", ["IPv6"]),
            ("UserIdGroupPairs[].GroupId", ["IPv4", "IPv6"]),
            ("PrefixListIds[].PrefixListId", ["IPv4", "IPv6"]),
        ):
            for _, other in find(member, permission):
                for kind in kinds:
                    found[key + kind].add(f"{ports} {plain(other)}")
    return found
