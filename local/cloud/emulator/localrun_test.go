package emulator_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"fargate-nginx-sidecar/local/cloud/emulator"
	"fargate-nginx-sidecar/local/cloud/emulator/emulatortest"
)

func TestMain(m *testing.M) { emulatortest.Main(m) }

// report is what the emulator's process answers to a request that is answered elsewhere.
type report struct {
	Service, Operation, Unidentified string
	Violations, Unchecked            []string
}

// checker is a run's emulator.
type checker struct {
	t        *testing.T
	endpoint string
}

func newChecker(t *testing.T) checker { return checker{t, emulatortest.Start(t)} }

func (c checker) check(ask example) (seen report) {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), ask.method, c.endpoint+ask.target, strings.NewReader(ask.body))
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header = ask.header.Clone()
	request.Header.Set(emulator.Answered, "yes")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err == nil {
		err = json.Unmarshal(content, &seen)
	}
	if err != nil {
		c.t.Fatalf("%v: %s", err, content)
	}
	return seen
}

// example is a request as an SDK signs it.
type example struct {
	method, target, body string
	header               http.Header
}

func signed(signer, method, target, body string, header ...string) example {
	h := http.Header{"Authorization": {"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260105/eu-central-1/" + signer + "/aws4_request, SignedHeaders=host;x-amz-date, Signature=0"}}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return example{method, target, body, h}
}

func asJSON(signer, target, body string) example {
	return signed(signer, "POST", "/", body, "X-Amz-Target", target, "Content-Type", "application/x-amz-json-1.1")
}

