package existing

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"fargate-nginx-sidecar/local/cloud/emulator/emulatortest"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
)

func TestMain(m *testing.M) { emulatortest.Main(m) }

const region = "eu-central-1"

// production are settings that name things of some account.
func production() map[string]any {
	return map[string]any{
		"domain": "www.shop.example.com", "domainAliases": []any{"shop.example.com"}, "hostedZoneId": "Z0123456789ABCDEFGHIJ",
		"certificateArn":     "arn:aws:acm:eu-central-1:111122223333:certificate/12345678-1234-1234-1234-123456789012",
		"kmsKeyArn":          "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
		"waf":                "arn:aws:wafv2:eu-central-1:111122223333:regional/webacl/edge/a1b2c3d4-5678-90ab-cdef-111111111111",
		"clientPrefixListId": "pl-0123456789abcdef0",
		"taskPolicyArns":     []any{"arn:aws:iam::aws:policy/AmazonSQSFullAccess", "arn:aws:iam::111122223333:policy/shop/queue"},
		"vpcId":              "vpc-0a1b2c3d4e5f60718",
		"publicSubnetIds":    `["subnet-0a1b2c3d4e5f60711","subnet-0a1b2c3d4e5f60712"]`, // as `pulumi config set` writes it
		"privateSubnetIds":   []any{"subnet-0a1b2c3d4e5f60713", "subnet-0a1b2c3d4e5f60714"},
		"taskEgress":         []any{map[string]any{"port": 5432, "securityGroupId": "sg-0a1b2c3d4e5f60715"}},
		"sharedLoadBalancer": map[string]any{
			"listenerArn": "arn:aws:elasticloadbalancing:eu-central-1:111122223333:listener/app/prod/50dc6c495c0c9188/f2f7dc8efc522ab2",
			"hosts":       []any{"shop.example.com"},
		},
		"idleTimeoutSeconds": 75,
	}
}

func provide(t *testing.T, endpoint, dir string, settings map[string]any) Provided {
	t.Helper()
	account, err := Open(endpoint, region, dir)
	if err != nil {
		t.Fatal(err)
	}
	provided, err := account.Provide(t.Context(), func(name string) any { return settings[name] })
	if err != nil {
		t.Fatal(err)
	}
	return provided
}

func TestWhatTheSettingsNameExistsOnceForARun(t *testing.T) {
	t.Parallel()
	endpoint, dir := emulatortest.Start(t), t.TempDir()
	owners := production()
	first := provide(t, endpoint, dir, owners)
	for setting, value := range first.Settings {
		if reflect.DeepEqual(value, owners[setting]) {
			t.Errorf("%s is still the owner's: %v", setting, value)
		}
	}
	if got, want := len(first.Settings), 11; got != want {
		t.Errorf("%d settings got other values, want %d: %v", got, want, first.Settings)
	}
	if got, want := len(first.Lines), 13; got != want {
		t.Errorf("%d lines, want one for each of %d things:\n%s", got, want, strings.Join(first.Lines, "\n"))
	}
	zone := "hostedZoneId Z0123456789ABCDEFGHIJ: made in the emulator, as " + first.Settings["hostedZoneId"].(string) + " for example.com"
	if !slices.Contains(first.Lines, zone) {
		t.Errorf("no line says %q:\n%s", zone, strings.Join(first.Lines, "\n"))
	}
	policies := first.Settings["taskPolicyArns"].([]any)
	if policies[0] != owners["taskPolicyArns"].([]any)[0] {
		t.Errorf("AWS's own policy, which the emulator has, became %v", policies[0])
	}

	// Another deploy of the same run, by another process.
	if second := provide(t, endpoint, dir, owners); !reflect.DeepEqual(second, first) {
		t.Errorf("the second deploy gets other things: %v, before %v", second, first)
	}
	// What stands for the owner's things is what the emulator has: nothing has to stand for it.
	here := production()
	for setting, value := range first.Settings {
		here[setting] = value
	}
	if again := provide(t, endpoint, t.TempDir(), here); len(again.Settings) > 0 {
		t.Errorf("what exists was made again: %v", again.Lines)
	}
}

