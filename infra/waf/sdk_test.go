//go:build wafv2

package waf_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/wafv2"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/infratest"
	"fargate-nginx-sidecar/infra/stack"
	"fargate-nginx-sidecar/infra/waf"
)

// go test -tags wafv2 ./infra/waf: takes a minute or more, nearly all of it for compiling the SDK's package.
func TestEveryPropertyIsOneOfTheSDK(t *testing.T) {
	graph, err := infratest.Run(func(ctx *pulumi.Context) error {
		_, err := waf.New(ctx, waf.Args{
			Info: stack.Info{Name: "web", LogRetentionDays: 1}, Settings: waf.Settings{Mode: waf.Managed, RateLimit: 10},
			LoadBalancerARN: pulumi.String("arn:aws:elasticloadbalancing:…"),
		})
		return err
	}, infratest.Options{Project: infratest.Project, Stack: "test"})
	if err != nil {
		t.Fatal(err)
	}
	for token, args := range map[string]pulumi.Input{
		"aws:wafv2/webAcl:WebAcl":                                         wafv2.WebAclArgs{},
		"aws:wafv2/webAclAssociation:WebAclAssociation":                   wafv2.WebAclAssociationArgs{},
		"aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration": wafv2.WebAclLoggingConfigurationArgs{},
	} {
		declared := graph.OfType(token)
		if len(declared) != 1 {
			t.Fatalf("%d resources of type %s", len(declared), token)
		}
		same(t, token, resource.NewProperty(declared[0].Inputs), args.ElementType())
	}
}

// same reports what the value has but the SDK's type does not, or has as another kind.
func same(t *testing.T, path string, value resource.PropertyValue, plain reflect.Type) {
	t.Helper()

	for plain.Kind() == reflect.Pointer {
		plain = plain.Elem()
	}
	switch {
	case value.IsObject() && plain.Kind() == reflect.Struct:
		fields := map[string]reflect.Type{}
		for i := range plain.NumField() {
			name, _, _ := strings.Cut(plain.Field(i).Tag.Get("pulumi"), ",")
			fields[name] = plain.Field(i).Type
		}
		for key, element := range value.ObjectValue() {
			field, ok := fields[string(key)]
			if !ok {
				t.Errorf("%s.%s: not in the SDK", path, key)
				continue
			}
			same(t, path+"."+string(key), element, field)
		}
	case value.IsArray() && plain.Kind() == reflect.Slice:
		for _, element := range value.ArrayValue() {
			same(t, path+"[]", element, plain.Elem())
		}
	case value.IsString() && plain.Kind() == reflect.String,
		value.IsNumber() && plain.Kind() == reflect.Int,
		value.IsBool() && plain.Kind() == reflect.Bool:
	default:
		t.Errorf("%s: %s; the SDK has %s", path, value.TypeString(), plain)
	}
}
