package command

import (
	"reflect"
	"testing"
)

// A preview looks every secret up that a setting names, so each has to exist in the emulator.
func TestTheCredentialsOfRegistriesAreProvided(t *testing.T) {
	s := stackSettings{project: "shop", file: map[string]any{
		"shop:app":        map[string]any{"imageSecret": "secretsmanager:ghcr", "secrets": map[string]any{"TOKEN": "ssm:/token"}},
		"shop:containers": map[string]any{"agent": map[string]any{"imageSecret": "secretsmanager:agents"}},
	}}
	want := []any{
		map[string]any{"TOKEN": "ssm:/token"}, map[string]any{imageSecret: "secretsmanager:ghcr"},
		nil, map[string]any{imageSecret: "secretsmanager:agents"}, nil,
	}
	if got := s.taskSecrets(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v; want %v", got, want)
	}
}