func TestTheStandInsAreAsTheProgramChecksThem(t *testing.T) {
	t.Parallel()
	endpoint := emulatortest.Start(t)
	settings := provide(t, endpoint, t.TempDir(), production()).Settings
	account, err := Open(endpoint, region, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var found struct {
		Subnets []struct {
			ID   string `xml:"subnetId"`
			VPC  string `xml:"vpcId"`
			Zone string `xml:"availabilityZone"`
		} `xml:"subnetSet>item"`
	}
	p := &provision{Account: account}
	if err := p.ec2(t.Context(), "DescribeSubnets", nil, &found); err != nil {
		t.Fatal(err)
	}
	zones := map[string]string{}
	for _, subnet := range found.Subnets {
		if subnet.VPC == settings["vpcId"] {
			zones[subnet.ID] = subnet.Zone
		}
	}
	for _, setting := range []string{"publicSubnetIds", "privateSubnetIds"} {
		var in []string
		for _, id := range settings[setting].([]any) {
			in = append(in, zones[id.(string)])
		}
		if want := []string{region + "a", region + "b"}; !slices.Equal(in, want) {
			t.Errorf("%s are in %v of the VPC, want %v", setting, in, want)
		}
	}

	listener := settings["sharedLoadBalancer"].(map[string]any)
	if hosts := fmt.Sprint(listener["hosts"]); hosts != "[shop.example.com]" {
		t.Errorf("the rest of sharedLoadBalancer became %s", hosts)
	}
	listeners, err := account.balancers.DescribeListeners(t.Context(), &elb.DescribeListenersInput{ListenerArns: []string{listener["listenerArn"].(string)}})
	if err != nil {
		t.Fatal(err)
	}
	arn := listeners.Listeners[0].LoadBalancerArn
	balancers, err := account.balancers.DescribeLoadBalancers(t.Context(), &elb.DescribeLoadBalancersInput{LoadBalancerArns: []string{*arn}})
	if err != nil {
		t.Fatal(err)
	}
	if balancer := balancers.LoadBalancers[0]; *balancer.VpcId != settings["vpcId"] || len(balancer.SecurityGroups) != 1 || len(balancer.AvailabilityZones) != 2 {
		t.Errorf("the load balancer is in %s with %v and %v", *balancer.VpcId, balancer.SecurityGroups, balancer.AvailabilityZones)
	}
	attributes, err := account.balancers.DescribeLoadBalancerAttributes(t.Context(), &elb.DescribeLoadBalancerAttributesInput{LoadBalancerArn: arn})
	if err != nil {
		t.Fatal(err)
	}
	for _, attribute := range attributes.Attributes {
		if *attribute.Key == "idle_timeout.timeout_seconds" && *attribute.Value != "75" {
			t.Errorf("the load balancer's idle timeout is %s, want the stack's, 75", *attribute.Value)
		}
	}
}

func TestWhatTheProgramRefusesStaysAsItIs(t *testing.T) {
	// Nothing answers at this address: whatever is asked for fails the test.
	account, err := Open("http://127.0.0.1:1", region, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, settings := range []map[string]any{
		{},
		{"vpcId": "vpc-main", "publicSubnetIds": []any{"subnet-0123456789abcdef0"}, "hostedZoneId": "example.com", "waf": "managed", "clientPrefixListId": "cloudfront"},
		{"certificateArn": "arn:aws:acm:us-east-1:111122223333:certificate/12345678-1234-1234-1234-123456789012"}, // another region's
		{"kmsKeyArn": "alias/logs", "taskPolicyArns": "queue", "taskEgress": []any{map[string]any{"port": 5432}, "sg-0123456789abcdef0"}},
		{"publicSubnetIds": "[subnet-", "vpcId": 12},
		{"sharedLoadBalancer": map[string]any{"listenerArn": "arn:aws:elasticloadbalancing:eu-central-1:111122223333:listener/app/prod/50dc6c495c0c9188/f2f7dc8efc522ab2"}},
	} {
		provided, err := account.Provide(t.Context(), func(name string) any { return settings[name] })
		if err != nil || len(provided.Settings)+len(provided.Lines) > 0 {
			t.Errorf("%v: got %v, %v", settings, provided, err)
		}
	}
}

func TestAZoneHoldsAllNames(t *testing.T) {
	for _, c := range []struct {
		domains []string
		want    string
	}{
		{nil, "example.com"},
		{[]string{"www.example.com"}, "example.com"},
		{[]string{"example.com"}, "example.com"},
		{[]string{"www.example.com", "example.com"}, "example.com"},
		{[]string{"a.shop.example.com", "b.shop.example.com"}, "example.com"},
		{[]string{"www.example.co.uk"}, "example.co.uk"},
	} {
		if got := zoneOf(c.domains); got != c.want {
			t.Errorf("%v: got %s, want %s", c.domains, got, c.want)
		}
	}
}
