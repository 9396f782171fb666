package awsmodel

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestDocumentedRules holds every rule against values at its limits, in the member where the model has it.
func TestDocumentedRules(t *testing.T) {
	c := checker(t)
	long := func(count int) string { return strings.Repeat("a", count) }
	many := func(count int, entry any) list { return slices.Repeat(list{entry}, count) }
	attribute := func(key, value string) object { return object{"Key": key, "Value": value} }
	task := func(cpu, memory string) object {
		return object{"cpu": cpu, "memory": memory, "requiresCompatibilities": list{"FARGATE"}}
	}
	container := func(members object) object {
		maps.Copy(members, object{"name": "app", "image": "a"})
		return members
	}
	covered := map[string]bool{}
	for _, test := range []struct {
		service, operation, member string
		good, bad                  []any
	}{
		{"ecs", "CreateCluster", "clusterName", []any{long(255), "a-B_9"}, []any{long(256), "", "a.b"}},
		{"ecs", "CreateService", "serviceName", []any{long(255)}, []any{long(256), "a b"}},
		{"ecs", "CreateService", "networkConfiguration.awsvpcConfiguration.subnets", []any{many(16, "s")}, []any{many(17, "s")}},
		{"ecs", "UpdateService", "networkConfiguration.awsvpcConfiguration.securityGroups", []any{many(5, "s")}, []any{many(6, "s")}},
		{"ecs", "CreateService", "loadBalancers", []any{many(5, object{})}, []any{many(6, object{})}},
		{"ecs", "RegisterTaskDefinition", "family", []any{long(255)}, []any{long(256), "ä"}},
		{"ecs", "RegisterTaskDefinition", "", []any{object{"family": "a", "cpu": long(64<<10 - 30)}}, []any{object{"family": "a", "cpu": long(64 << 10)}}},
		{"ecs", "RegisterTaskDefinition", "", []any{task("256", "512"), task("256", "2048"), task("4096", "30720"), task("16384", "122880"), object{"cpu": "1", "requiresCompatibilities": list{"EC2"}}},
			[]any{task("256", "1536"), task("256", "4096"), task("300", "512"), task("4096", "31744"), task("8192", "17408"), task("256", ""), task("", "512")}},
		{"ecs", "RegisterTaskDefinition", "containerDefinitions[]", []any{container(object{})}, []any{object{"name": "app"}, object{"image": "app"}}},
		{"ecs", "RegisterTaskDefinition", "containerDefinitions", []any{many(10, container(object{}))}, []any{many(11, container(object{}))}},
		{"ecs", "RegisterTaskDefinition", "containerDefinitions[].name", []any{"app"}, []any{"my app"}},
		{"ecs", "RegisterTaskDefinition", "containerDefinitions[].stopTimeout", []any{2, 120}, []any{1, 121}},
		{"ecs", "RegisterTaskDefinition", "containerDefinitions[].startTimeout", []any{2, 120}, []any{1, 121}},
		{"ecs", "RegisterTaskDefinition", "containerDefinitions[].healthCheck.interval", []any{5, 300}, []any{4, 301}},
		{"ecs", "RegisterTaskDefinition", "containerDefinitions[].healthCheck.timeout", []any{2, 60}, []any{1, 61}},
		{"ecs", "RegisterTaskDefinition", "containerDefinitions[].healthCheck.retries", []any{1, 10}, []any{0, 11}},
		{"ecs", "RegisterTaskDefinition", "containerDefinitions[].healthCheck.startPeriod", []any{0, 300}, []any{-1, 301}},
		{"ecs", "RegisterTaskDefinition", "containerDefinitions[].restartPolicy.restartAttemptPeriod", []any{60, 1800}, []any{59, 1801}},
		{"ecs", "RegisterTaskDefinition", "ephemeralStorage.sizeInGiB", []any{21, 200}, []any{20, 201}},

		{"elbv2", "CreateLoadBalancer", "Name", []any{long(32), "a", "a-1"}, []any{long(33), "-a", "a-", "a_b", "internal-a", ""}},
		{"elbv2", "CreateTargetGroup", "Name", []any{long(32), "internal-a"}, []any{long(33), "-a", "a-", "a_b"}},
		{"elbv2", "ModifyLoadBalancerAttributes", "Attributes[]", []any{attribute("idle_timeout.timeout_seconds", "4000"), attribute("client_keep_alive.seconds", "604800"), attribute("routing.http2.enabled", "true")},
			[]any{attribute("idle_timeout.timeout_seconds", "0"), attribute("idle_timeout.timeout_seconds", "4001"), attribute("client_keep_alive.seconds", "59")}},
		{"elbv2", "ModifyTargetGroupAttributes", "Attributes[]", []any{attribute("deregistration_delay.timeout_seconds", "0"), attribute("slow_start.duration_seconds", "0"), attribute("slow_start.duration_seconds", "30"), attribute("stickiness.lb_cookie.duration_seconds", "1")},
			[]any{attribute("deregistration_delay.timeout_seconds", "3601"), attribute("slow_start.duration_seconds", "29"), attribute("stickiness.lb_cookie.duration_seconds", "0")}},
		{"elbv2", "CreateRule", "Conditions[].PathPatternConfig.Values[]", []any{long(128)}, []any{long(129)}},
		{"elbv2", "ModifyRule", "Conditions[].HostHeaderConfig.Values[]", []any{long(128)}, []any{long(129)}},
		{"elbv2", "CreateRule", "Conditions", []any{list{object{"PathPatternConfig": object{"Values": many(2, "/a")}}, object{"HostHeaderConfig": object{"Values": many(3, "a.b")}}}},
			[]any{list{object{"PathPatternConfig": object{"Values": many(2, "/a")}}, object{"SourceIpConfig": object{"Values": many(4, "10.0.0.0/8")}}}, list{object{"Field": "path-pattern", "Values": many(6, "/a")}}}},

		{"ec2", "CreateSecurityGroup", "GroupName", []any{"web tasks", "a._-:/()#,@[]+=&;{}!$*", long(255)}, []any{"sg-web", "web's", long(256)}},
		{"ec2", "CreateSecurityGroup", "Description", []any{"of the tasks", long(255)}, []any{"the tasks' own", "ä", long(256)}},
		{"ec2", "AuthorizeSecurityGroupIngress", "IpPermissions[].IpRanges[].Description", []any{"office"}, []any{"a < b"}},
		{"ec2", "AuthorizeSecurityGroupIngress", "IpPermissions[].Ipv6Ranges[].Description", []any{"office"}, []any{"a | b"}},
		{"ec2", "AuthorizeSecurityGroupEgress", "IpPermissions[].UserIdGroupPairs[].Description", []any{"tasks"}, []any{"a?"}},
		{"ec2", "AuthorizeSecurityGroupEgress", "IpPermissions[].PrefixListIds[].Description", []any{"S3"}, []any{"a\"b"}},
		{"ec2", "CreateVpc", "CidrBlock", []any{"10.0.0.0/16", "10.0.0.0/28"}, []any{"10.0.0.0/15", "10.0.0.0/29", "10.0.0.0", "2001:db8::/20"}},
		{"ec2", "CreateSubnet", "CidrBlock", []any{"10.0.0.0/16", "10.0.0.0/28"}, []any{"10.0.0.0/15", "10.0.0.0/29"}},

		{"s3", "CreateBucket", "Bucket", []any{"logs-1.example", "a1b", long(63)},
			[]any{"ab", long(64), "Logs", "-ab", "ab-", "a..b", "192.168.5.4", "xn--a", "sthree-a", "sthree-configurator-a", "amzn-s3-demo-a", "a-s3alias", "a--ol-s3", "a.mrap", "a--x-s3", "a--table-s3"}},
		{"ssm", "PutParameter", "Name", []any{"/shop/prod/key", "shop.aws", strings.Repeat("/a", 15), long(1011)}, []any{long(1012), "aws-key", "/AWS/key", "ssmKey", "a b", "/a:b", strings.Repeat("/a", 16)}},
		{"secretsmanager", "CreateSecret", "Name", []any{"shop/prod_key+=.@-"}, []any{"shop key", "ä"}},
		{"kms", "CreateAlias", "AliasName", []any{"alias/shop/key_1-a"}, []any{"shop", "alias/aws/shop", "alias/a:b"}},
		{"sns", "CreateTopic", "Name", []any{"alarms_1-a", "alarms.fifo", long(256)}, []any{"a.b", long(257), ""}},
		{"wafv2", "PutLoggingConfiguration", "LoggingConfiguration.LogDestinationConfigs", []any{many(1, "arn:aws:s3:::aws-waf-logs-shop")}, []any{many(2, "arn:aws:s3:::aws-waf-logs-shop")}},
		{"wafv2", "PutLoggingConfiguration", "LoggingConfiguration.LogDestinationConfigs[]", []any{"arn:aws:s3:::aws-waf-logs-shop", "arn:aws:logs:eu-central-1:1:log-group:aws-waf-logs-shop:*", "arn:aws:firehose:eu-central-1:1:deliverystream/aws-waf-logs-shop"}, []any{"arn:aws:s3:::waf-logs", "arn:aws:logs:eu-central-1:1:log-group:/aws-waf-logs/shop"}},

		{"logs", "CreateLogGroup", "logGroupName", []any{"/aws/ecs/shop", "shop"}, []any{"aws/shop"}},
		{"logs", "PutRetentionPolicy", "retentionInDays", []any{1, 1096, 3653}, []any{0, 2, 31, 3654}},
		{"cloudwatch", "PutMetricAlarm", "Period", []any{10, 20, 30, 60, 300}, []any{1, 40, 90}},

		{"iam", "CreateRole", "AssumeRolePolicyDocument", []any{long(2048), long(2000) + strings.Repeat(" \n\t", 500)}, []any{long(2049)}},
		{"iam", "UpdateAssumeRolePolicy", "PolicyDocument", []any{long(2048)}, []any{long(2049)}},
		{"iam", "CreatePolicy", "PolicyDocument", []any{long(6144)}, []any{long(6145)}},
	} {
		where := test.service + " " + test.operation + " " + test.member
		covered[test.service+" "+test.member] = true
		called := named(t, c, test.service, test.operation)
		for _, good := range test.good {
			if broken := broken(called, test.member, at(test.member, good)); len(broken) > 0 {
				t.Errorf("%s: %v", where, broken)
			}
		}
		for _, bad := range test.bad {
			if broken := broken(called, test.member, at(test.member, bad)); len(broken) != 1 || broken[0].Source == "" {
				t.Errorf("%s: %.80v is taken for allowed: %v", where, bad, broken)
			}
		}
	}
	for _, r := range documented {
		if !covered[r.service+" "+r.member] {
			t.Errorf("the rule for %s %s has no test", r.service, r.member)
		}
		for _, operation := range r.operations {
			assertModelHas(t, named(t, c, r.service, operation).operation.input, r.member)
		}
	}
}

