package existing

import (
	"context"
	"net/url"
	"path"
)

// webACL lets everything pass, as the load balancer of a local run does whatever the firewall says.
// https://docs.aws.amazon.com/waf/latest/APIReference/API_CreateWebACL.html
func (p *provision) webACL() kind {
	const service = "AWSWAF_20190729."
	return kind{
		id: p.arn("wafv2", `[0-9]{12}`, `regional/webacl/[A-Za-z0-9_-]+/[0-9a-f-]+`),
		find: func(ctx context.Context, id string) error {
			input := map[string]string{"Scope": "REGIONAL", "Name": path.Base(path.Dir(id)), "Id": path.Base(id)}
			return p.caller.JSON(ctx, "wafv2", service+"GetWebACL", input, &struct{}{})
		},
		make: func(ctx context.Context, _ string, _ int) (string, error) {
			name := unique()
			var made struct{ Summary struct{ ARN string } }
			err := p.caller.JSON(ctx, "wafv2", service+"CreateWebACL", map[string]any{
				"Name": name, "Scope": "REGIONAL", "DefaultAction": map[string]any{"Allow": map[string]any{}}, "Rules": []any{},
				"VisibilityConfig": map[string]any{"MetricName": name, "SampledRequestsEnabled": false, "CloudWatchMetricsEnabled": false},
			}, &made)
			return made.Summary.ARN, err
		},
	}
}

// key encrypts nothing here, as no key of the emulator does.
// https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateKey.html
func (p *provision) key() kind {
	return kind{
		id: p.arn("kms", `[0-9]{12}`, `key/[A-Za-z0-9-]+`),
		find: func(ctx context.Context, id string) error {
			return p.caller.JSON(ctx, "kms", "TrentService.DescribeKey", map[string]string{"KeyId": id}, &struct{}{})
		},
		make: func(ctx context.Context, id string, _ int) (string, error) {
			var made struct{ KeyMetadata struct{ Arn string } }
			err := p.caller.JSON(ctx, "kms", "TrentService.CreateKey", map[string]string{"Description": "stands for " + id}, &made)
			return made.KeyMetadata.Arn, err
		},
	}
}

// harmless is a policy that grants what needs no permission. The emulator checks none.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
const harmless = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:GetCallerIdentity","Resource":"*"}]}`

// policy is one of the owner's, or one of AWS's that the emulator does not know.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicy.html
func (p *provision) policy() kind {
	const version = "2010-05-08"
	return kind{
		id: p.arn("iam", `(aws|[0-9]{12})`, `policy(/[\x21-\x2e\x30-\x7e]+)+`),
		find: func(ctx context.Context, id string) error {
			return p.caller.Query(ctx, "iam", version, "GetPolicy", url.Values{"PolicyArn": {id}}, &struct{}{})
		},
		make: func(ctx context.Context, _ string, _ int) (string, error) {
			var made struct {
				ARN string `xml:"CreatePolicyResult>Policy>Arn"`
			}
			err := p.caller.Query(ctx, "iam", version, "CreatePolicy", url.Values{
				"PolicyName":     {unique()},
				"PolicyDocument": {harmless},
			}, &made)
			return made.ARN, err
		},
	}
}
