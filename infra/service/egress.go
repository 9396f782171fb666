package service

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/settings"
)

// EgressGroup is a security group to which tasks may open connections on one TCP port. AddIngressRule also declares the
// rule in that group that lets the tasks in.
type EgressGroup struct {
	Port            int    `json:"port"`
	SecurityGroupID string `json:"securityGroupId"`
	AddIngressRule  bool   `json:"addIngressRule"`
}

var groupPattern = regexp.MustCompile(`^sg-([0-9a-f]{8}|[0-9a-f]{17})$`)

func readEgressGroups(r *settings.Reader) []EgressGroup {
	const key = "taskEgress"

	all := settings.Objects[EgressGroup](r, key, "port, securityGroupId, addIngressRule")
	for i, group := range all {
		part := fmt.Sprintf("%s[%d]", key, i)
		if group.Port < 1 || group.Port > 65535 {
			r.FailIn(key, part+".port", strconv.Itoa(group.Port), "1 to 65535 (TCP port)")
		}
		if !groupPattern.MatchString(group.SecurityGroupID) {
			r.FailIn(key, part+".securityGroupId", strconv.Quote(group.SecurityGroupID), "sg- and 8 or 17 hexadecimal digits")
		}
		if slices.ContainsFunc(all[:i], func(earlier EgressGroup) bool {
			return earlier.Port == group.Port && earlier.SecurityGroupID == group.SecurityGroupID
		}) {
			r.FailIn(key, part, fmt.Sprintf("port %d of %s twice", group.Port, group.SecurityGroupID), "each once")
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
	if !r.Wrong("taskEgressPorts") && !slices.Contains(s.EgressPorts, 443) {
		r.Fail("taskEgressPorts", strings.ReplaceAll(fmt.Sprint(s.EgressPorts), " ", ", "),
			"a list that contains 443, the port through which the tasks pull images and write logs")
	}
	for _, group := range s.EgressGroups {
		if group.Port != 443 && slices.Contains(s.EgressPorts, group.Port) {
			r.Conflict([]string{"taskEgress", "taskEgressPorts"},
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
