package infra

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"

	"fargate-nginx-sidecar/infra/settings"
	"fargate-nginx-sidecar/infra/stack"
)

// providerSetting is a setting in the namespace aws: its value, which has the SDK's type, and the name of the provider's
// argument that takes it.
type providerSetting struct {
	argument string
	value    reflect.Value
	secret   bool
}

// readProvider reads the AWS provider's own settings, such as aws:allowedAccountIds. The engine gives these settings only
// to default providers. This program creates its provider explicitly, so it has to pass them on: all that
// aws.ProviderArgs has, under the names that they have there.
// https://www.pulumi.com/registry/packages/aws/installation-configuration/#configuration-reference
func readProvider(ctx *pulumi.Context, r *settings.Reader) map[string]providerSetting {
	all := map[string]providerSetting{}
	arguments := aws.ProviderArgs{}.ElementType()
	var keys []string
	for i := range arguments.NumField() {
		field := arguments.Field(i)
		key := field.Tag.Get("pulumi")
		keys = append(keys, key)
		text, err := config.Try(ctx, "aws:"+key)
		if err != nil || key == "region" {
			continue
		}
		value, allowed := decode(text, field.Type)
		if allowed != "" {
			r.Fail("aws:"+key, strconv.Quote(text), allowed)
			continue
		}
		all[key] = providerSetting{argument: field.Name, value: value, secret: ctx.IsConfigSecret("aws:" + key)}
	}
	r.Provider("aws", keys)
	// The other plugins that a stack uses check their own settings.
	for _, namespace := range []string{"awsx", "docker", "pulumi"} {
		r.Provider(namespace, nil)
	}
	checkTags(r, all)

	return all
}

// decode returns the text of a setting as a value of the given type, or a phrase that says what is allowed.
func decode(text string, typ reflect.Type) (value reflect.Value, allowed string) {
	value = reflect.New(typ)
	plain := typ
	if plain.Kind() == reflect.Pointer {
		plain = plain.Elem()
	}
	if plain.Kind() == reflect.String {
		encoded, _ := json.Marshal(text) // a string can always be encoded
		text = string(encoded)
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(value.Interface()); err != nil || decoder.More() {
		return value, describe(plain)
	}

	return value.Elem(), ""
}

func describe(typ reflect.Type) string {
	switch {
	case typ.Kind() == reflect.Bool:
		return "true, false"
	case typ.Kind() == reflect.Int:
		return "a whole number"
	case typ == reflect.TypeFor[[]string]():
		return `a list of strings, such as ["123456789012"]`
	case typ == reflect.TypeFor[[]aws.ProviderEndpoint]():
		return `a list of objects that name services, such as [{"ecs":"https://ecs.example.com"}]`
	}

	names := make([]string, typ.NumField())
	for i := range names {
		names[i] = typ.Field(i).Tag.Get("pulumi")
	}

	return "an object with the fields " + strings.Join(names, ", ")
}

// ownTags are the default tags that the program sets.
var ownTags = []string{stack.OwnerTag, "Project", "Service", "Stack"}

func checkTags(r *settings.Reader, all map[string]providerSetting) {
	for _, tag := range slices.Sorted(maps.Keys(givenTags(all))) {
		if slices.Contains(ownTags, tag) {
			r.Fail("aws:defaultTags.tags."+tag, "reserved: set by the program", "tags other than "+strings.Join(ownTags, ", "))
		}
	}
}

func givenTags(all map[string]providerSetting) map[string]string {
	if given, ok := all["defaultTags"]; ok && !given.value.IsNil() {
		return given.value.Interface().(*aws.ProviderDefaultTags).Tags
	}

	return nil
}

// providerArgs are the arguments of the provider: the region, the program's default tags together with those of the stack
// file, and every other setting as it is given.
func providerArgs(ctx *pulumi.Context, s *Settings) (*aws.ProviderArgs, error) {
	args := &aws.ProviderArgs{}
	for key, given := range s.Provider {
		argument := reflect.ValueOf(args).Elem().FieldByName(given.argument)
		output := reflect.ValueOf(known(given))
		if !output.Type().AssignableTo(argument.Type()) {
			return nil, fmt.Errorf("aws:%s: the SDK takes no %s for it", key, output.Type())
		}
		argument.Set(output)
	}

	tags := pulumi.ToStringMap(givenTags(s.Provider))
	maps.Copy(tags, pulumi.StringMap{
		"Project":      pulumi.String(ctx.Project()),
		"Stack":        pulumi.String(ctx.Stack()),
		"Service":      pulumi.String(s.ServiceName),
		stack.OwnerTag: pulumi.String(stack.OwnerValue),
	})
	args.DefaultTags = aws.ProviderDefaultTagsArgs{Tags: tags}
	// The region is set explicitly, because the SDK would otherwise take it from the environment of whoever runs the update.
	args.Region = pulumi.String(s.Region)

	return args, nil
}

// known returns the value as an output of the SDK's own output type, which ApplyT chooses by the type that the function
// returns.
func known(given providerSetting) pulumi.Output {
	function := reflect.FuncOf([]reflect.Type{reflect.TypeFor[string]()}, []reflect.Type{given.value.Type()}, false)
	output := pulumi.String("").ToStringOutput().ApplyT(
		reflect.MakeFunc(function, func([]reflect.Value) []reflect.Value { return []reflect.Value{given.value} }).Interface())
	if given.secret {
		return pulumi.ToSecret(output)
	}

	return output
}
