"""Tests of localrun's rules and patterns: PYTHONPATH=localrun python3 localrun_test.py"""

import unittest

import check
import models
import rules


def at(member, value):
    """An input that holds a value at a rule's path."""
    if not member:
        return value
    step, _, rest = member.partition(".")
    name = step.removesuffix("[]")
    below = [at(rest, value)] if step.endswith("[]") else at(rest, value)
    return {name: below} if name else below


def task(cpu, memory):
    return {"cpu": cpu, "memory": memory, "requiresCompatibilities": ["FARGATE"]}


def attribute(key, value):
    return {"Key": key, "Value": value}


APP = {"name": "app", "image": "a"}
LONG = "a" * 255

# Service, operation, the rule's values, what is allowed and what is not: at the limits.
CASES = [
    ("ecs", "CreateCluster", "clusterName", [LONG, "a-B_9"], [LONG + "a", "", "a.b"]),
    ("ecs", "CreateService", "serviceName", [LONG], [LONG + "a", "a b"]),
    ("ecs", "CreateService", "networkConfiguration.awsvpcConfiguration.subnets", [["s"] * 16], [["s"] * 17]),
    ("ecs", "UpdateService", "networkConfiguration.awsvpcConfiguration.securityGroups", [["s"] * 5], [["s"] * 6]),
    ("ecs", "CreateService", "loadBalancers", [[{}] * 5], [[{}] * 6]),
    ("ecs", "RegisterTaskDefinition", "family", [LONG], [LONG + "a", "ä"]),
    ("ecs", "RegisterTaskDefinition", "", [{"family": "a", "cpu": "a" * (65536 - 30)}], [{"family": "a", "cpu": "a" * 65536}]),
    (
        "ecs", "RegisterTaskDefinition", "",
        [task("256", "512"), task("256", "2048"), task("4096", "30720"), task("16384", "122880"), {"cpu": "1", "requiresCompatibilities": ["EC2"]}],
        [task("256", "1536"), task("256", "4096"), task("300", "512"), task("4096", "31744"), task("8192", "17408"), task("256", ""), task("", "512")],
    ),
    ("ecs", "RegisterTaskDefinition", "containerDefinitions[]", [APP], [{"name": "app"}, {"image": "app"}]),
    ("ecs", "RegisterTaskDefinition", "containerDefinitions", [[APP] * 10], [[APP] * 11]),
    ("ecs", "RegisterTaskDefinition", "containerDefinitions[].name", ["app"], ["my app"]),
    ("ecs", "RegisterTaskDefinition", "containerDefinitions[].stopTimeout", [2, 120], [1, 121]),
    ("ecs", "RegisterTaskDefinition", "containerDefinitions[].startTimeout", [2, 120], [1, 121]),
    ("ecs", "RegisterTaskDefinition", "containerDefinitions[].healthCheck.interval", [5, 300], [4, 301]),
    ("ecs", "RegisterTaskDefinition", "containerDefinitions[].healthCheck.timeout", [2, 60], [1, 61]),
    ("ecs", "RegisterTaskDefinition", "containerDefinitions[].healthCheck.retries", [1, 10], [0, 11]),
    ("ecs", "RegisterTaskDefinition", "containerDefinitions[].healthCheck.startPeriod", [0, 300], [-1, 301]),
    ("ecs", "RegisterTaskDefinition", "containerDefinitions[].restartPolicy.restartAttemptPeriod", [60, 1800], [59, 1801]),
    ("ecs", "RegisterTaskDefinition", "ephemeralStorage.sizeInGiB", [21, 200], [20, 201]),
    ("elbv2", "CreateLoadBalancer", "Name", ["a" * 32, "a", "a-1"], ["a" * 33, "-a", "a-", "a_b", "internal-a", ""]),
    ("elbv2", "CreateTargetGroup", "Name", ["a" * 32, "internal-a"], ["a" * 33, "-a", "a-", "a_b"]),
    (
        "elbv2", "ModifyLoadBalancerAttributes", "Attributes[]",
        [attribute("idle_timeout.timeout_seconds", "4000"), attribute("client_keep_alive.seconds", "604800"), attribute("routing.http2.enabled", "true")],
        [attribute("idle_timeout.timeout_seconds", "0"), attribute("idle_timeout.timeout_seconds", "4001"), attribute("client_keep_alive.seconds", "59")],
    ),
    (
        "elbv2", "ModifyTargetGroupAttributes", "Attributes[]",
        [attribute("deregistration_delay.timeout_seconds", "0"), attribute("slow_start.duration_seconds", "0"), attribute("slow_start.duration_seconds", "30"), attribute("stickiness.lb_cookie.duration_seconds", "1")],
        [attribute("deregistration_delay.timeout_seconds", "3601"), attribute("slow_start.duration_seconds", "29"), attribute("stickiness.lb_cookie.duration_seconds", "0")],
    ),
    ("elbv2", "CreateRule", "Conditions[].PathPatternConfig.Values[]", ["a" * 128], ["a" * 129]),
    ("elbv2", "ModifyRule", "Conditions[].HostHeaderConfig.Values[]", ["a" * 128], ["a" * 129]),
    (
        "elbv2", "CreateRule", "Conditions",
        [[{"PathPatternConfig": {"Values": ["/a"] * 2}}, {"HostHeaderConfig": {"Values": ["a.b"] * 3}}]],
        [[{"PathPatternConfig": {"Values": ["/a"] * 2}}, {"SourceIpConfig": {"Values": ["10.0.0.0/8"] * 4}}], [{"Field": "path-pattern", "Values": ["/a"] * 6}]],
    ),
    ("ec2", "CreateSecurityGroup", "GroupName", ["web tasks", "a._-:/()#,@[]+=&;{}!$*", LONG], ["sg-web", "web's", LONG + "a"]),
    ("ec2", "CreateSecurityGroup", "Description", ["of the tasks", LONG], ["the tasks' own", "ä", LONG + "a"]),
    ("ec2", "AuthorizeSecurityGroupIngress", "IpPermissions[].IpRanges[].Description", ["office"], ["a < b"]),
    ("ec2", "AuthorizeSecurityGroupIngress", "IpPermissions[].Ipv6Ranges[].Description", ["office"], ["a | b"]),
    ("ec2", "AuthorizeSecurityGroupEgress", "IpPermissions[].UserIdGroupPairs[].Description", ["tasks"], ["a?"]),
    ("ec2", "AuthorizeSecurityGroupEgress", "IpPermissions[].PrefixListIds[].Description", ["S3"], ['a"b']),
    ("ec2", "CreateVpc", "CidrBlock", ["10.0.0.0/16", "10.0.0.0/28"], ["10.0.0.0/15", "10.0.0.0/29", "10.0.0.0", "2001:db8::/20"]),
    ("ec2", "CreateSubnet", "CidrBlock", ["10.0.0.0/16", "10.0.0.0/28"], ["10.0.0.0/15", "10.0.0.0/29"]),
    (
        "s3", "CreateBucket", "Bucket", ["logs-1.example", "a1b", "a" * 63],
        ["ab", "a" * 64, "Logs", "-ab", "ab-", "a..b", "192.168.5.4", "xn--a", "sthree-a", "sthree-configurator-a", "amzn-s3-demo-a", "a-s3alias", "a--ol-s3", "a.mrap", "a--x-s3", "a--table-s3"],
    ),
    ("ssm", "PutParameter", "Name", ["/shop/prod/key", "shop.aws", "/a" * 15, "a" * 1011], ["a" * 1012, "aws-key", "/AWS/key", "ssmKey", "a b", "/a:b", "/a" * 16]),
    ("secretsmanager", "CreateSecret", "Name", ["shop/prod_key+=.@-"], ["shop key", "ä"]),
    ("kms", "CreateAlias", "AliasName", ["alias/shop/key_1-a"], ["shop", "alias/aws/shop", "alias/a:b"]),
    ("sns", "CreateTopic", "Name", ["alarms_1-a", "alarms.fifo", "a" * 256], ["a.b", "a" * 257, ""]),
    ("wafv2", "PutLoggingConfiguration", "LoggingConfiguration.LogDestinationConfigs", [["arn:aws:s3:::aws-waf-logs-shop"]], [["arn:aws:s3:::aws-waf-logs-shop"] * 2]),
    (
        "wafv2", "PutLoggingConfiguration", "LoggingConfiguration.LogDestinationConfigs[]",
        ["arn:aws:s3:::aws-waf-logs-shop", "arn:aws:logs:eu-central-1:1:log-group:aws-waf-logs-shop:*", "arn:aws:firehose:eu-central-1:1:deliverystream/aws-waf-logs-shop"],
        ["arn:aws:s3:::waf-logs", "arn:aws:logs:eu-central-1:1:log-group:/aws-waf-logs/shop"],
    ),
    ("logs", "CreateLogGroup", "logGroupName", ["/aws/ecs/shop", "shop"], ["aws/shop"]),
    ("logs", "PutRetentionPolicy", "retentionInDays", [1, 1096, 3653], [0, 2, 31, 3654]),
    ("cloudwatch", "PutMetricAlarm", "Period", [10, 20, 30, 60, 300], [1, 40, 90]),
    ("iam", "CreateRole", "AssumeRolePolicyDocument", ["a" * 2048, "a" * 2000 + " \n\t" * 500], ["a" * 2049]),
    ("iam", "UpdateAssumeRolePolicy", "PolicyDocument", ["a" * 2048], ["a" * 2049]),
    ("iam", "CreatePolicy", "PolicyDocument", ["a" * 6144], ["a" * 6145]),
]


