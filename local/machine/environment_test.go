package machine_test

import (
	"os"
	"slices"
	"testing"

	"fargate-nginx-sidecar/local/machine"
)

func TestTheRunTakesNothingFromTheShellThatLeadsElsewhere(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_PROFILE":          "work",
		"AWS_ENDPOINT_URL_ECS": "https://ecs.example.test",
		"PULUMI_ACCESS_TOKEN":  "token",
		"DOCKER_HOST":          "unix:///run/user/1000/docker.sock",
		"HTTPS_PROXY":          "http://proxy.example.test:3128",
		"NO_PROXY":             "example.test, 127.0.0.1",
		"no_proxy":             "",
	} {
		t.Setenv(name, value)
	}
	dropped, err := machine.OwnEnvironment()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"AWS_PROFILE", "AWS_ENDPOINT_URL_ECS", "PULUMI_ACCESS_TOKEN"} {
		if value, set := os.LookupEnv(name); set || !slices.Contains(dropped, name) {
			t.Errorf("%s=%q is left; dropped: %v", name, value, dropped)
		}
	}
	for name, want := range map[string]string{
		"DOCKER_HOST": "unix:///run/user/1000/docker.sock",
		"HTTPS_PROXY": "http://proxy.example.test:3128",
		"NO_PROXY":    "example.test,127.0.0.1,localhost,::1",
		"no_proxy":    "127.0.0.1,localhost,::1",
	} {
		if got := os.Getenv(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}
