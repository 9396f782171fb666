// Package infratest runs a Pulumi program without an engine and records everything it declares. It is for tests that
// state properties of the whole graph. For every property that AWS would fill in, it invents a value that differs from
// all others, so that a wrongly connected output is noticed. A call that it does not know is an error.
package infratest

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// The partition and the number of the invented account.
const (
	Partition = "aws"
	Account   = "123456789012"
)

// Options say how the program is run.
type Options struct {
	Project, Stack string
	// Settings are those that the engine would hand to the program, with their namespaces.
	Settings map[string]string
	// Encrypted are the keys of those that hold an encrypted value. The engine hands all of them over decrypted.
	Encrypted []string
	// Preview runs the program as a preview does. What AWS fills in, which is all but names, is unknown in a preview of a stack
	// that does not exist yet, and known in a preview of one that exists and is not changed.
	Preview, Exists bool
	// Replaced says which resources a preview of an existing stack would replace or create; their outputs are unknown.
	Replaced func(Resource) bool
	// Outputs may change the invented outputs of a resource, to imitate a provider that misbehaves.
	Outputs func(Resource, resource.PropertyMap)
	// Deployment may return what became of the deployment that the update starts; if it is nil, the service has been
	// deleted. Without it, the deployment is successful.
	Deployment func(service Resource) *Deployment
	// Running are the services that the cluster has before the update, with the number of tasks that each runs.
	Running map[string]int
	// ExitCode is that of every command that the program runs as a task of its own.
	ExitCode int
	// Failed is the task definition of a task that has stopped because both containers exited with 1. If it is empty, no task
	// of a service has stopped.
	Failed string
	// Answer may answer a call in place of the recorder; the second result says whether it did.
	Answer func(token string, args resource.PropertyMap) (resource.PropertyMap, bool)
}

// Resource is one registered resource.
type Resource struct {
	Type, Name, URN, Parent string
	// Custom is true for a resource of a provider, false for a component. Remote is true for a component of a plugin.
	Custom, Remote bool
	// Provider is the URN of the explicit provider, or empty. Providers are those handed to a component.
	Provider  string
	Providers map[string]string
	Inputs    resource.PropertyMap
	// DependsOn are the URNs of everything the resource waits for, through options and inputs.
	DependsOn   []string
	ReplaceWith []string
	// ReplaceOnChanges are inputs whose change replaces the resource.
	ReplaceOnChanges []string
	// Protect makes the engine refuse to delete the resource.
	Protect bool
	// DeleteBeforeReplace makes a replacement delete the old resource first.
	DeleteBeforeReplace bool
	// ReplacementTrigger replaces the resource when it changes.
	ReplacementTrigger string
	// IgnoreChanges are inputs whose change is not carried out.
	IgnoreChanges []string
	// CreateTimeout, UpdateTimeout and DeleteTimeout are custom timeouts, such as 20m.
	CreateTimeout, UpdateTimeout, DeleteTimeout string
	// RetainOnDelete makes the engine forget the resource instead of deleting it.
	RetainOnDelete bool
	// Aliases are other URNs, or names of an earlier time, under which the resource may stand in a state.
	Aliases []string
}

// Call is one call of a provider's function.
type Call struct {
	Token    string
	Args     resource.PropertyMap
	Provider string
}

// Graph is everything a run declared.
type Graph struct {
	Resources []Resource
	Calls     []Call
	// Commands are the requests with which the program ran tasks of their own.
	Commands []Command
	// IDs and Outputs hold, by URN, what the recorder invented for each resource.
	IDs     map[string]string
	Outputs map[string]resource.PropertyMap
}

// The AWS SDK reads all certificates of that file for each client that it makes. A test reaches no AWS, and makes hundreds.
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-gen-config.html
func init() { _ = os.Unsetenv("AWS_CA_BUNDLE") }

// Run runs the program and returns its error together with the graph: a program that fails late has declared something.
func Run(program pulumi.RunFunc, options Options) (*Graph, error) {
	recorder := &recorder{options: options, graph: &Graph{
		IDs: map[string]string{}, Outputs: map[string]resource.PropertyMap{},
	}}

	defer recorder.serveECS()()
	err := pulumi.RunErr(program, pulumi.WithMocks(options.Project, options.Stack, recorder), func(info *pulumi.RunInfo) {
		info.Config = options.Settings
		info.ConfigSecretKeys = options.Encrypted
		info.DryRun = options.Preview
	})

	recorder.mutex.Lock()
	defer recorder.mutex.Unlock()
	// Registrations run concurrently, so their order differs from run to run. The order of URNs does not.
	slices.SortFunc(recorder.graph.Resources, func(a, b Resource) int { return strings.Compare(a.URN, b.URN) })
	slices.SortFunc(recorder.graph.Calls, func(a, b Call) int {
		return strings.Compare(a.Token+fmt.Sprint(a.Args), b.Token+fmt.Sprint(b.Args))
	})

	return recorder.graph, err
}

// recorder stands in for the engine's resource monitor. The SDK calls it from many goroutines.
type recorder struct {
	options Options
	mutex   sync.Mutex
	graph   *Graph
}