func asForm(signer, body string) example {
	return signed(signer, "POST", "/", body, "Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
}

func asREST(signer, method, target, body string, header ...string) example {
	return signed(signer, method, target, body, header...)
}

const (
	ecsTarget = "AmazonEC2ContainerServiceV20141113."
	elb       = "Version=2015-12-01&Action="
	ec2       = "Version=2016-11-15&Action="
	iam       = "Version=2010-05-08&Action="
)

func TestRequestsOfEveryProtocol(t *testing.T) {
	c := newChecker(t)
	for _, test := range []struct {
		claim     string
		ask       example
		operation string
		want      []string // violations, each beginning like this
	}{
		{"json", asJSON("ecs", ecsTarget+"CreateService", `{"serviceName":"web","desiredCount":2,"enableExecuteCommand":false,"launchType":"FARGATE","deploymentConfiguration":null,
			"capacityProviderStrategy":[{"capacityProvider":"FARGATE","base":1,"weight":1000}],"tags":[{"key":"a b","value":""}]}`), "ecs CreateService", nil},
		{"json: required, also below a list", asJSON("ecs", ecsTarget+"CreateService", `{"capacityProviderStrategy":[{"weight":1}]}`), "ecs CreateService", []string{
			"serviceName is missing; allowed: a value, which is required", "capacityProviderStrategy[0].capacityProvider is missing"}},
		{"json: null is no value", asJSON("ecs", ecsTarget+"CreateService", `{"serviceName":null}`), "ecs CreateService", []string{"serviceName is missing"}},
		{"json: enum", asJSON("ecs", ecsTarget+"CreateService", `{"serviceName":"web","launchType":"LAMBDA"}`), "ecs CreateService", []string{`launchType is "LAMBDA"; allowed: one of EC2, FARGATE, EXTERNAL`}},
		{"json: range", asJSON("ecs", ecsTarget+"CreateService", `{"serviceName":"web","capacityProviderStrategy":[{"capacityProvider":"FARGATE","weight":1001}]}`), "ecs CreateService",
			[]string{"capacityProviderStrategy[0].weight is 1001; allowed: 0 to 1000"}},
		{"json: no text, no entries", asJSON("logs", "Logs_20140328.CreateLogGroup", `{"logGroupName":"","tags":{}}`), "logs CreateLogGroup",
			[]string{`logGroupName is ""; allowed: 1 to 512 characters`, `logGroupName is ""; allowed: what matches`, "tags is a map of 0; allowed: 1 to 50 entries"}},
		{"json: unknown members, also below a list", asJSON("ecs", ecsTarget+"CreateService", `{"serviceName":"web","colour":1,"capacityProviderStrategy":[{"capacityProvider":"FARGATE","price":1}]}`), "ecs CreateService",
			[]string{"capacityProviderStrategy[0].price is not known to the API; allowed: only members of CapacityProviderStrategyItem", "colour is not known to the API; allowed: only members of CreateServiceRequest"}},
		{"json: types", asJSON("ecs", ecsTarget+"CreateService", `{"serviceName":7,"desiredCount":"2","healthCheckGracePeriodSeconds":1.5,"enableExecuteCommand":"true","loadBalancers":{},"networkConfiguration":[]}`), "ecs CreateService",
			[]string{`desiredCount is "2"; allowed: a whole number`, `enableExecuteCommand is "true"; allowed: true or false`, "healthCheckGracePeriodSeconds is 1.5; allowed: a whole number",
				"loadBalancers is a structure; allowed: a list", "networkConfiguration is a list of 0; allowed: a structure", "serviceName is 7; allowed: a text"}},
		{"json: pattern and length", asJSON("logs", "Logs_20140328.CreateLogGroup", `{"logGroupName":"`+strings.Repeat("ä", 513)+`"}`), "logs CreateLogGroup",
			[]string{`logGroupName is "` + strings.Repeat("ä", 60) + `"… (513 characters); allowed: 1 to 512 characters`, `logGroupName is "` + strings.Repeat("ä", 60) + `"… (513 characters); allowed: what matches [\.\-_/#A-Za-z0-9]+`}},
		{"json: map", asJSON("logs", "Logs_20140328.CreateLogGroup", `{"logGroupName":"web","tags":{"ok":"<"}}`), "logs CreateLogGroup", []string{`tags["ok"] is "<"; allowed: what matches`}},
		{"json: what is sensitive is not told", asJSON("secretsmanager", "secretsmanager.CreateSecret", `{"Name":"a","ClientRequestToken":"0123456789012345678901234567890123","SecretString":"`+strings.Repeat("s", 65537)+`"}`), "secretsmanager CreateSecret",
			[]string{"SecretString is a sensitive text of 65537 characters; allowed: 1 to 65536 characters"}},
		{"json: not JSON", asJSON("ecs", ecsTarget+"CreateService", `{`), "ecs CreateService", []string{"the body is not readable: "}},
		{"json: no body", asJSON("ecs", ecsTarget+"ListClusters", ``), "ecs ListClusters", nil},
		{"json: pattern that looks ahead", asJSON("acm", "CertificateManager.RequestCertificate", `{"DomainName":"-www.example.com"}`), "acm RequestCertificate", []string{`DomainName is "-www.example.com"; allowed: what matches`}},

		{"query", asForm("elasticloadbalancing", elb+"CreateTargetGroup&Name=web&Port=80&Protocol=HTTP&HealthCheckEnabled=true&Tags.member.1.Key=a&Tags.member.1.Value=b"), "elbv2 CreateTargetGroup", nil},
		{"query: an older API of the same name", asForm("elasticloadbalancing", "Version=2012-06-01&Action=DescribeLoadBalancers"), "elb DescribeLoadBalancers", nil},
		{"query: range, enum, type", asForm("elasticloadbalancing", elb+"CreateTargetGroup&Name=web&Port=65536&Protocol=SMTP&HealthCheckEnabled=yes&HealthCheckIntervalSeconds=often"), "elbv2 CreateTargetGroup",
			[]string{`HealthCheckEnabled is "yes"; allowed: true or false`, `HealthCheckIntervalSeconds is "often"; allowed: a whole number`, "Port is 65536; allowed: 1 to 65535", `Protocol is "SMTP"; allowed: one of HTTP`}},
		{"query: required, also below a list", asForm("elasticloadbalancing", elb+"CreateListener&DefaultActions.member.1.Order=1"), "elbv2 CreateListener",
			[]string{"LoadBalancerArn is missing", "DefaultActions[0].Type is missing"}},
		{"query: unknown, also below a list", asForm("elasticloadbalancing", elb+"CreateTargetGroup&Name=web&Colour=red&Tags.member.1.Key=a&Tags.member.1.Price=1"), "elbv2 CreateTargetGroup",
			[]string{"Colour is not known to the API", "Tags[0].Price is not known to the API; allowed: only members of Tag"}},
		{"query: a list that is none", asForm("elasticloadbalancing", elb+"DescribeTags&ResourceArns.1=a"), "elbv2 DescribeTags", []string{"ResourceArns is a structure; allowed: a list"}},
		{"query: order of a long list", asForm("iam", iam+"CreateRole&RoleName=a&AssumeRolePolicyDocument=b"+tags(11)+"&Tags.member.11.Extra=1"), "iam CreateRole", []string{"Tags[10].Extra is not known"}},
		{"query: an empty list", asForm("elasticloadbalancing", elb+"DescribeTags&ResourceArns="), "elbv2 DescribeTags", nil},
		{"query: a flat list", asForm("sdb", "Version=2009-04-15&Action=PutAttributes&DomainName=a&ItemName=b&Attribute.1.Name=c&Attribute.1.Value=d&Attribute.2.Name=c"), "sdb PutAttributes", []string{"Attributes[1].Value is missing"}},
		{"query: below the range", asForm("elasticloadbalancing", elb+"CreateTargetGroup&Name=web&Port=0"), "elbv2 CreateTargetGroup", []string{"Port is 0; allowed: 1 to 65535"}},
		{"query: map", asForm("sns", "Version=2010-03-31&Action=CreateTopic&Name=alarms&Attributes.entry.1.key=KmsMasterKeyId&Attributes.entry.1.value=alias%2Fmine"), "sns CreateTopic", nil},
		{"query: pattern", asForm("iam", iam+"CreateRole&RoleName=a%2Fb&AssumeRolePolicyDocument=%7B%7D"), "iam CreateRole", []string{`RoleName is "a/b"; allowed: what matches`}},
		{"query: as a GET", asREST("iam", "GET", "/?"+iam+"GetRole", ""), "iam GetRole", []string{"RoleName is missing"}},

		{"ec2", asForm("ec2", ec2+"CreateSecurityGroup&GroupName=web&GroupDescription=of+the+tasks&VpcId=vpc-1&TagSpecification.1.ResourceType=security-group&TagSpecification.1.Tag.1.Key=a&TagSpecification.1.Tag.1.Value=b"), "ec2 CreateSecurityGroup", nil},
		{"ec2: required", asForm("ec2", ec2+"CreateSecurityGroup&GroupName=web"), "ec2 CreateSecurityGroup", []string{"Description is missing"}},
		{"ec2: enum and unknown, below lists", asForm("ec2", ec2+"CreateSecurityGroup&GroupName=web&GroupDescription=a&TagSpecification.1.ResourceType=dog&TagSpecification.1.Tag.1.Name=b"), "ec2 CreateSecurityGroup",
			[]string{`TagSpecifications[0].ResourceType is "dog"; allowed: one of`, "TagSpecifications[0].Tags[0].Name is not known to the API; allowed: only members of Tag"}},
		{"ec2: type", asForm("ec2", ec2+"AuthorizeSecurityGroupIngress&GroupId=sg-1&IpPermissions.1.FromPort=http"), "ec2 AuthorizeSecurityGroupIngress", []string{`IpPermissions[0].FromPort is "http"; allowed: a whole number`}},

		{"rest-json", asREST("apigateway", "POST", "/v2/vpclinks", `{"name":"web","subnetIds":["subnet-1"]}`), "apigatewayv2 CreateVpcLink", nil},
		{"rest-json: required", asREST("apigateway", "POST", "/v2/vpclinks", `{"name":"web"}`), "apigatewayv2 CreateVpcLink", []string{"SubnetIds is missing"}},
		{"rest-json: unknown in body and query", asREST("apigateway", "POST", "/v2/vpclinks?colour=red", `{"name":"web","subnetIds":[],"Name":"web"}`), "apigatewayv2 CreateVpcLink", []string{"?colour is not known to the API"}},
		{"rest-json: path and query", asREST("apigateway", "GET", "/v2/apis/a1?maxResults=1", ""), "apigatewayv2 GetApi", []string{"?maxResults is not known to the API"}},
		{"rest-json: enum and range", asREST("apigateway", "POST", "/v2/apis/a1/integrations", `{"integrationType":"HTTP_PROXY","connectionType":"WIRE","timeoutInMillis":40000}`), "apigatewayv2 CreateIntegration",
			[]string{`ConnectionType is "WIRE"; allowed: one of INTERNET, VPC_LINK`, "TimeoutInMillis is 40000; allowed: 50 to 30000"}},
		{"rest-json: a list in the query", asREST("apigateway", "DELETE", "/v2/tags/arn%3Aaws%3Aapigateway%3Aeu-central-1%3A%3A%2Fvpclinks%2Fa?tagKeys=a&tagKeys=b", ""), "apigatewayv2 UntagResource", nil},

		{"rest-xml", asREST("route53", "POST", "/2013-04-01/hostedzone/Z1/rrset/", records("UPSERT", "A")), "route53 ChangeResourceRecordSets", nil},
		{"rest-xml: enums, below lists", asREST("route53", "POST", "/2013-04-01/hostedzone/Z1/rrset", records("REPLACE", "B")), "route53 ChangeResourceRecordSets",
			[]string{`ChangeBatch.Changes[0].Action is "REPLACE"; allowed: one of CREATE, DELETE, UPSERT`, `ChangeBatch.Changes[0].ResourceRecordSet.Type is "B"; allowed: one of SOA`}},
		{"rest-xml: unknown and required", asREST("route53", "POST", "/2013-04-01/hostedzone", `<CreateHostedZoneRequest><Name>a.test</Name><Colour>red</Colour></CreateHostedZoneRequest>`), "route53 CreateHostedZone",
			[]string{"CallerReference is missing", "Colour is not known to the API"}},
		{"rest-xml: length in the path", asREST("route53", "GET", "/2013-04-01/hostedzone/"+strings.Repeat("Z", 33), ""), "route53 GetHostedZone", []string{`Id is "` + strings.Repeat("Z", 33) + `"; allowed: at most 32 characters`}},
		{"rest-xml: another element", asREST("route53", "POST", "/2013-04-01/hostedzone", `<Zone/>`), "route53 CreateHostedZone", []string{"the body is not readable: the element is <Zone>, not <CreateHostedZoneRequest>"}},
		{"rest-xml: payload", asREST("s3", "PUT", "/logs?tagging", `<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>`), "s3 PutBucketTagging", nil},
		{"rest-xml: payload that is missing", asREST("s3", "PUT", "/logs?tagging", ``), "s3 PutBucketTagging", []string{"Tagging is missing"}},
		{"rest-xml: unknown below the payload", asREST("s3", "PUT", "/logs?tagging", `<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag><Dog/></TagSet></Tagging>`), "s3 PutBucketTagging", []string{"Tagging.TagSet is a structure; allowed: a list"}},
		{"rest-xml: flattened list", asREST("s3", "PUT", "/logs?lifecycle", lifecycle("Enabled")), "s3 PutBucketLifecycleConfiguration", nil},
		{"rest-xml: enum in a flattened list", asREST("s3", "PUT", "/logs?lifecycle", lifecycle("On")), "s3 PutBucketLifecycleConfiguration", []string{`LifecycleConfiguration.Rules[0].Status is "On"; allowed: one of Enabled, Disabled`}},
		{"rest-xml: attribute", asREST("s3", "PUT", "/logs?acl", grant("CanonicalUser")), "s3 PutBucketAcl", nil},
		{"rest-xml: enum in an attribute", asREST("s3", "PUT", "/logs?acl", grant("Dog")), "s3 PutBucketAcl", []string{`AccessControlPolicy.Grants[0].Grantee.Type is "Dog"`}},
		{"rest-xml: header", asREST("s3", "PUT", "/logs/a/b.txt?x-id=PutObject", "text", "x-amz-storage-class", "CHEAP"), "s3 PutObject", []string{`StorageClass is "CHEAP"; allowed: one of STANDARD`}},
		{"rest-xml: a header decides", asREST("s3", "PUT", "/logs/a", "", "x-amz-copy-source", "other/a"), "s3 CopyObject", nil},
		{"rest-xml: a header decides, by its absence", asREST("s3", "PUT", "/logs/a", ""), "s3 PutObject", nil},
		{"rest-xml: a query decides", asREST("s3", "GET", "/logs?list-type=2", ""), "s3 ListObjectsV2", nil},
		{"rest-xml: longer paths first", asREST("s3", "GET", "/v20180820/bucket/logs/policy", "", "x-amz-account-id", "123456789012"), "s3control GetBucketPolicy", nil},
	} {
		report := c.check(test.ask)
		if got := report.Service + " " + report.Operation; got != test.operation || report.Unidentified != "" || len(report.Unchecked) > 0 {
			t.Errorf("%s: read as %s, want %s (%s %v)", test.claim, got, test.operation, report.Unidentified, report.Unchecked)
		}
		assertSentences(t, test.claim, report, test.want)
	}
}

// assertSentences compares violations with what they must begin with, without service and operation.
func assertSentences(t *testing.T, claim string, report report, want []string) {
	t.Helper()
	got := make([]string, len(report.Violations))
	for i, violation := range report.Violations {
		got[i] = strings.TrimPrefix(violation, report.Service+" "+report.Operation+": ")
	}
	if !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("%s: got\n\t%s\nwant\n\t%s", claim, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func tags(count int) string {
	var form strings.Builder
	for i := 1; i <= count; i++ {
		fmt.Fprintf(&form, "&Tags.member.%d.Key=k%[1]d&Tags.member.%[1]d.Value=v", i)
	}
	return form.String()
}

func records(action, kind string) string {
	return `<?xml version="1.0"?><ChangeResourceRecordSetsRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><ChangeBatch><Changes><Change><Action>` + action +
		`</Action><ResourceRecordSet><Name>www.a.test</Name><Type>` + kind + `</Type><TTL>60</TTL><ResourceRecords><ResourceRecord><Value>192.0.2.1</Value></ResourceRecord></ResourceRecords></ResourceRecordSet></Change></Changes></ChangeBatch></ChangeResourceRecordSetsRequest>`
}

func lifecycle(status string) string {
	return `<LifecycleConfiguration><Rule><ID>a</ID><Status>` + status + `</Status><Expiration><Days>30</Days></Expiration></Rule><Rule><Status>Enabled</Status></Rule></LifecycleConfiguration>`
}

func grant(kind string) string {
	return `<AccessControlPolicy><AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="` + kind + `"><ID>a</ID></Grantee><Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>`
}

func TestWhatIsNoKnownRequestIsSaidSo(t *testing.T) {
	c := newChecker(t)
	for _, test := range []struct {
		ask  example
		want string
	}{
		{example{method: "GET", target: "/moto-api/", header: http.Header{}}, "GET /moto-api/: the request is not signed, and the signature names the service"},
		{asJSON("dogs", ecsTarget+"CreateService", "{}"), `POST /: no service is signed for as "dogs"`},
		{asJSON("ecs", ecsTarget+"CreateDog", "{}"), "POST /: no operation of ecs is called like this"},
		{asJSON("ecs", "Dogs.CreateService", "{}"), "POST /: no operation of ecs is called like this"},
		{asForm("ec2", "Version=2014-01-01&Action=CreateVpc"), "POST /: no operation of ec2 is called like this"},
		{asREST("apigateway", "POST", "/v2/dogs", "{}"), "POST /v2/dogs: no operation of apigateway, apigatewayv2 is called like this"},
		{asREST("ecs/a", "POST", "/", "{}"), `POST /: the credential "AKIDEXAMPLE/20260105/eu-central-1/ecs/a/aws4_request" is not <key>/<date>/<region>/<service>/aws4_request`},
	} {
		if report := c.check(test.ask); report.Unidentified != test.want || report.Service != "" {
			t.Errorf("got %q as %s, want %q", report.Unidentified, report.Service, test.want)
		}
	}
}

func TestManyRequestsAtOnce(t *testing.T) {
	c := newChecker(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for _, ask := range []example{asForm("ec2", ec2+"AuthorizeSecurityGroupIngress&GroupId=sg-1"), asForm("iam", iam+"GetRole&RoleName=a"), asJSON("ecs", ecsTarget+"ListClusters", "")} {
				if report := c.check(ask); report.Unidentified != "" || len(report.Violations) > 0 {
					t.Errorf("%+v", report)
				}
			}
		})
	}
	group.Wait()
}

func TestTagsOfEveryForm(t *testing.T) {
	c := newChecker(t)
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
		assertSentences(t, test.claim, c.check(test.ask), test.want)
	}
}

