package endpoint

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2/types"
)

// The stack's DNS record is an alias of what API Gateway says in its answer.
func TestAHostNameOfAPIGatewayHasATargetForItsRecord(t *testing.T) {
	client, ctx := apiGateway(t), t.Context()
	made, err := client.CreateDomainName(ctx, &apigatewayv2.CreateDomainNameInput{
		DomainName: aws.String("api.example.test"),
		DomainNameConfigurations: []types.DomainNameConfiguration{{
			CertificateArn: aws.String("arn:aws:acm:eu-central-1:123456789012:certificate/0"), EndpointType: types.EndpointTypeRegional,
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	found, err := client.GetDomainName(ctx, &apigatewayv2.GetDomainNameInput{DomainName: aws.String("api.example.test")})
	if err != nil {
		t.Fatal(err)
	}
	if len(made.DomainNameConfigurations) != 1 || len(found.DomainNameConfigurations) != 1 {
		t.Fatalf("made: %+v\nfound: %+v", made, found)
	}
	before, after := made.DomainNameConfigurations[0], found.DomainNameConfigurations[0]
	target := aws.ToString(after.ApiGatewayDomainName)
	if !strings.HasPrefix(target, "d-") || !strings.HasSuffix(target, ".execute-api.eu-central-1.amazonaws.com") || target != aws.ToString(before.ApiGatewayDomainName) {
		t.Errorf("target: %q when it was made, %q later", aws.ToString(before.ApiGatewayDomainName), target)
	}
	if found.MutualTlsAuthentication != nil {
		t.Errorf("certificates of clients: %+v, want none", found.MutualTlsAuthentication)
	}
	if after.DomainNameStatus != types.DomainNameStatusAvailable || aws.ToString(after.HostedZoneId) == "" {
		t.Errorf("status %q, zone %q", after.DomainNameStatus, aws.ToString(after.HostedZoneId))
	}
}
