package endpoint

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"regexp"
)

// ruleActions are the actions that make, change and describe security group rules.
var ruleActions = map[string]bool{
	"AuthorizeSecurityGroupIngress": true,
	"AuthorizeSecurityGroupEgress":  true,
	"ModifySecurityGroupRules":      true,
	"DescribeSecurityGroupRules":    true,
}

var ruleID = regexp.MustCompile(`<securityGroupRuleId>([^<]+)</securityGroupRuleId>`)

// amendRules remembers the description of the rule that a request made or changed, and puts descriptions into an answer
// that describes rules. The emulator keeps a rule's description with its address range, and a rule whose other side is a
// security group or a prefix list has none.
func (e *Endpoint) amendRules(c call, answer []byte) []byte {
	switch c.action {
	case "ModifySecurityGroupRules":
		e.describeRule(c.form.Get("SecurityGroupRule.1.SecurityGroupRuleId"), c.form.Get("SecurityGroupRule.1.SecurityGroupRule.Description"))
	case "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress":
		// The provider makes one rule a request.
		if made := ruleID.FindSubmatch(answer); made != nil {
			e.describeRule(string(made[1]), cmp.Or(c.form.Get("IpPermissions.1.Groups.1.Description"), c.form.Get("IpPermissions.1.PrefixListIds.1.Description")))
		}
	}
	return ruleID.ReplaceAllFunc(answer, func(element []byte) []byte {
		description, known := e.descriptions.get(string(ruleID.FindSubmatch(element)[1]))
		if !known {
			return element
		}
		text := bytes.NewBuffer(bytes.Clone(element))
		text.WriteString("<description>")
		_ = xml.EscapeText(text, []byte(description)) // writing to a buffer never fails
		text.WriteString("</description>")
		return text.Bytes()
	})
}

func (e *Endpoint) describeRule(id, description string) {
	if id != "" && description != "" {
		e.descriptions.set(id, description)
	}
}