// NewResource records a registration and returns what the provider would.
func (r *recorder) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()

	if args.RegisterRPC == nil {
		return "", nil, fmt.Errorf("resource %s of type %s is read, not registered", args.Name, args.TypeToken)
	}

	recorded := r.record(args)
	// The SDK's mock monitor leaves unknown inputs out of args.Inputs, so only the request shows them.
	unknown := !r.options.Exists || strings.Contains(args.RegisterRPC.GetObject().String(), plugin.UnknownStringValue) ||
		r.options.Replaced != nil && r.options.Replaced(recorded)
	if r.options.Preview && unknown && recorded.Type != "pulumi:providers:aws" {
		// Without an id and outputs, the SDK treats both as unknown.
		outputs := recorded.Inputs.Copy()
		if isNamed(recorded) {
			outputs["name"] = resource.NewProperty(suffixed(recorded))
		}
		if recorded.Type == "aws:ecr/repository:Repository" {
			// The registry's password is looked up with this id, and the SDK's mock monitor, unlike the engine, cannot
			// read a secret whose value is unknown.
			outputs["registryId"] = resource.NewProperty(Account)
		}
		return "", outputs, nil
	}

	outputs, err := invent(recorded)
	if err != nil {
		return "", nil, err
	}
	if r.options.Outputs != nil {
		r.options.Outputs(recorded, outputs)
	}

	id := ""
	if recorded.Custom {
		id = suffixed(recorded) + "-id"
	}
	r.graph.IDs[recorded.URN], r.graph.Outputs[recorded.URN] = id, outputs

	return id, outputs, nil
}

func (r *recorder) record(args pulumi.MockResourceArgs) Resource {
	rpc := args.RegisterRPC
	recorded := Resource{
		Type: args.TypeToken, Name: args.Name, Parent: rpc.GetParent(),
		URN:    urn(r.options, rpc.GetParent(), args.TypeToken, args.Name),
		Custom: args.Custom, Remote: rpc.GetRemote(),
		Provider: providerURN(args.Provider), Providers: map[string]string{},
		Inputs:      args.Inputs,
		DependsOn:   slices.Sorted(slices.Values(rpc.GetDependencies())),
		ReplaceWith: rpc.GetReplaceWith(), ReplaceOnChanges: rpc.GetReplaceOnChanges(),
		ReplacementTrigger: rpc.GetReplacementTrigger().GetStringValue(),
		IgnoreChanges:      rpc.GetIgnoreChanges(), Protect: rpc.GetProtect(), DeleteBeforeReplace: rpc.GetDeleteBeforeReplace(),
		CreateTimeout: rpc.GetCustomTimeouts().GetCreate(), UpdateTimeout: rpc.GetCustomTimeouts().GetUpdate(),
		DeleteTimeout:  rpc.GetCustomTimeouts().GetDelete(),
		RetainOnDelete: rpc.GetRetainOnDelete(), Aliases: slices.Clone(rpc.GetAliasURNs()),
	}
	for _, alias := range rpc.GetAliases() {
		spec := alias.GetSpec()
		recorded.Aliases = append(recorded.Aliases, cmp.Or(alias.GetUrn(), strings.TrimSpace(spec.GetType()+" "+spec.GetName())))
	}
	for name, reference := range rpc.GetProviders() {
		recorded.Providers[name] = providerURN(reference)
	}
	r.graph.Resources = append(r.graph.Resources, recorded)

	return recorded
}

func urn(options Options, parent, typ, name string) string {
	qualified := ""
	if parent != "" {
		if above := resource.URN(parent).QualifiedType(); above != "pulumi:pulumi:Stack" {
			qualified = string(above) + "$"
		}
	}

	return fmt.Sprintf("urn:pulumi:%s::%s::%s%s::%s", options.Stack, options.Project, qualified, typ, name)
}

// providerURN cuts the id off a reference to a provider.
func providerURN(reference string) string {
	if at := strings.LastIndex(reference, "::"); at >= 0 {
		return reference[:at]
	}

	return reference
}

// Call answers calls in place of the AWS provider.
func (r *recorder) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()

	r.graph.Calls = append(r.graph.Calls, Call{Token: args.Token, Args: args.Args, Provider: providerURN(args.Provider)})
	if r.options.Answer != nil {
		if answer, ok := r.options.Answer(args.Token, args.Args); ok {
			return answer, nil
		}
	}

	return r.answer(args.Token, args.Args)
}

// OfType returns the resources of one type, in the order of their names.
func (g *Graph) OfType(token string) []Resource {
	var all []Resource
	for _, r := range g.Resources {
		if r.Type == token {
			all = append(all, r)
		}
	}

	return all
}

// Types returns how many resources there are of each type.
func (g *Graph) Types() map[string]int {
	count := map[string]int{}
	for _, r := range g.Resources {
		count[r.Type]++
	}

	return count
}

// ByURN returns the resource with the given URN.
func (g *Graph) ByURN(urn string) (Resource, bool) {
	at := slices.IndexFunc(g.Resources, func(r Resource) bool { return r.URN == urn })
	if at < 0 {
		return Resource{}, false
	}

	return g.Resources[at], true
}

// Walk calls visit for every value in the inputs of a resource, with the path to it.
func (r Resource) Walk(visit func(path string, value resource.PropertyValue)) {
	for _, key := range slices.Sorted(maps.Keys(r.Inputs)) {
		walk(string(key), r.Inputs[key], visit)
	}
}

func walk(path string, value resource.PropertyValue, visit func(string, resource.PropertyValue)) {
	visit(path, value)
	switch {
	case value.IsSecret():
		walk(path, value.SecretValue().Element, visit)
	case value.IsArray():
		for i, element := range value.ArrayValue() {
			walk(fmt.Sprintf("%s[%d]", path, i), element, visit)
		}
	case value.IsObject():
		for key, element := range value.ObjectValue() {
			walk(path+"."+string(key), element, visit)
		}
	}
}
