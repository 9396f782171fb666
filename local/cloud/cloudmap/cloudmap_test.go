package cloudmap

import (
	"log/slog"
	"slices"
	"testing"

	"fargate-nginx-sidecar/local/cloud/emulator/emulatortest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/servicediscovery"
)

func TestMain(m *testing.M) { emulatortest.Main(m) }

func TestInstancesAreFoundByHealthAndShownToEverybody(t *testing.T) {
	m := New(emulatortest.Start(t), "eu-central-1", slog.New(slog.DiscardHandler))
	ctx := t.Context()
	namespace, err := m.client.CreateHttpNamespace(ctx, &servicediscovery.CreateHttpNamespaceInput{Name: aws.String("shop")})
	must(t, err)
	operation, err := m.client.GetOperation(ctx, &servicediscovery.GetOperationInput{OperationId: namespace.OperationId})
	must(t, err)
	created, err := m.client.CreateService(ctx, &servicediscovery.CreateServiceInput{Name: aws.String("web"), NamespaceId: aws.String(operation.Operation.Targets["NAMESPACE"])})
	must(t, err)
	arn := *created.Service.Arn

	discovered := func() (ids []string) {
		for _, instance := range m.Discover(arn) {
			ids = append(ids, instance.ID)
		}
		return ids
	}
	expect := func(when string, want ...string) {
		t.Helper()
		if got := discovered(); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", when, got, want)
		}
	}
	m.Register(ctx, arn, Instance{ID: "a", IP: "10.0.0.1", Port: 8080, Address: "127.0.0.1:1", Attributes: map[string]string{"ECS_SERVICE_NAME": "web"}})
	m.Register(ctx, arn, Instance{ID: "b", IP: "10.0.0.2", Port: 8080, Address: "127.0.0.1:2"})
	expect("none healthy", "a", "b")
	if !m.SetHealth(arn, "b", true) || m.SetHealth(arn, "b", true) {
		t.Error("the first change of an instance's health is a change, and the second is none")
	}
	expect("one healthy", "b")
	m.Publish(ctx, arn, "b")
	if m.SetHealth(arn, "c", true) {
		t.Error("an instance that does not exist has changed")
	}
	expect("health of an instance that does not exist", "b")

	listed, err := m.client.ListInstances(ctx, &servicediscovery.ListInstancesInput{ServiceId: created.Service.Id})
	must(t, err)
	if len(listed.Instances) != 2 || listed.Instances[0].Attributes["AWS_INSTANCE_IPV4"] != "10.0.0.1" || listed.Instances[0].Attributes["AWS_INSTANCE_PORT"] != "8080" ||
		listed.Instances[0].Attributes["ECS_SERVICE_NAME"] != "web" {
		t.Errorf("listed: %+v", listed.Instances)
	}
	health, err := m.client.GetInstancesHealthStatus(ctx, &servicediscovery.GetInstancesHealthStatusInput{ServiceId: created.Service.Id})
	must(t, err)
	if health.Status["a"] != "UNHEALTHY" || health.Status["b"] != "HEALTHY" {
		t.Errorf("health: %v", health.Status)
	}

	m.Deregister(ctx, arn, "b")
	expect("deregistered", "a")
	m.Deregister(ctx, arn, "a")
	expect("all deregistered")
	if listed, err = m.client.ListInstances(ctx, &servicediscovery.ListInstancesInput{ServiceId: created.Service.Id}); err != nil || len(listed.Instances) > 0 {
		t.Errorf("listed at the end: %+v %v", listed, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
