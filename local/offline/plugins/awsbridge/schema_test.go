package awsbridge

import (
	"context"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi-terraform-bridge/v3/dynamic/internal/shim/run"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/info"
	shim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// types are what the SDK sends (Args) and reads (a resource's fields or a function's result) under one token.
type types struct{ args, result any }

// started is the Terraform provider all tests share: to start and describe it takes seconds.
var started = sync.OnceValues(func() (info.Provider, error) {
	path, err := find()
	if err != nil {
		return info.Provider{}, err
	}
	ctx := context.Background()
	terraform, err := run.LocalProvider(ctx, path)
	if err != nil {
		return info.Provider{}, err
	}
	stop = terraform.Close
	return describe(ctx, terraform)
})

// stop ends the Terraform provider.
var stop = func() error { return nil }

func TestMain(m *testing.M) {
	code := m.Run()
	if err := stop(); err != nil {
		fmt.Println("Terraform provider:", err)
		code = 1
	}
	os.Exit(code)
}

func described(t *testing.T) info.Provider {
	t.Helper()
	if _, err := find(); err != nil {
		t.Skipf("not checked here: %v", err)
	}
	prov, err := started()
	if err != nil {
		t.Fatal(err)
	}
	return prov
}

func TestEveryPropertyOfTheSDKsResourcesReachesTheProvider(t *testing.T) {
	prov := described(t)
	for terraform, r := range prov.Resources {
		sdk, ok := sdkResources[string(r.Tok)]
		if !ok {
			if !strings.HasPrefix(string(r.Tok), "aws:wafv2/") { // see sdk_test.go
				t.Errorf("%s: not compared; add it to sdkResources", r.Tok)
			}
			continue
		}
		schema := prov.P.ResourcesMap().Get(terraform).Schema()
		compare(t, string(r.Tok)+" input", plainType(sdk.args), schema, r.Fields, inputs)
		compare(t, string(r.Tok)+" output", reflect.TypeOf(sdk.result), schema, r.Fields, all)
	}
}

func TestEveryPropertyOfTheSDKsFunctionsReachesTheProvider(t *testing.T) {
	prov := described(t)
	for terraform, d := range prov.DataSources {
		sdk, ok := sdkFunctions[string(d.Tok)]
		if !ok {
			if !strings.HasPrefix(string(d.Tok), "aws:wafv2/") { // see sdk_test.go
				t.Errorf("%s: not compared; add it to sdkFunctions", d.Tok)
			}
			continue
		}
		schema := prov.P.DataSourcesMap().Get(terraform).Schema()
		compare(t, string(d.Tok)+" input", reflect.TypeOf(sdk.args), schema, d.Fields, inputs)
		compare(t, string(d.Tok)+" result", reflect.TypeOf(sdk.result), schema, d.Fields, all)
	}
}

func TestTheProviderTakesTheSDKsConfiguration(t *testing.T) {
	prov := described(t)
	compare(t, "aws provider", plainType(sdkProvider), prov.P.Schema(), prov.Config, inputs)
}

// which selects the properties of a schema that one of the SDK's types has.
type which func(shim.Schema) bool

func inputs(s shim.Schema) bool { return s.Optional() || s.Required() }
func all(shim.Schema) bool      { return true }

// compare reports every property of the SDK that the bridge does not have or has in another shape. It would be refused
// or dropped without the program's author having done anything wrong.
func compare(t *testing.T, path string, sdk reflect.Type, schema shim.SchemaMap, infos map[string]*info.Schema, w which) {
	t.Helper()
	ours := map[string]string{} // Pulumi's name → Terraform's
	for terraform := range schema.Range {
		if w(schema.Get(terraform)) {
			ours[tfbridge.TerraformToPulumiNameV2(terraform, schema, infos)] = terraform
		}
	}
	theirs := properties(sdk)
	for _, name := range slices.Sorted(maps.Keys(theirs)) {
		at := path + "." + name
		terraform, ok := ours[name]
		switch {
		case excuses[at] != "":
		case !ok && name == "id" && strings.HasSuffix(path, " result"):
			// The SDK's generator adds an id to a function whose data source has none, and no provider ever sets it.
			// https://github.com/pulumi/pulumi-terraform-bridge/blob/v3.127.0/pkg/tfgen/generate.go#L1721
		case !ok:
			t.Errorf("%s: the SDK has it, the bridge has only %s", at, slices.Sorted(maps.Keys(ours)))
		default:
			compareShape(t, at, theirs[name], schema.Get(terraform), infos[terraform])
		}
	}
}

func compareShape(t *testing.T, path string, sdk reflect.Type, s shim.Schema, i *info.Schema) {
	t.Helper()
	sdk = element(sdk)
	if sdk.Kind() == reflect.Interface {
		return // a value of any type
	}
	got, nested, fields := shape(s, i)
	if want := kind(sdk); got != want {
		t.Errorf("%s: the bridge has a %s, the SDK a %s", path, got, want)
		return
	}
	switch {
	case nested != nil && sdk.Kind() == reflect.Slice:
		compare(t, path+"[]", element(sdk.Elem()), nested, fields, all)
	case nested != nil && sdk.Kind() == reflect.Struct:
		compare(t, path, sdk, nested, fields, all)
	}
}

// shape is what the bridge makes of a schema: its kind, and for an object or a list of objects what is in them.
func shape(s shim.Schema, i *info.Schema) (string, shim.SchemaMap, map[string]*info.Schema) {
	var fields map[string]*info.Schema
	if i != nil {
		fields = i.Fields
		if i.Elem != nil {
			fields = i.Elem.Fields
		}
	}
	switch s.Type() {
	case shim.TypeString, shim.TypeBool, shim.TypeInt, shim.TypeFloat:
		if i != nil && i.Type == "integer" {
			return "number", nil, nil // by TransformOutputs, see TestOutputsThatTheSDKReadsAsNumbersAreNumbers
		}
		return scalar(s.Type()), nil, nil
	case shim.TypeMap:
		if r, ok := s.Elem().(shim.Resource); ok {
			return "object", r.Schema(), fields
		}
		return "map", nil, nil
	}
	one := tfbridge.IsMaxItemsOne(s, i)
	switch elem := s.Elem().(type) {
	case shim.Resource:
		if one {
			return "object", elem.Schema(), fields
		}
		return "list", elem.Schema(), fields
	case shim.Schema:
		if r, ok := elem.Elem().(shim.Resource); ok && elem.Type() == shim.TypeMap {
			if one {
				return "object", r.Schema(), fields
			}
			return "list", r.Schema(), fields
		}
		if one {
			return scalar(elem.Type()), nil, nil
		}
	}
	return "list", nil, nil
}

func scalar(t shim.ValueType) string {
	switch t {
	case shim.TypeString:
		return "string"
	case shim.TypeBool:
		return "bool"
	case shim.TypeInt, shim.TypeFloat:
		return "number"
	}
	return fmt.Sprintf("value of type %d", t)
}

func kind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "bool"
	case reflect.Int, reflect.Float64:
		return "number"
	case reflect.Slice:
		return "list"
	case reflect.Map:
		return "map"
	case reflect.Struct:
		return "object"
	}
	return t.String()
}

