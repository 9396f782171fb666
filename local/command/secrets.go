package command

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"fargate-nginx-sidecar/local/cloud/run"
	"fargate-nginx-sidecar/local/cloud/secrets"
	"fargate-nginx-sidecar/local/command/pulumi"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
)

// restartWait bounds the replacement of all tasks of a service. Each may take 120 s to stop, and as long to get healthy.
const restartWait = 5 * time.Minute

// loginSecret is the environment variable for the secret with which the load balancer logs users in.
const loginSecret = "OIDC_CLIENT_SECRET" //nolint:gosec // a name, no credential

// imageSecret is the environment variable for the credentials of a private registry, which only has to exist: the engine pulls
// with its own login.
const imageSecret = "IMAGE_SECRET"

// provideSecrets puts what the settings name into the emulator, which has nothing of a real account, and says once which
// values are made up. It reports whether a value changed that running tasks have read already.
func (l *Local) provideSecrets(ctx context.Context, current run.Run, config stackSettings) (changed bool, err error) {
	stores := secrets.New(current.Endpoint, current.Region)
	var made []string
	for _, setting := range config.taskSecrets() {
		provided, err := stores.Provide(ctx, setting, os.Getenv)
		if err != nil {
			return false, err
		}
		made, changed = append(made, provided.Placeholders...), changed || provided.Changed
	}
	login, err := stores.Provide(ctx, map[string]any{loginSecret: config.value(login + ".clientSecret")}, os.Getenv)
	if err != nil {
		return false, err
	}
	slices.Sort(made)
	made = slices.Compact(append(made, login.Placeholders...))
	if len(made) > 0 {
		l.Progress.Line("secrets   placeholders for %s; give a real value in the environment: %s=… make local", strings.Join(made, ", "), made[0])
	}
	return changed, nil
}

// taskSecrets are the settings that name secrets of tasks: the app's, those of extra containers, and the log router's.
func (s stackSettings) taskSecrets() []any {
	all := []any{s.value(appSecrets), map[string]any{imageSecret: s.value("app.imageSecret")}}
	sidecars := pulumi.Object(s.value(extraContainers))
	for _, name := range slices.Sorted(maps.Keys(sidecars)) {
		sidecar := pulumi.Object(sidecars[name])
		all = append(all, sidecar["secrets"], map[string]any{imageSecret: sidecar["imageSecret"]})
	}
	return append(all, s.value(logRouter+".secrets"))
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
