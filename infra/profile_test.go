package infra_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra"
	"fargate-nginx-sidecar/infra/infratest"
	"fargate-nginx-sidecar/infra/settings"
)

// profiled are the settings that the profile decides.
func profiled(t *testing.T) map[string]settings.Profiled {
	t.Helper()

	var all map[string]settings.Profiled
	_, err := infratest.Run(func(ctx *pulumi.Context) error {
		r := settings.New(ctx)
		infra.ReadTopics(ctx, r)
		all = r.Profiled()
		return r.Err()
	}, options(defaults(t, nil)))
	if err != nil {
		t.Fatal(err)
	}

	return all
}

// A setting that the profile decides says so in Pulumi.yaml, with both values, and no other does.
func TestDescriptionsNameTheValuesOfBothProfiles(t *testing.T) {
	declared, profiled := declared(t), profiled(t)
	for key := range profiled {
		if declared[key].Default != "profile" || declared[key].Type != "string" {
			t.Errorf("%s: type %s, default %v; want string, profile", key, declared[key].Type, declared[key].Default)
		}
	}
	for key, setting := range declared {
		values, ok := profiled[key]
		if (setting.Default == "profile") != ok {
			t.Errorf("%s: default %v, but the profile decides it: %v", key, setting.Default, ok)
		}
		if want := fmt.Sprintf("`dev: %s`, `prod: %s`. ", values.Dev, values.Prod); ok && !strings.HasPrefix(setting.Description, want) {
			t.Errorf("%s: description %q; want it to begin with %q", key, setting.Description, want)
		}
	}
}

// The value that the profile gives has the same effect as the same value in the stack file.
func TestTheProfileDecidesSettingsThatTheStackDoesNotSet(t *testing.T) {
	for key, values := range profiled(t) {
		for profile, value := range map[string]string{"dev": values.Dev, "prod": values.Prod} {
			given := run(t, profileSettings(t, key, map[string]string{"profile": profile, key: value}))
			decided := run(t, profileSettings(t, key, map[string]string{"profile": profile}))
			if !reflect.DeepEqual(given.Resources, decided.Resources) {
				t.Errorf("%s: profile %s is not %s", key, profile, value)
			}
		}
		if values.Dev == values.Prod {
			t.Errorf("%s: %s in both profiles; want two values", key, values.Dev)
		}
	}
}

// A value in the stack file takes precedence over the profile.
func TestSettingsOverrideTheProfile(t *testing.T) {
	for key, values := range profiled(t) {
		in := func(profile, value string) *infratest.Graph {
			return run(t, profileSettings(t, key, map[string]string{"profile": profile, key: value}))
		}
		if reflect.DeepEqual(in("prod", values.Dev).Resources, in("prod", values.Prod).Resources) {
			t.Errorf("%s: %s in prod changes nothing", key, values.Dev)
		}
	}
}

// profileSettings are the settings of a stack in which the given one makes a difference.
func profileSettings(t *testing.T, key string, changes map[string]string) map[string]string {
	t.Helper()

	settings := defaults(t, others[key].with)
	for name, value := range infratest.Namespaced(changes) {
		settings[name] = value
	}

	return settings
}
