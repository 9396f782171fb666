package ingress

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/servicequotas"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// mostRules is how many rules a security group has by default in one direction, for IPv4 and for IPv6 each.
// https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html#vpc-limits-security-groups
const (
	mostRules    = 60
	quotaService = "vpc"
	quotaOfRules = "L-0EA8095F"
)

// weights are the rules that AWS's own prefix lists count as, by a part of their names; the ones left out count as 1. Other
// lists count as the most entries that they may have.
// https://docs.aws.amazon.com/vpc/latest/userguide/working-with-aws-managed-prefix-lists.html#aws-managed-prefix-list-weights
var weights = map[string]int{
	".cloudfront.origin-facing": 55, ".route53-healthchecks": 25, ".vpc-lattice": 10, ".s3express": 6, ".groundstation": 5,
	".ec2-instance-connect": 2,
}

func countsAs(list *ec2.LookupManagedPrefixListResult) int {
	if list.OwnerId != "AWS" {
		return list.MaxEntries
	}
	for part, counts := range weights {
		if strings.Contains(list.Name, part) {
			return counts
		}
	}

	return 1
}

// ports are those that clients may connect to.
func (s Settings) ports() map[string]int {
	ports := map[string]int{}
	if s.listensOnHTTP() {
		ports["http"] = httpPort
	}
	if s.Encrypted() {
		ports["https"] = httpsPort
	}

	return ports
}

// CheckClients refuses more ranges of clients than the load balancer's security group has room for. AWS would refuse the rules
// one by one, half-way through an update. The account's own quota is looked up only if the default one does not do.
func (s Settings) CheckClients(ctx *pulumi.Context, opts ...pulumi.InvokeOption) error {
	if s.Traits().LoadBalancers == 0 {
		return nil
	}
	ranges := map[string]int{}
	for _, source := range s.Clients {
		switch {
		case isPrefixList(source):
			list, err := ec2.LookupManagedPrefixList(ctx, &ec2.LookupManagedPrefixListArgs{Id: &source}, opts...)
			if err != nil {
				return fmt.Errorf("ingress.clients: %s: %w", source, err)
			}
			ranges[list.AddressFamily] += countsAs(list)
		case isIPv6(source):
			ranges["IPv6"]++
		default:
			ranges["IPv4"]++
		}
	}
	needed := len(s.ports()) * max(ranges["IPv4"], ranges["IPv6"])
	if needed <= mostRules {
		return nil
	}
	code := quotaOfRules
	quota, err := servicequotas.LookupServiceQuota(ctx, &servicequotas.LookupServiceQuotaArgs{ServiceCode: quotaService, QuotaCode: &code}, opts...)
	if err != nil {
		return fmt.Errorf("ingress.clients: %d rules for security groups, whose quota could not be read: %w", needed, err)
	}
	if needed <= int(quota.Value) {
		return nil
	}

	return s.tooManyClients(needed, int(quota.Value))
}

func (s Settings) tooManyClients(needed, quota int) error {
	out := "fewer ranges"
	if closed := needed / len(s.ports()); len(s.ports()) > 1 && closed <= quota {
		out += fmt.Sprintf(", ingress.http: false (%d rules)", closed)
	}

	return fmt.Errorf("ingress.clients, ingress.http: %d rules in the load balancer's security group, whose quota is %d: one for each range and open port, and a prefix list "+
		"counts as many; allowed: %s, or a higher quota: aws service-quotas request-service-quota-increase --service-code %s "+
		"--quota-code %s --desired-value %d", needed, quota, out, quotaService, quotaOfRules, needed)
}
