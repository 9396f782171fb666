package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/deployment"
)

// startCount is the number of tasks that a service starts with. If load decides the number, a service that replaces
// another starts with as many tasks as the other one runs.
//
// A data source would fail in the first preview of a stack: the name of a cluster is known before the cluster exists. The
// ARN is not, and a list of services may be empty. A preview does without the number, which counts only for a new service.
func (b *builder) startCount() pulumi.IntInput {
	if !b.Scaling.On || b.ctx.DryRun() {
		return pulumi.Int(b.Scaling.Min)
	}

	return b.cluster.Arn.ApplyT(func(arn string) (int, error) {
		running, err := runningTasks(b.ctx.Context(), b.ECS, arn, b.Name+"-")
		if err != nil {
			return 0, fmt.Errorf("service %s: tasks that run already: %w", b.Name, err)
		}
		return min(max(running, b.Scaling.Min), b.Scaling.Max), nil
	}).(pulumi.IntOutput)
}

// servicesAtOnce is how many services ECS describes at once.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html
const servicesAtOnce = 10

// runningTasks counts the tasks of the service of a cluster whose name begins with the prefix. Of two such services, as
// after an interrupted replacement, the larger number counts. Other tasks of the cluster, such as scheduled commands, and
// services of other stacks are not counted.
func runningTasks(ctx context.Context, client deployment.ECS, cluster, prefix string) (int, error) {
	most := 0
	for pages := ecs.NewListServicesPaginator(client, &ecs.ListServicesInput{Cluster: &cluster}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if missing := (*types.ClusterNotFoundException)(nil); errors.As(err, &missing) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		ours := slices.DeleteFunc(page.ServiceArns, func(arn string) bool {
			return !strings.HasPrefix(arn[strings.LastIndex(arn, "/")+1:], prefix)
		})
		for arns := range slices.Chunk(ours, servicesAtOnce) {
			described, err := client.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &cluster, Services: arns})
			if err != nil {
				return 0, err
			}
			for _, service := range described.Services {
				if aws.ToString(service.Status) == "ACTIVE" {
					most = max(most, int(service.RunningCount))
				}
			}
		}
	}

	return most, nil
}