class Rules(unittest.TestCase):
    def broken(self, service, operation, member, value):
        """The sentences about the rules for a member, and no others: an input here has nothing else."""
        call = models.Call(models.service(service), models.service(service).model.operation_model(operation), models.JSON)
        found = check.Check(call)
        allowed = [rule[4] for rule in rules.DOCUMENTED if rule[0] == service and rule[2] == member]
        rules.apply(found, at(member, value), rules.Account())
        return [sentence for sentence in found.sentences if any(f"allowed: {text} (https://docs" in sentence for text in allowed)]

    def test_every_rule_holds_at_its_limits(self):
        for service, operation, member, good, bad in CASES:
            for value in good:
                self.assertEqual(self.broken(service, operation, member, value), [], (service, member))
            for value in bad:
                self.assertEqual(len(self.broken(service, operation, member, value)), 1, (service, member, str(value)[:80]))

    def test_every_rule_is_about_a_member_that_there_is_and_has_a_case(self):
        cases = {(service, member) for service, _, member, _, _ in CASES}
        for service, operations, member, *_ in rules.DOCUMENTED:
            self.assertIn((service, member), cases)
            for operation in operations.split():
                shape = models.service(service).model.operation_model(operation).input_shape
                for step in filter(None, member.split(".")):
                    if step != "[]":
                        shape = shape.members[step.removesuffix("[]")]
                    shape = shape.member if step.endswith("[]") else shape