// named is a call of an operation, whatever the request.
func named(t *testing.T, c *Checker, service, operation string) call {
	t.Helper()
	s, err := c.models.service(service)
	if err != nil {
		t.Fatal(err)
	}
	o := s.operations[operation]
	if o == nil {
		t.Fatalf("%s has no %s", service, operation)
	}
	return call{service: s, operation: o}
}

// broken are the rules for a member that an input breaks, and no others, as an input here has nothing else.
func broken(called call, member string, input any) (violations []Violation) {
	v := &validation{call: called}
	known := newAccount()
	v.rules(input, &known)
	for _, violation := range v.violations {
		if slices.ContainsFunc(documented, func(r rule) bool {
			return r.service == called.service.name && r.member == member && r.allowed == violation.Allowed
		}) {
			violations = append(violations, violation)
		}
	}
	return violations
}

// at is an input that holds a value at a path.
func at(member string, value any) any {
	if number, ok := value.(int); ok {
		value = json.Number(fmt.Sprint(number))
	}
	if member == "" {
		return value
	}
	if rest, entries := strings.CutPrefix(member, "[]"); entries {
		return list{at(strings.TrimPrefix(rest, "."), value)}
	}
	end := strings.IndexAny(member, ".[")
	if end < 0 {
		end = len(member)
	}
	return object{member[:end]: at(strings.TrimPrefix(member[end:], "."), value)}
}

