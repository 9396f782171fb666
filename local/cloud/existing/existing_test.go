package existing

import (
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
		"domain.name": "www.shop.example.com", "domain.aliases": []any{"shop.example.com"}, "domain.zone": "Z0123456789ABCDEFGHIJ",
		"domain.certificate":      "arn:aws:acm:eu-central-1:111122223333:certificate/12345678-1234-1234-1234-123456789012",
		"storage.kmsKey":          "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
		"ingress.firewall":        "arn:aws:wafv2:eu-central-1:111122223333:regional/webacl/edge/a1b2c3d4-5678-90ab-cdef-111111111111",
		"ingress.clients":         []any{"203.0.113.0/24", "pl-0123456789abcdef0"},
		"app.policies":            []any{"arn:aws:iam::aws:policy/AmazonSQSFullAccess", "arn:aws:iam::111122223333:policy/shop/queue"},
		"network.vpc":             "vpc-0a1b2c3d4e5f60718",
		"network.publicSubnets":   `["subnet-0a1b2c3d4e5f60711","subnet-0a1b2c3d4e5f60712"]`, // as `pulumi config set` writes it
		"network.privateSubnets":  []any{"subnet-0a1b2c3d4e5f60713", "subnet-0a1b2c3d4e5f60714"},
		"network.groups":          []any{map[string]any{"port": 5432, "id": "sg-0a1b2c3d4e5f60715"}},
		"ingress.shared.listener": "arn:aws:elasticloadbalancing:eu-central-1:111122223333:listener/app/prod/50dc6c495c0c9188/f2f7dc8efc522ab2",
		"ingress.idleTimeout":     "75s",
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
	zone := "domain.zone Z0123456789ABCDEFGHIJ: made in the emulator, as " + first.Settings["domain.zone"].(string) + " for example.com"
	if !slices.Contains(first.Lines, zone) {
		t.Errorf("no line says %q:\n%s", zone, strings.Join(first.Lines, "\n"))
	}
	policies := first.Settings["app.policies"].([]any)
	if policies[0] != owners["app.policies"].([]any)[0] {
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
		if subnet.VPC == settings["network.vpc"] {
			zones[subnet.ID] = subnet.Zone
		}
	}
	for _, setting := range []string{"network.publicSubnets", "network.privateSubnets"} {
		var in []string
		for _, id := range settings[setting].([]any) {
			in = append(in, zones[id.(string)])
		}
		if want := []string{region + "a", region + "b"}; !slices.Equal(in, want) {
			t.Errorf("%s are in %v of the VPC, want %v", setting, in, want)
		}
	}

	listener := settings["ingress.shared.listener"].(string)
	listeners, err := account.balancers.DescribeListeners(t.Context(), &elb.DescribeListenersInput{ListenerArns: []string{listener}})
	if err != nil {
		t.Fatal(err)
	}
	arn := listeners.Listeners[0].LoadBalancerArn
	balancers, err := account.balancers.DescribeLoadBalancers(t.Context(), &elb.DescribeLoadBalancersInput{LoadBalancerArns: []string{*arn}})
	if err != nil {
		t.Fatal(err)
	}
	if balancer := balancers.LoadBalancers[0]; *balancer.VpcId != settings["network.vpc"] || len(balancer.SecurityGroups) != 1 || len(balancer.AvailabilityZones) != 2 {
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
		{"network.vpc": "vpc-main", "network.publicSubnets": []any{"subnet-0123456789abcdef0"}, "domain.zone": "example.com", "ingress.firewall": "managed", "ingress.clients": []any{"cloudfront", "0.0.0.0/0"}},
		{"domain.certificate": "arn:aws:acm:us-east-1:111122223333:certificate/12345678-1234-1234-1234-123456789012"}, // another region's
		{"storage.kmsKey": "alias/logs", "app.policies": "queue", "network.groups": []any{map[string]any{"port": 5432}, "sg-0123456789abcdef0"}},
		{"network.publicSubnets": "[subnet-", "network.vpc": 12},
		{"ingress.shared.listener": "arn:aws:elasticloadbalancing:eu-central-1:111122223333:listener/app/prod/50dc6c495c0c9188/f2f7dc8efc522ab2"},
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