// plainType is the type of the values that Args becomes: the SDK's generated Args refer to it.
func plainType(args any) reflect.Type {
	return args.(interface{ ElementType() reflect.Type }).ElementType() //nolint:forcetypeassert // generated code
}

// element strips pointers and the SDK's outputs from a type.
func element(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if output, ok := reflect.Zero(t).Interface().(pulumi.Output); ok {
		return element(output.ElementType())
	}
	return t
}

// properties are the fields of a type that have a pulumi tag.
func properties(t reflect.Type) map[string]reflect.Type {
	found := map[string]reflect.Type{}
	if t == nil {
		return found
	}
	for i := range t.NumField() {
		if tag, ok := t.Field(i).Tag.Lookup("pulumi"); ok {
			found[strings.Split(tag, ",")[0]] = t.Field(i).Type
		}
	}
	return found
}

// deprecatedName is of a property that Pulumi's own provider adds.
const deprecatedName = "deprecated in the SDK, which has dbName for it"

// excuses says of each known difference why it does no harm.
var excuses = map[string]string{
	"aws:rds/instance:Instance input.name":  deprecatedName,
	"aws:rds/instance:Instance output.name": deprecatedName,

	"aws provider.skipMetadataApiCheck": "the engine hands all configuration over as text, and the provider parses it",
}

func TestOutputsThatTheSDKReadsAsNumbersAreNumbers(t *testing.T) {
	for _, c := range []struct {
		resource string
		outputs  map[string]any
		path     []string
	}{
		{"aws_lb_target_group", map[string]any{"deregistrationDelay": "300"}, []string{"deregistrationDelay"}},
		{
			"aws_appautoscaling_scheduled_action",
			map[string]any{"scalableTargetAction": map[string]any{"minCapacity": "2", "maxCapacity": "4"}},
			[]string{"scalableTargetAction", "minCapacity"},
		},
		{
			"aws_appautoscaling_scheduled_action",
			map[string]any{"scalableTargetAction": map[string]any{"minCapacity": "2", "maxCapacity": "4"}},
			[]string{"scalableTargetAction", "maxCapacity"},
		},
	} {
		transform := resourceOverrides()[c.resource].TransformOutputs
		got, err := transform(t.Context(), resource.NewPropertyMapFromMap(c.outputs))
		if err != nil {
			t.Fatal(err)
		}
		value := resource.NewObjectProperty(got)
		for _, key := range c.path {
			value = value.ObjectValue()[resource.PropertyKey(key)]
		}
		if !value.IsNumber() {
			t.Errorf("%s %s: got %v; expected a number", c.resource, c.path, value)
		}
	}
}

func TestAnOutputThatIsNoNumberIsAnError(t *testing.T) {
	transform := resourceOverrides()["aws_lb_target_group"].TransformOutputs
	_, err := transform(t.Context(), resource.PropertyMap{"deregistrationDelay": resource.NewStringProperty("soon")})
	if err == nil || err.Error() != `deregistrationDelay: got "soon"; expected a number` {
		t.Errorf("got %v", err)
	}
}