// assertModelHas proves that a rule is about a member that there is: one with a misspelled name would never fire.
func assertModelHas(t *testing.T, s *shape, member string) {
	t.Helper()
	for step := range strings.SplitSeq(strings.ReplaceAll(member, "[]", ".[]"), ".") {
		switch {
		case step == "":
		case step == "[]" && s.Type == "list":
			s = s.Item.shape
		case s.Members[step] != nil:
			s = s.Members[step].shape
		default:
			t.Errorf("%s: %s has no %s", member, s.name, step)
			return
		}
	}
}

func TestTagsOfEveryForm(t *testing.T) {
	c := checker(t)
	var fiftyOne strings.Builder
	for i := range 51 {
		fmt.Fprintf(&fiftyOne, `{"key":"k%d","value":"v"},`, i)
	}
	for _, test := range []struct {
		claim string
		ask   example
		want  []string
	}{
		{"a list", asJSON("ecs", ecsTarget+"CreateCluster", `{"tags":[{"key":"a","value":"b"},{"key":"AWS:a","value":"b"}]}`), []string{`tags[1] is a tag with the key "AWS:a"; allowed: a key not beginning with aws: (https://docs`}},
		{"a map", asJSON("logs", "Logs_20140328.CreateLogGroup", `{"logGroupName":"a","tags":{"aws:a":"b"}}`), []string{`tags["aws:a"] is a tag with the key "aws:a"; allowed`}},
		{"EC2's", asForm("ec2", ec2+"CreateVpc&TagSpecification.1.Tag.1.Key=aws%3Aa&TagSpecification.1.Tag.1.Value=b"), []string{`TagSpecifications[0].Tags[0] is a tag with the key "aws:a"`}},
		{"S3's", asREST("s3", "PUT", "/logs?tagging", `<Tagging><TagSet><Tag><Key>aws:a</Key><Value>b</Value></Tag></TagSet></Tagging>`), []string{`Tagging.TagSet[0] is a tag with the key "aws:a"`}},
		{"lengths, which EC2's model does not have", asForm("ec2", ec2+"CreateTags&ResourceId.1=vpc-1&Tag.1.Key="+strings.Repeat("a", 129)+"&Tag.1.Value="+strings.Repeat("a", 257)),
			[]string{"Tags[0] is a tag whose key has 129 characters; allowed: at most 128", "Tags[0] is a tag whose value has 257 characters; allowed: at most 256"}},
		{"number", asJSON("ecs", ecsTarget+"CreateCluster", `{"tags":[`+strings.TrimSuffix(fiftyOne.String(), ",")+`]}`), []string{"tags is a list of 51; allowed: 0 to 50 entries", "tags is 51 tags; allowed: at most 50"}},
		{"KMS's", asJSON("kms", "TrentService.TagResource", `{"KeyId":"a","Tags":[{"TagKey":"aws:a","TagValue":"b"}]}`), []string{`Tags[0] is a tag with the key "aws:a"`}},
	} {
		request, body := test.ask()
		assertSentences(t, test.claim, c.Check(request, body), test.want)
	}
}

