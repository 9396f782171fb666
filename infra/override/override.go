// Package override changes what the program renders, for a wish that is too rare for a setting: arguments of the service,
// the task definition and the target group, and members of single containers. What the program itself depends on cannot be overridden.
package override

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecs"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/settings"
	"fargate-nginx-sidecar/infra/task"
)

// Settings are the properties to set, by their names.
type Settings struct {
	Service, TaskDefinition, TargetGroup map[string]any
	// Containers are properties of container definitions, by the names of the containers.
	Containers task.Overrides
}

// What cannot be overridden, each with what to do instead, or why not.
const programs = "the program sets it, and depends on it"

var ofService = map[string]string{
	"name": programs, "cluster": programs, "taskDefinition": programs, "loadBalancers": programs, "serviceRegistries": programs,
	"deploymentController": programs, "schedulingStrategy": programs, "waitForSteadyState": programs, "forceNewDeployment": programs,
	"propagateTags": programs, "iamRole": programs, "region": "set aws:region", "tags": "set aws:defaultTags",
	"networkConfiguration": "set network", "desiredCount": "set scale.min", "launchType": "set scale.spot",
	"capacityProviderStrategies": "set scale.spot", "enableExecuteCommand": "set task.exec",
}

var ofTaskDefinition = map[string]string{
	"family": programs, "networkMode": programs, "requiresCompatibilities": programs, "executionRoleArn": programs,
	"containerDefinitions": "set overrides.containers", "cpu": "set task.cpu", "memory": "set task.memory",
	"runtimePlatform": "set task.architecture", "ephemeralStorage": "set task.storage", "taskRoleArn": "set app.policies",
	"volumes": "set app.volumes or app.writablePaths", "region": "set aws:region", "tags": "set aws:defaultTags",
}

var ofTargetGroup = map[string]string{
	"name": programs, "namePrefix": programs, "vpcId": programs, "targetType": programs, "protocolVersion": programs,
	"ipAddressType": programs, "protocol": "set ingress.targetTls", "port": "set http.port", "healthCheck": "set ingress.health",
	"stickiness": "set ingress.sticky",
	"region":     "set aws:region", "tags": "set aws:defaultTags",
}

var ofContainers = map[string]string{
	"name": programs, "portMappings": programs, "dependsOn": programs, "logConfiguration": programs, "firelensConfiguration": programs,
	"volumesFrom": programs, "essential": programs,
	"image": "set the image of the container's group", "mountPoints": "set app.volumes or app.writablePaths",
	"environment": "set the environment of the container's group", "secrets": "set the secrets of the container's group",
	"command": "set the command of the container's group", "user": "set the user of the container's group",
	"stopTimeout": "set task.stopTimeout",
}

// Read returns the overrides. containers are the names of those that a task has.
func Read(r *settings.Reader, containers []string) Settings {
	g := r.Group("overrides")
	s := Settings{
		Service: g.Object("service", "Arguments of `aws.ecs.Service`, by the names that Pulumi gives them, as in `{deploymentMaximumPercent: 150}`.",
			"https://www.pulumi.com/registry/packages/aws/api-docs/ecs/service/#inputs"),
		TaskDefinition: g.Object("taskDefinition", "Arguments of `aws.ecs.TaskDefinition`, as in `{enableFaultInjection: true}`.",
			"https://www.pulumi.com/registry/packages/aws/api-docs/ecs/taskdefinition/#inputs"),
		TargetGroup: g.Object("targetGroup", "Arguments of `aws.lb.TargetGroup`, as in `{deregistrationDelay: 60}`. Not with `ingress.kind: api-gateway`.",
			"https://www.pulumi.com/registry/packages/aws/api-docs/lb/targetgroup/#inputs"),
		Containers: task.Overrides{},
	}
	each := g.Object("containers", "Members of container definitions, by the names of the containers (`nginx`, `app`, `log-router` and those of `containers`), as ECS spells them. An object is merged into the one that the program renders; another value takes its place.",
		"https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html")
	checkArguments(g, "service", s.Service, ofService, ecs.ServiceArgs{}.ElementType())
	checkArguments(g, "taskDefinition", s.TaskDefinition, ofTaskDefinition, ecs.TaskDefinitionArgs{}.ElementType())
	checkArguments(g, "targetGroup", s.TargetGroup, ofTargetGroup, lb.TargetGroupArgs{}.ElementType())
	for _, name := range slices.Sorted(maps.Keys(each)) {
		members, isObject := each[name].(map[string]any)
		switch {
		case !slices.Contains(containers, name):
			g.Fail("containers", strconv.Quote(name), "a container of the task: "+list(containers))
		case !isObject:
			g.Fail("containers."+name, "not an object", "an object with members of a container definition")
		default:
			refuse(g, "containers."+name, members, ofContainers)
			s.Containers[name] = members
		}
	}

	return s
}

func list(words []string) string {
	text, _ := json.Marshal(words) // it cannot fail

	return string(bytes.ReplaceAll(text, []byte(`"`), nil))
}

func refuse(g settings.Group, place string, values map[string]any, reserved map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if instead := reserved[name]; instead != "" {
			g.RefuseMember(place+"."+name, "cannot be overridden; "+instead)
		}
	}
}

// checkArguments refuses what the SDK's arguments do not have, or have with another type.
func checkArguments(g settings.Group, place string, values map[string]any, reserved map[string]string, arguments reflect.Type) {
	refuse(g, place, values, reserved)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		field, known := fieldOf(arguments, name)
		if !known {
			g.RefuseMember(place+"."+name, "there is no such argument")
			continue
		}
		if _, err := decoded(values[name], field.Type); err != nil {
			g.RefuseMember(place+"."+name, "not what the argument takes: "+err.Error())
		}
	}
}

func fieldOf(arguments reflect.Type, name string) (reflect.StructField, bool) {
	for i := range arguments.NumField() {
		if field := arguments.Field(i); field.Tag.Get("pulumi") == name {
			return field, true
		}
	}

	return reflect.StructField{}, false
}

func decoded(value any, typ reflect.Type) (reflect.Value, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return reflect.Value{}, err
	}
	result := reflect.New(typ)
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()

	return result.Elem(), decoder.Decode(result.Interface())
}

// Apply sets arguments of a resource, given by a pointer to the SDK's struct.
func Apply(args pulumi.Input, values map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		plain, known := fieldOf(args.ElementType(), name)
		if !known {
			return fmt.Errorf("overrides: %s: there is no such argument", name)
		}
		value, err := decoded(values[name], plain.Type)
		if err != nil {
			return fmt.Errorf("overrides: %s: %w", name, err)
		}
		argument := reflect.ValueOf(args).Elem().FieldByName(plain.Name)
		typed := reflect.ValueOf(output(value))
		if !typed.Type().AssignableTo(argument.Type()) {
			return fmt.Errorf("overrides: %s: the SDK takes no %s for it", name, typed.Type())
		}
		argument.Set(typed)
	}

	return nil
}

// output returns a value as an output of the SDK's own output type, which ApplyT chooses by the type that the function returns.
func output(value reflect.Value) pulumi.Output {
	function := reflect.FuncOf([]reflect.Type{reflect.TypeFor[string]()}, []reflect.Type{value.Type()}, false)

	return pulumi.String("").ToStringOutput().ApplyT(
		reflect.MakeFunc(function, func([]reflect.Value) []reflect.Value { return []reflect.Value{value} }).Interface())
}
