package service

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecs"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// running returns the task definition that runs after an update. ECS answers "steady" also after its circuit breaker
// has put the previous task definition back, and the provider then reports success; so the service is asked once more,
// and an update that did not deliver what it was asked to fails.
// https://github.com/pulumi/pulumi-aws/issues/4487
//
// A preview does not ask: it comes before the update that may mend the service.
func (s *Service) running(
	ctx *pulumi.Context, name string, args Args,
	cluster *ecs.Cluster, service *ecs.Service, definition *ecs.TaskDefinition,
) pulumi.StringOutput {
	if ctx.DryRun() {
		return definition.Arn
	}

	// service.Name is known once the provider has seen a steady service, so this reads what came out of the update.
	found := ecs.LookupServiceOutput(ctx, ecs.LookupServiceOutputArgs{
		ClusterArn:  cluster.Arn,
		ServiceName: service.Name,
	}, pulumi.Parent(s), pulumi.DependsOn([]pulumi.Resource{service}))

	return text(pulumi.StringArray{definition.Arn, found.TaskDefinition(), cluster.Name, service.Name},
		func(values []string) (string, error) {
			requested, runs := values[0], values[1]
			if err := checkRunning(requested, runs, values[2], values[3], args.Region); err != nil {
				return "", fmt.Errorf("service %s: %w", name, err)
			}
			return runs, nil
		})
}

// checkRunning reports a service that does not run what was requested.
func checkRunning(requested, runs, cluster, service, region string) error {
	if runs == requested {
		return nil
	}

	return fmt.Errorf("ECS rolled the deployment back: task definition %s was requested, %s runs. "+
		"The service's last events say why:\n"+
		"  aws ecs describe-services --region %s --cluster %s --services %s --query 'services[0].events[:10].[createdAt,message]' --output text\n"+
		"Mend the image or the setting at fault and run: pulumi up --refresh",
		requested, runs, region, cluster, service)
}