func TestRulesOfASecurityGroupAreCounted(t *testing.T) {
	c := checker(t)
	ask := func(action, permission string) Report {
		request, body := asForm("ec2", ec2+action+"&GroupId=sg-1&IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=80&IpPermissions.1.ToPort=80&IpPermissions.1."+permission)()
		return c.Check(request, body)
	}
	allowed := func(action, permission string) {
		t.Helper()
		if report := ask(action, permission); len(report.Violations) > 0 {
			t.Fatal(report.Violations)
		}
	}
	for i := range 59 {
		allowed("AuthorizeSecurityGroupIngress", fmt.Sprintf("IpRanges.1.CidrIp=10.0.0.%d/32", i))
	}
	allowed("AuthorizeSecurityGroupIngress", "Groups.1.GroupId=sg-2")               // the 60th, and the first of IPv6
	allowed("AuthorizeSecurityGroupIngress", "Groups.1.GroupId=sg-2")               // no other one
	allowed("AuthorizeSecurityGroupIngress", "Ipv6Ranges.1.CidrIpv6=2001:db8::/32") // of the other family
	allowed("AuthorizeSecurityGroupEgress", "IpRanges.1.CidrIp=10.1.0.0/16")        // of the other direction
	assertSentences(t, "the 61st", ask("AuthorizeSecurityGroupIngress", "IpRanges.1.CidrIp=10.1.0.0/16"), []string{
		"IpPermissions is rule 61 of sg-1 inbound IPv4; allowed: 60 rules for each direction and address family (https://docs"})
	allowed("RevokeSecurityGroupIngress", "IpRanges.1.CidrIp=10.1.0.0/16")
	allowed("RevokeSecurityGroupIngress", "IpRanges.1.CidrIp=10.0.0.1/32")
	allowed("AuthorizeSecurityGroupIngress", "IpRanges.1.CidrIp=10.2.0.0/16")
	request, body := asForm("ec2", ec2+"DeleteSecurityGroup&GroupId=sg-1")()
	c.Check(request, body)
	allowed("AuthorizeSecurityGroupIngress", "IpRanges.1.CidrIp=10.3.0.0/16")
}

func TestInlinePoliciesOfARoleAreAddedUp(t *testing.T) {
	c := checker(t)
	put := func(role, name string, characters int) Report {
		request, body := asForm("iam", iam+"PutRolePolicy&RoleName="+role+"&PolicyName="+name+"&PolicyDocument="+strings.Repeat("a+%0A", characters))()
		return c.Check(request, body)
	}
	remove := func(action string) {
		request, body := asForm("iam", iam+action)()
		if report := c.Check(request, body); len(report.Violations) > 0 {
			t.Error(report.Violations)
		}
	}
	assertSentences(t, "white space does not count", put("web", "one", 10240), nil)
	assertSentences(t, "the same again", put("web", "one", 10240), nil)
	assertSentences(t, "another role", put("job", "one", 1), nil)
	assertSentences(t, "a second", put("web", "two", 1), []string{"PolicyDocument is the policy that makes 10241 characters of role web's 2 inline policies; allowed: 10240 characters"})
	remove("DeleteRolePolicy&RoleName=web&PolicyName=one")
	assertSentences(t, "after the first has gone", put("web", "two", 10240), nil)
	remove("DeleteRole&RoleName=web")
	assertSentences(t, "a new role of the name", put("web", "three", 10240), nil)
}