func TestRulesOfASecurityGroupAreCounted(t *testing.T) {
	c := newChecker(t)
	ask := func(action, permission string) report {
		return c.check(asForm("ec2", ec2+action+"&GroupId=sg-1&IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=80&IpPermissions.1.ToPort=80&IpPermissions.1."+permission))
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
	c.check(asForm("ec2", ec2+"DeleteSecurityGroup&GroupId=sg-1"))
	allowed("AuthorizeSecurityGroupIngress", "IpRanges.1.CidrIp=10.3.0.0/16")
}

func TestInlinePoliciesOfARoleAreAddedUp(t *testing.T) {
	c := newChecker(t)
	put := func(role, name string, characters int) report {
		return c.check(asForm("iam", iam+"PutRolePolicy&RoleName="+role+"&PolicyName="+name+"&PolicyDocument="+strings.Repeat("a+%0A", characters)))
	}
	remove := func(action string) {
		if report := c.check(asForm("iam", iam+action)); len(report.Violations) > 0 {
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

func TestActionsAreRecordedByCommandAndThoseOfTheRunItselfAreNot(t *testing.T) {
	c := newChecker(t)
	for agent, action := range map[string]string{
		"aws-sdk-go-v2/1.41 app/test-up": "ListClusters", "APN/1.0 app/test-destroy md/x": "ListServices", emulator.OwnAgent: "ListTasks",
	} {
		ask := asJSON("ecs", ecsTarget+action, "{}")
		ask.header.Set("User-Agent", agent)
		c.check(ask)
	}
	seen, err := emulator.ReadRequests(t.Context(), c.endpoint)
	if err != nil {
		t.Fatal(err)
	}
	for command, want := range map[string]string{"test-up": "[ecs:ListClusters]", "test-destroy": "[ecs:ListServices]", "local-run": "[]"} {
		if got := fmt.Sprint(seen.Actions[command]); got != want {
			t.Errorf("%s: got %s, want %s", command, got, want)
		}
	}
	file := filepath.Join(t.TempDir(), "below", "actions.json")
	if err := seen.Save(file); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(content), "\"test-up\": [\n    \"ecs:ListClusters\"\n  ]") {
		t.Errorf("got %s, %v", content, err)
	}
}

func TestTheSummaryNamesWhatAWSWouldRefuse(t *testing.T) {
	seen := emulator.Requests{
		Checked: 3, Unidentified: 1, Actions: map[string][]string{"pulumi-up": {"ecs:A", "ecs:B"}, "pulumi-destroy": {"ecs:B"}},
		Violations: []string{"ecs A: x is 1; allowed: 2"}, Reasons: []string{"GET /dogs: not signed"}, Unchecked: []string{"ecs.Name"},
	}
	const want = `requests  3 of 2 operations checked against AWS's API models; violations: 1; not checked: 1; patterns not applied: ecs.Name
          AWS would refuse this: ecs A: x is 1; allowed: 2
          not checked: GET /dogs: not signed`
	if seen.String() != want {
		t.Errorf("got\n%s\nwant\n%s", seen, want)
	}
}
