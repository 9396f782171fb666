package service

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/settings"
)

// EgressGroup is a security group to which tasks may open connections on one TCP port. AddIngressRule also declares the
// rule in that group that lets the tasks in.
type EgressGroup struct {
	Port            int
	SecurityGroupID string
	AddIngressRule  bool
}

func readEgressGroups(g settings.Group) []EgressGroup {
	const source = "https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html"
	all := settings.List(g, "groups",
		"Security groups, such as a database's, to which the tasks may open connections, and to no other address on these ports.",
		source, func(g settings.Group) EgressGroup {
			return EgressGroup{
				Port: g.RequiredInt("port", 1, 65535, "", "TCP port.", source),
				SecurityGroupID: g.Required("id", settings.Pattern("sg- and 8 or 17 hexadecimal digits", `^sg-([0-9a-f]{8}|[0-9a-f]{17})$`),
					"Id of the security group.", source),
				AddIngressRule: g.Bool("addIngressRule", false,
					"Whether this stack also adds the rule that lets the tasks into that group. Otherwise the group's owner does.", source),
			}
		})
	for i, group := range all {
		if slices.ContainsFunc(all[:i], func(earlier EgressGroup) bool {
			return earlier.Port == group.Port && earlier.SecurityGroupID == group.SecurityGroupID
		}) {
			g.Fail(fmt.Sprintf("groups[%d]", i), fmt.Sprintf("port %d of %s twice", group.Port, group.SecurityGroupID), "each once")
		}
	}

	return all
}

// Reaches reports whether the tasks may connect to a TCP port, at any address or of any security group.
func (s Settings) Reaches(port int) bool {
	return slices.Contains(s.EgressPorts, port) ||
		slices.ContainsFunc(s.EgressGroups, func(group EgressGroup) bool { return group.Port == port })
}

// checkEgress refuses tasks that cannot reach AWS, and a port that is open to one group and to any address: the second makes
// the first pointless. Port 443 is the exception, because AWS's services need it open to any address.
func checkEgress(r *settings.Reader, s Settings) {
	if !r.Wrong("network.ports") && !slices.Contains(s.EgressPorts, httpsPort) {
		r.Fail("network.ports", strings.ReplaceAll(fmt.Sprint(s.EgressPorts), " ", ", "),
			"a list that contains 443, the port through which the tasks pull images and write logs")
	}
	for _, group := range s.EgressGroups {
		if group.Port != httpsPort && slices.Contains(s.EgressPorts, group.Port) {
			r.Conflict([]string{"network.groups", "network.ports"},
				fmt.Sprintf("%d is in both, so the tasks could reach it at any address; allowed: in one of them", group.Port))
		}
	}
}

// declareEgressToGroups lets the tasks connect to the given security groups and, where a setting says so, lets them into
// these groups. A rule is named after what it opens, so that adding or removing an entry touches no other rule.
func (b *builder) declareEgressToGroups() error {
	for _, to := range b.EgressGroups {
		suffix := fmt.Sprintf("%s-%d", to.SecurityGroupID, to.Port)
		err := b.declareEgress(b.Name+"-tasks-to-"+suffix, &vpc.SecurityGroupEgressRuleArgs{
			SecurityGroupId:           b.group.ID(),
			ReferencedSecurityGroupId: pulumi.String(to.SecurityGroupID),
			Description:               pulumi.String("Connections of the tasks"),
			FromPort:                  pulumi.Int(to.Port),
			ToPort:                    pulumi.Int(to.Port),
		})
		if err != nil {
			return err
		}
		if !to.AddIngressRule {
			continue
		}
		err = b.declareIngress(b.Name+"-tasks-into-"+suffix, &vpc.SecurityGroupIngressRuleArgs{
			SecurityGroupId:           pulumi.String(to.SecurityGroupID),
			ReferencedSecurityGroupId: b.group.ID(),
			Description:               pulumi.Sprintf("Connections of the tasks of %s", b.Name),
			FromPort:                  pulumi.Int(to.Port),
			ToPort:                    pulumi.Int(to.Port),
		})
		if err != nil {
			return err
		}
	}

	return nil
}
