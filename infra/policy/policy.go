// Package policy writes IAM policy documents for roles, topics and buckets.
package policy

import "fargate-nginx-sidecar/infra/document"

// version is that of the policy language.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html
const version = "2012-10-17"

// Statement is one statement of a policy, with the elements that this program needs. Empty elements are left out.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
type Statement struct {
	Sid       string                       `json:"Sid,omitempty"`
	Effect    string                       `json:"Effect"`
	Principal any                          `json:"Principal,omitempty"` // "*", or a map of a text or of texts
	Action    []string                     `json:"Action"`
	Resource  []string                     `json:"Resource,omitempty"`
	Condition map[string]map[string]string `json:"Condition,omitempty"`
}

// Render writes a policy as JSON.
func Render(statements ...Statement) (string, error) {
	return document.JSON(struct {
		Version   string      `json:"Version"`
		Statement []Statement `json:"Statement"`
	}{version, statements})
}
