package ecs_test

import (
	"testing"
	"time"

	"fargate-nginx-sidecar/local/cloud/emulator"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/servicediscovery"
)

// serviceRegistry makes a Cloud Map service and returns its ARN.
func (w *world) serviceRegistry() string {
	client := servicediscovery.NewFromConfig(emulator.Config(w.endpoint, region))
	made, err := client.CreateHttpNamespace(w.t.Context(), &servicediscovery.CreateHttpNamespaceInput{Name: aws.String("web")})
	must(w.t, err)
	operation, err := client.GetOperation(w.t.Context(), &servicediscovery.GetOperationInput{OperationId: made.OperationId})
	must(w.t, err)
	service, err := client.CreateService(w.t.Context(), &servicediscovery.CreateServiceInput{Name: aws.String("web"), NamespaceId: aws.String(operation.Operation.Targets["NAMESPACE"])})
	must(w.t, err)
	return *service.Service.Arn
}

func TestTasksAreInstancesFromHealthyToStopping(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	registry, image := w.serviceRegistry(), w.image(nil)
	checked := func(version string) string {
		c := web(image, version)
		c.HealthCheck = &types.HealthCheck{Command: []string{"CMD", "/app", "health"}, Interval: aws.Int32(5), Timeout: aws.Int32(3), Retries: aws.Int32(2)}
		return w.register(nil, c)
	}
	service := w.create(&awsecs.CreateServiceInput{
		Cluster: &w.cluster, ServiceName: aws.String("web"), TaskDefinition: aws.String(checked("one")), DesiredCount: aws.Int32(2), LaunchType: types.LaunchTypeFargate,
		NetworkConfiguration: &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{w.subnet}, SecurityGroups: []string{}}},
		ServiceRegistries:    []types.ServiceRegistry{{RegistryArn: &registry, ContainerName: aws.String("web"), ContainerPort: aws.Int32(8080)}},
	})
	w.steady(service)
	first := map[string]bool{}
	for _, instance := range w.instances.Discover(registry) {
		first[instance.ID] = true
		if _, body := fetch("http://" + instance.Address); body != "one" || !instance.Healthy || instance.Port != 8080 || instance.Attributes["ECS_SERVICE_NAME"] != "web" {
			t.Errorf("instance %+v answers %q", instance, body)
		}
	}
	if len(first) != 2 {
		t.Fatalf("%d instances, want 2", len(first))
	}

	w.update(service, func(u *awsecs.UpdateServiceInput) { u.TaskDefinition = aws.String(checked("two")) })
	w.until(service, "updated", 60*time.Second, func(s types.Service) bool {
		healthy := 0
		for _, instance := range w.instances.Discover(registry) {
			if instance.Healthy {
				healthy++
			}
		}
		if healthy < 2 {
			t.Errorf("%d healthy instances during the update, want always 2", healthy)
		}
		return len(s.Deployments) == 1 && s.Deployments[0].RolloutState == "COMPLETED"
	})
	for _, instance := range w.instances.Discover(registry) {
		if _, body := fetch("http://" + instance.Address); body != "two" || first[instance.ID] {
			t.Errorf("after the update instance %s answers %q", instance.ID, body)
		}
	}

	_, err := w.ecs.DeleteService(t.Context(), &awsecs.DeleteServiceInput{Cluster: &w.cluster, Service: &service, Force: aws.Bool(true)})
	must(t, err)
	w.until(service, "deleted", 40*time.Second, func(s types.Service) bool { return s.RunningCount == 0 && aws.ToString(s.Status) == "INACTIVE" })
	if left := w.instances.Discover(registry); len(left) > 0 {
		t.Errorf("instances are left: %+v", left)
	}
}
