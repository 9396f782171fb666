package main

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// web answers with the outputs of the other stack. The names are those of infra/outputs.go; a test there pins them.
type web struct {
	declared map[string]resource.PropertyMap
}

func (w web) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	outputs := args.Inputs.Copy()
	switch args.TypeToken {
	case "pulumi:pulumi:StackReference":
		outputs["outputs"] = resource.NewProperty(resource.PropertyMap{
			"vpcId":               resource.NewProperty("vpc-1"),
			"taskSecurityGroupId": resource.NewProperty("sg-tasks"),
			"taskSubnetIds": resource.NewProperty([]resource.PropertyValue{
				resource.NewProperty("subnet-1"), resource.NewProperty("subnet-2"),
			}),
		})
	case "aws:rds/instance:Instance":
		outputs["endpoint"] = resource.NewProperty("database.example:5432")
	}
	w.declared[args.TypeToken] = args.Inputs

	return "id-of-" + args.Name, outputs, nil
}

func (web) Call(pulumi.MockCallArgs) (resource.PropertyMap, error) {
	return resource.PropertyMap{}, nil
}

func TestTheDatabaseIsInTheOtherStacksNetworkAndOpenToItsTasksOnly(t *testing.T) {
	stack := web{map[string]resource.PropertyMap{}}
	err := pulumi.RunErr(program, pulumi.WithMocks("database", "test", stack), func(info *pulumi.RunInfo) {
		info.Config = map[string]string{"database:webStack": "team/fargate-nginx-sidecar/prod", "database:password": "p@ss/word"}
		info.ConfigSecretKeys = []string{"database:password"}
	})
	if err != nil {
		t.Fatal(err)
	}

	if got := stack.declared["aws:ec2/securityGroup:SecurityGroup"]["vpcId"]; got != resource.NewProperty("vpc-1") {
		t.Errorf("VPC: %v", got)
	}
	if got := stack.declared["aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"]["referencedSecurityGroupId"]; got != resource.NewProperty("sg-tasks") {
		t.Errorf("open to: %v", got)
	}
	if got := len(stack.declared["aws:rds/subnetGroup:SubnetGroup"]["subnetIds"].ArrayValue()); got != 2 {
		t.Errorf("%d subnets; want the tasks' two", got)
	}
	value := stack.declared["aws:ssm/parameter:Parameter"]["value"]
	if !value.IsSecret() {
		t.Errorf("the parameter's value is no secret: %v", value)
	} else if got := value.SecretValue().Element.StringValue(); !strings.HasPrefix(got, "postgres://app:p%40ss%2Fword@database.example:5432/app?") {
		t.Errorf("URL: %s", got)
	}
}
