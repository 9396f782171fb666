package endpoint

import (
	"bytes"
	"cmp"
	"context"
	"encoding/xml"
	"net/http"
	"net/url"
	"regexp"
	"sync"
)

// ruleDescriptions remembers the descriptions of security group rules whose other side is a security group or a prefix
// list. The emulator keeps a rule's description with its address range, and such a rule has none.
type ruleDescriptions struct {
	mutex sync.Mutex
	of    map[string]string // rule id → description
}

// formKey carries a query request's form to where its answer passes.
type formKey struct{}

func withForm(r *http.Request, form url.Values) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), formKey{}, form))
}

func formOf(r *http.Request) url.Values {
	form, _ := r.Context().Value(formKey{}).(url.Values)
	return form
}

// ruleActions are the query actions that make, change and describe rules.
var ruleActions = map[string]bool{
	"AuthorizeSecurityGroupIngress": true,
	"AuthorizeSecurityGroupEgress":  true,
	"ModifySecurityGroupRules":      true,
	"DescribeSecurityGroupRules":    true,
}

var ruleID = regexp.MustCompile(`<securityGroupRuleId>([^<]+)</securityGroupRuleId>`)

// amend notes the description of the rule that a request made or changed, and puts descriptions into what describes.
func (d *ruleDescriptions) amend(form url.Values, answer []byte) []byte {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	switch form.Get("Action") {
	case "ModifySecurityGroupRules":
		d.note(form.Get("SecurityGroupRule.1.SecurityGroupRuleId"), form.Get("SecurityGroupRule.1.SecurityGroupRule.Description"))
	case "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress":
		// The provider makes one rule a request.
		if made := ruleID.FindSubmatch(answer); made != nil {
			d.note(string(made[1]), cmp.Or(form.Get("IpPermissions.1.Groups.1.Description"), form.Get("IpPermissions.1.PrefixListIds.1.Description")))
		}
	}
	return ruleID.ReplaceAllFunc(answer, func(element []byte) []byte {
		description, known := d.of[string(ruleID.FindSubmatch(element)[1])]
		if !known {
			return element
		}
		text := bytes.NewBuffer(bytes.Clone(element))
		text.WriteString("<description>")
		_ = xml.EscapeText(text, []byte(description)) // a buffer takes everything
		text.WriteString("</description>")
		return text.Bytes()
	})
}

func (d *ruleDescriptions) note(id, description string) {
	if id == "" || description == "" {
		return
	}
	if d.of == nil {
		d.of = map[string]string{}
	}
	d.of[id] = description
}
