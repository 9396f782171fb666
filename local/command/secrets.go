package command

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"fargate-nginx-sidecar/local/cloud/run"
	"fargate-nginx-sidecar/local/cloud/secrets"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
)

// restartWait bounds the replacement of all tasks of a service. Each may take 120 s to stop, and as long to get healthy.
const restartWait = 5 * time.Minute

// loginSecret is the environment variable for the secret with which the load balancer logs users in.
const loginSecret = "OIDC_CLIENT_SECRET" //nolint:gosec // a name, no credential

// provideSecrets puts what the settings `secrets` and `oidc` name into the emulator, which has nothing of a real account,
// and says once which values are made up. It reports whether a value changed that running tasks have read already.
func (l *Local) provideSecrets(ctx context.Context, current run.Run, config stackSettings) (changed bool, err error) {
	stores := secrets.New(current.Endpoint, current.Region)
	provided, err := stores.Provide(ctx, config.value("secrets"), os.Getenv)
	if err != nil {
		return false, err
	}
	oidc, _ := config.value("oidc").(map[string]any)
	login, err := stores.Provide(ctx, map[string]any{loginSecret: oidc["clientSecret"]}, os.Getenv)
	if err != nil {
		return false, err
	}
	if made := slices.Concat(provided.Placeholders, login.Placeholders); len(made) > 0 {
		l.Progress.Line("secrets   placeholders for %s; give a real value in the environment: %s=… make local", strings.Join(made, ", "), made[0])
	}
	return provided.Changed, nil
}

// restart replaces the tasks of all services, and waits for that: ECS reads secrets only when it starts a task.
func (c clients) restart(ctx context.Context) error {
	services, err := c.services(ctx)
	if err != nil {
		return err
	}
	for _, service := range services {
		if _, err := c.ecs.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: service.ClusterArn, Service: service.ServiceArn, ForceNewDeployment: true}); err != nil {
			return fmt.Errorf("new tasks for service %s: %w", aws.ToString(service.ServiceName), err)
		}
		steady := ecs.NewServicesStableWaiter(c.ecs, func(o *ecs.ServicesStableWaiterOptions) { o.MinDelay, o.MaxDelay = time.Second, time.Second })
		if err := steady.Wait(ctx, &ecs.DescribeServicesInput{Cluster: service.ClusterArn, Services: []string{*service.ServiceArn}}, restartWait); err != nil {
			return fmt.Errorf("new tasks for service %s: %w", aws.ToString(service.ServiceName), err)
		}
	}
	return nil
}
