// Command database is an example of a second small program: it gives the tasks of another stack a PostgreSQL database,
// and takes the place of the database from the outputs of that stack. README.md says how the two are used together.
package main

import (
	"net/url"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/rds"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
)

const (
	port     = 5432
	database = "app"
	user     = "app"
	// parameter holds the URL with which the app connects. It is the name in the setting `secrets` of the other stack.
	parameter = "/database/url"
)

func main() { pulumi.Run(program) }

func program(ctx *pulumi.Context) error {
	settings := config.New(ctx, "")
	webStack, err := settings.Try("webStack")
	if err != nil {
		return err
	}
	password, err := settings.TrySecret("password")
	if err != nil {
		return err
	}
	web, err := pulumi.NewStackReference(ctx, webStack, nil)
	if err != nil {
		return err
	}

	group, err := openedFor(ctx, web)
	if err != nil {
		return err
	}
	server, err := postgres(ctx, web, group, password)
	if err != nil {
		return err
	}
	_, err = ssm.NewParameter(ctx, "url", &ssm.ParameterArgs{
		Name:  pulumi.String(parameter),
		Type:  pulumi.String("SecureString"),
		Value: address(server.Endpoint, password),
	})
	if err != nil {
		return err
	}

	ctx.Export("securityGroupId", group.ID())
	ctx.Export("parameter", pulumi.String(parameter))

	return nil
}

// openedFor declares the database's security group, which lets in the tasks of the other stack and nobody else.
func openedFor(ctx *pulumi.Context, web *pulumi.StackReference) (*ec2.SecurityGroup, error) {
	group, err := ec2.NewSecurityGroup(ctx, "database", &ec2.SecurityGroupArgs{
		Description: pulumi.String("Database"),
		VpcId:       web.GetStringOutput(pulumi.String("vpcId")),
	})
	if err != nil {
		return nil, err
	}
	_, err = vpc.NewSecurityGroupIngressRule(ctx, "database-from-tasks", &vpc.SecurityGroupIngressRuleArgs{
		SecurityGroupId:           group.ID(),
		ReferencedSecurityGroupId: web.GetStringOutput(pulumi.String("taskSecurityGroupId")),
		IpProtocol:                pulumi.String("tcp"),
		FromPort:                  pulumi.Int(port),
		ToPort:                    pulumi.Int(port),
	})

	return group, err
}

func postgres(
	ctx *pulumi.Context, web *pulumi.StackReference, group *ec2.SecurityGroup, password pulumi.StringInput,
) (*rds.Instance, error) {
	subnetIDs := web.GetOutput(pulumi.String("taskSubnetIds")).ApplyT(func(value any) []string {
		var ids []string
		for _, id := range value.([]any) {
			ids = append(ids, id.(string))
		}
		return ids
	}).(pulumi.StringArrayOutput)
	subnets, err := rds.NewSubnetGroup(ctx, "database", &rds.SubnetGroupArgs{SubnetIds: subnetIDs})
	if err != nil {
		return nil, err
	}

	return rds.NewInstance(ctx, "database", &rds.InstanceArgs{
		Engine:              pulumi.String("postgres"),
		EngineVersion:       pulumi.String("17"),
		InstanceClass:       pulumi.String("db.t4g.micro"),
		AllocatedStorage:    pulumi.Int(20),
		StorageEncrypted:    pulumi.Bool(true),
		DbName:              pulumi.String(database),
		Username:            pulumi.String(user),
		Password:            password.ToStringOutput().ToStringPtrOutput(),
		DbSubnetGroupName:   subnets.Name,
		VpcSecurityGroupIds: pulumi.StringArray{group.ID()},
		PubliclyAccessible:  pulumi.Bool(false),
		// Days. https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
		BackupRetentionPeriod:   pulumi.Int(7),
		FinalSnapshotIdentifier: pulumi.String("database-final"),
	})
}

// address is the URL with which the app connects. RDS for PostgreSQL expects TLS of every client.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.SSL.html
func address(endpoint pulumi.StringOutput, password pulumi.StringInput) pulumi.StringOutput {
	return pulumi.All(endpoint, password).ApplyT(func(values []any) string {
		all := url.URL{
			Scheme: "postgres", User: url.UserPassword(user, values[1].(string)), Host: values[0].(string), Path: database,
			RawQuery: "sslmode=require",
		}
		return all.String()
	}).(pulumi.StringOutput)
}
