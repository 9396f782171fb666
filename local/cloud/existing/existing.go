// Package existing makes in the emulator what a stack's settings name of its owner's account: a network, a hosted zone, a
// certificate, a key and so on. AWS chooses the ids of such things, and so does the emulator: whoever deploys the stack
// here gets the emulator's ids in place of the owner's.
package existing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"fargate-nginx-sidecar/local/cloud/emulator"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"gopkg.in/yaml.v3"
)

// Account is the emulator's account, with what stands in it for things of another.
type Account struct {
	caller    emulator.Caller
	balancers *elb.Client
	file      string
	standIns  map[string]string // the owner's id of a thing → that of what stands for it
}

// Open returns the account behind an AWS endpoint. What was made for a run before is in the run's folder.
func Open(endpoint, region, dir string) (*Account, error) {
	a := &Account{
		caller:    emulator.Caller{URL: endpoint, Region: region},
		balancers: elb.NewFromConfig(emulator.Config(endpoint, region)),
		file:      filepath.Join(dir, "existing.json"),
		standIns:  map[string]string{},
	}
	content, err := os.ReadFile(a.file)
	if errors.Is(err, os.ErrNotExist) {
		return a, nil
	}
	if err == nil {
		err = json.Unmarshal(content, &a.standIns)
	}
	if err != nil {
		return nil, fmt.Errorf("existing: %s: %w", a.file, err)
	}
	return a, nil
}

// keep writes down what stands for a thing, whole or not at all.
func (a *Account) keep(id, standIn string) error {
	a.standIns[id] = standIn
	content, err := json.MarshalIndent(a.standIns, "", "  ")
	if err != nil {
		return fmt.Errorf("existing: %w", err)
	}
	if err := os.WriteFile(a.file+".new", content, 0o644); err != nil {
		return fmt.Errorf("existing: %w", err)
	}
	return os.Rename(a.file+".new", a.file)
}

// Provided is what became of the settings.
type Provided struct {
	Settings map[string]any // new values of those that name something that the emulator did not have
	Lines    []string       // what stands for what, for a person
}

// kind is a sort of thing that settings name.
type kind struct {
	id   *regexp.Regexp // as the program has it, which refuses all others
	fits func() bool    // the other settings allow it, else the program refuses them; nil if they always do
	find func(ctx context.Context, id string) error
	make func(ctx context.Context, id string, position int) (standIn string, err error)
	note string // what else to say of it
}

// Provide makes sure that everything exists that the settings name. What the emulator has already, such as AWS's own
// policies, stays as it is, and so does what the program refuses.
func (a *Account) Provide(ctx context.Context, settings func(name string) any) (Provided, error) {
	p := &provision{Account: a, settings: settings, provided: Provided{Settings: map[string]any{}}}
	for _, named := range []struct {
		setting, field string
		kind           kind
	}{
		{vpc, "", p.vpc()},
		{publicSubnets, "", p.subnet()},
		{"network.privateSubnets", "", p.subnet()},
		{"network.groups", "id", p.securityGroup()},
		{"ingress.shared.listener", "", p.listener()},
		{"ingress.clients", "", p.prefixList()},
		{"http.trustedProxies", "", p.prefixList()},
		{"domain.zone", "", p.hostedZone()},
		{"domain.certificate", "", p.certificate()},
		{"ingress.firewall", "", p.webACL()},
		{"storage.kmsKey", "", p.key()},
		{"app.policies", "", p.policy()},
	} {
		before, changed := decode(settings(named.setting)), false
		after, err := each(before, named.field, func(id string, position int) (string, error) {
			standIn, err := p.standIn(ctx, named.setting, id, position, named.kind)
			changed = changed || standIn != id
			return standIn, err
		})
		if err != nil {
			return p.provided, fmt.Errorf("existing: %s: %w", named.setting, err)
		}
		if changed {
			p.provided.Settings[named.setting] = after
		}
	}
	return p.provided, nil
}

// The paths of settings that others depend on.
const (
	vpc           = "network.vpc"
	publicSubnets = "network.publicSubnets"
)

// provision is one call of Provide.
type provision struct {
	*Account
	settings func(name string) any
	provided Provided
}

// value is a setting with the stand-ins that it has got so far.
func (p *provision) value(setting string) any {
	if value, replaced := p.provided.Settings[setting]; replaced {
		return value
	}
	return decode(p.settings(setting))
}

func (p *provision) text(setting string) string {
	text, _ := p.value(setting).(string)
	return text
}

// texts are those of a list.
func (p *provision) texts(setting string) (all []string) {
	list, _ := p.value(setting).([]any)
	for _, entry := range list {
		if text, is := entry.(string); is {
			all = append(all, text)
		}
	}
	return all
}

// standIn returns what a thing is in the emulator, and makes it if need be.
func (p *provision) standIn(ctx context.Context, setting, id string, position int, kind kind) (string, error) {
	if !kind.id.MatchString(id) || kind.fits != nil && !kind.fits() {
		return id, nil
	}
	standIn, known := p.standIns[id]
	if !known {
		err := kind.find(ctx, id)
		var missing *emulator.Refusal
		if !errors.As(err, &missing) {
			return id, err // it exists, or nobody knows
		}
		if standIn, err = kind.make(ctx, id, position); err != nil {
			return id, err
		}
		if err := p.keep(id, standIn); err != nil {
			return id, err
		}
	}
	p.provided.Lines = append(p.provided.Lines, fmt.Sprintf("%s %s: made in the emulator, as %s%s", setting, id, standIn, kind.note))
	return standIn, nil
}

// each replaces the ids in a setting, which is an id or an object that has one in a field, or a list of either.
func each(value any, field string, replace func(id string, position int) (string, error)) (any, error) {
	one := func(entry any, position int) (any, error) {
		object, isObject := entry.(map[string]any)
		id, isText := entry.(string)
		if isObject {
			id, isText = object[field].(string)
		}
		if !isText || isObject != (field != "") {
			return entry, nil
		}
		standIn, err := replace(id, position)
		if !isObject {
			return standIn, err
		}
		object = maps.Clone(object)
		object[field] = standIn
		return object, err
	}
	list, isList := value.([]any)
	if !isList {
		return one(value, 0)
	}
	replaced := make([]any, len(list))
	for i, entry := range list {
		var err error
		if replaced[i], err = one(entry, i); err != nil {
			return nil, err
		}
	}
	return replaced, nil
}

// decode reads a setting as Pulumi does: a list or an object may be JSON in a text.
func decode(value any) any {
	text, isText := value.(string)
	if !isText || !strings.HasPrefix(text, "[") && !strings.HasPrefix(text, "{") {
		return value
	}
	var decoded any
	if err := yaml.Unmarshal([]byte(text), &decoded); err != nil {
		return value // the program reports it
	}
	return decoded
}
