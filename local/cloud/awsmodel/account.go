package awsmodel

import (
	"fmt"
	"maps"
	"strings"
)

// account is what a run has asked for so far, where AWS limits a sum over several requests.
type account struct {
	rules  map[string]map[string]bool // security group, direction and address family → its rules
	inline map[string]map[string]int  // role → its inline policies → their characters
}

func newAccount() account {
	return account{rules: map[string]map[string]bool{}, inline: map[string]map[string]int{}}
}

// maxInline is the limit of all inline policies of a role together, white space not counted.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-entity-length
const maxInline = 10240

// maxRules is the default limit of a security group's rules, for each direction, and IPv4 apart from IPv6.
// https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html#vpc-limits-security-groups
const maxRules = 60

const vpcQuotas = "https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html#vpc-limits-security-groups"

// ask counts what a request adds and takes away. It supposes that the request succeeds.
func (a *account) ask(v *validation, input any) {
	members, _ := input.(object)
	switch v.service.name + " " + v.operation.name {
	case "iam PutRolePolicy":
		a.putPolicy(v, members)
	case "iam DeleteRolePolicy":
		delete(a.inline[plain(members["RoleName"])], plain(members["PolicyName"]))
	case "iam DeleteRole":
		delete(a.inline, plain(members["RoleName"]))
	case "ec2 AuthorizeSecurityGroupIngress", "ec2 AuthorizeSecurityGroupEgress":
		a.authorize(v, members)
	case "ec2 RevokeSecurityGroupIngress", "ec2 RevokeSecurityGroupEgress":
		a.revoke(v, members)
	case "ec2 DeleteSecurityGroup":
		maps.DeleteFunc(a.rules, func(key string, _ map[string]bool) bool {
			return strings.HasPrefix(key, plain(members["GroupId"])+" ")
		})
	}
}

func (a *account) putPolicy(v *validation, members object) {
	role := plain(members["RoleName"])
	if a.inline[role] == nil {
		a.inline[role] = map[string]int{}
	}
	a.inline[role][plain(members["PolicyName"])] = dense(plain(members["PolicyDocument"]))
	sum := 0
	for _, characters := range a.inline[role] {
		sum += characters
	}
	if sum > maxInline {
		v.addRule("PolicyDocument", fmt.Sprintf("the policy that makes %d characters of role %s's %d inline policies", sum, role, len(a.inline[role])),
			fmt.Sprintf("%d characters that are not white space in all inline policies of a role", maxInline), iamQuotas)
	}
}

func (a *account) authorize(v *validation, members object) {
	for key, added := range ruleKeys(v, members) {
		if a.rules[key] == nil {
			a.rules[key] = map[string]bool{}
		}
		for _, rule := range added {
			a.rules[key][rule] = true
		}
		if len(a.rules[key]) > maxRules {
			v.addRule("IpPermissions", fmt.Sprintf("rule %d of %s", len(a.rules[key]), key), fmt.Sprintf("%d rules for each direction and address family", maxRules), vpcQuotas)
		}
	}
}

func (a *account) revoke(v *validation, members object) {
	for key, gone := range ruleKeys(v, members) {
		for _, rule := range gone {
			delete(a.rules[key], rule)
		}
	}
}

// ruleKeys are the rules of a request by group, direction and address family. A group or a prefix list on the other
// side counts in both families. A prefix list of one's own counts with its maximum of entries, which is not known
// here: it is counted as one.
func ruleKeys(v *validation, members object) map[string][]string {
	group := plain(members["GroupId"])
	direction := "inbound"
	if strings.HasSuffix(v.operation.name, "Egress") {
		direction = "outbound"
	}
	ipv4, ipv6 := fmt.Sprintf("%s %s IPv4", group, direction), fmt.Sprintf("%s %s IPv6", group, direction)
	keys := map[string][]string{}
	for _, permission := range find("IpPermissions[]", "", members) {
		ports, _ := permission.value.(object)
		prefix := fmt.Sprintf("%s %s-%s ", plain(ports["IpProtocol"]), plain(ports["FromPort"]), plain(ports["ToPort"]))
		for _, other := range []struct {
			path     string
			families []string
		}{
			{"IpRanges[].CidrIp", []string{ipv4}},
			{"Ipv6Ranges[].CidrIpv6", []string{ipv6}},
			{"UserIdGroupPairs[].GroupId", []string{ipv4, ipv6}},
			{"PrefixListIds[].PrefixListId", []string{ipv4, ipv6}},
		} {
			for _, at := range find(other.path, "", ports) {
				for _, family := range other.families {
					keys[family] = append(keys[family], prefix+plain(at.value))
				}
			}
		}
	}
	return keys
}