class Patterns(unittest.TestCase):
    def test_patterns_of_java(self):
        astral = r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*"
        for pattern, value, fits in [
            (r"[a-z]+", "abc", True),
            (r"[a-z]+", "abc1", False),  # the whole value, though nothing says so
            (r"a|b", "ab", False),
            (r"^[a-z]+$", "abc\n", False),
            (r"[\w]+", "ä", False),
            (r"\d", "٣", False),
            (r"\_\-", "_-", True),
            (r"[\u0020-\u00FF]+", "ÿ", True),
            (r"[\u0020-\u00FF]+", "Ā", False),
            (astral, "a 😀", True),
            (astral, "a\x01", False),
            (r"[\p{Print}]+", "a b~", True),
            (r"[\p{Print}]+", "ä", False),
            (r"\p{ASCII}+", "a\n", True),
            (r"\p{ASCII}+", "ä", False),
            (r"[\w-_]*", "a-_", True),
            (r"(?i)all|[0-9]{12}", "ALL", True),
            (r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)", "ä 1", True),
            (r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)", "ä<", False),
            (r"(?!aws:)[a-z:]+", "aws:a", False),
            (r"(?!aws:)[a-z:]+", "a:aws:", True),
        ]:
            self.assertEqual(check.compiled(pattern).fullmatch(value) is not None, fits, (pattern, value))

    def test_a_pattern_that_cannot_be_translated_is_not_guessed(self):
        for pattern in [r"[\p{Print}&&[^|:/]]+\p{ASCII}", r"\d{12}+"]:
            self.assertIsNone(check.compiled(pattern))

    def test_the_corrected_pattern_is_still_wrong(self):
        for (service, name), pattern in check.WRONG.items():
            shape = models.service(service).model.shape_for(name)
            self.assertEqual(shape.metadata["pattern"], pattern, "not what is corrected any more; take the correction out")
            self.assertIsNone(check.compiled(pattern).fullmatch("arn:aws:iam::123456789012:role/😀"))

    def test_the_patterns_of_the_services_with_rules_are_all_applied(self):
        """Elsewhere some are in a dialect of Java's own."""
        for name in {service for service, *_ in rules.DOCUMENTED} | {"acm", "apigatewayv2", "ecr", "route53", "scheduler", "servicediscovery"}:
            model = models.service(name).model
            seen = {}
            for operation in map(model.operation_model, model.operation_names):
                self.walk(operation.input_shape, seen)
            for shape in seen.values():
                if "pattern" in shape.metadata:
                    self.assertIsNotNone(check.compiled(shape.metadata["pattern"]), (name, shape.name))

    def walk(self, shape, seen):
        if shape is None or shape.name in seen:
            return
        seen[shape.name] = shape
        for below in [*getattr(shape, "members", {}).values(), *(getattr(shape, part, None) for part in ("member", "key", "value"))]:
            self.walk(below, seen)


if __name__ == "__main__":
    unittest.main()
