package awsx

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// The inputs that the program sets, and no others. Any other is refused by name: an input that the official plugin reads and
// this one dropped would make the local run misleading.
var (
	vpcInputs = []string{"availabilityZoneNames", "cidrBlock", "enableDnsHostnames", "enableDnsSupport", "natGateways",
		"subnetSpecs", "subnetStrategy"}
	natInputs    = []string{"strategy"}
	subnetInputs = []string{"cidrBlocks", "type"}

	natStrategies    = []string{natNone, natSingle, natPerZone}
	subnetStrategies = []string{strategyAuto}
	subnetTypes      = []string{typePublic, typePrivate}
)

const (
	natNone    = "None"
	natSingle  = "Single"
	natPerZone = "OnePerAz"

	strategyAuto = "Auto"

	typePublic  = "Public"
	typePrivate = "Private"
)

// network is what a VPC is laid out from.
type network struct {
	block        netip.Prefix
	zones        []string // their names
	nat          string
	specs        []subnetSpec
	dnsSupport   *bool
	dnsHostnames *bool
}

// subnetSpec describes one subnet per zone.
type subnetSpec struct {
	kind   string
	blocks []netip.Prefix
}

// parse reads the inputs. All of them have to be known already in a preview.
func parse(inputs resource.PropertyMap) (network, error) {
	r := &reader{}
	r.only("", inputs, vpcInputs)
	n := network{
		block:        r.prefix("cidrBlock", inputs["cidrBlock"]),
		zones:        r.texts("availabilityZoneNames", inputs["availabilityZoneNames"]),
		dnsSupport:   r.flag("enableDnsSupport", inputs["enableDnsSupport"]),
		dnsHostnames: r.flag("enableDnsHostnames", inputs["enableDnsHostnames"]),
		nat:          natPerZone, // the official plugin's default
	}
	r.oneOf("subnetStrategy", inputs["subnetStrategy"], subnetStrategies)
	if gateways := r.object("natGateways", inputs["natGateways"]); gateways != nil {
		r.only("natGateways.", gateways, natInputs)
		n.nat = r.oneOf("natGateways.strategy", gateways["strategy"], natStrategies)
	}
	for i, spec := range r.array("subnetSpecs", inputs["subnetSpecs"]) {
		name := fmt.Sprintf("subnetSpecs[%d]", i)
		n.specs = append(n.specs, r.subnet(name, spec))
		if len(n.specs[i].blocks) != len(n.zones) {
			r.fail(name+".cidrBlocks", fmt.Sprintf("got %d; allowed: one for each of %d zones, in every spec", len(n.specs[i].blocks), len(n.zones)))
		}
	}
	if kinds := fmt.Sprint(n.kinds()); n.nat != natNone && kinds != fmt.Sprint([]string{typePublic, typePrivate}) {
		r.fail("natGateways.strategy", fmt.Sprintf("got %s without public and private subnets; allowed: %s", n.nat, natNone))
	}
	return n, errors.Join(r.problems...)
}

// kinds are those of the subnets in each zone.
func (n network) kinds() []string {
	var all []string
	for _, spec := range n.specs {
		all = append(all, spec.kind)
	}
	return all
}

// reader collects errors while it reads property values.
type reader struct{ problems []error }

func (r *reader) fail(property, reason string) {
	r.problems = append(r.problems, fmt.Errorf("%s: %s", property, reason))
}

// only reports every key that is not allowed.
func (r *reader) only(prefix string, m resource.PropertyMap, allowed []string) {
	for _, key := range m.StableKeys() {
		if !slices.Contains(allowed, string(key)) {
			r.fail(prefix+string(key), "not supported by this stand-in; allowed: "+strings.Join(allowed, ", "))
		}
	}
}

func (r *reader) subnet(name string, v resource.PropertyValue) subnetSpec {
	m := r.object(name, v)
	r.only(name+".", m, subnetInputs)
	s := subnetSpec{kind: r.oneOf(name+".type", m["type"], subnetTypes)}
	for i, block := range r.array(name+".cidrBlocks", m["cidrBlocks"]) {
		s.blocks = append(s.blocks, r.prefix(fmt.Sprintf("%s.cidrBlocks[%d]", name, i), block))
	}
	return s
}

// known strips the marks of secrecy and dependency and reports a value that a preview does not have yet.
func (r *reader) known(name string, v resource.PropertyValue) resource.PropertyValue {
	for {
		switch {
		case v.IsSecret():
			v = v.SecretValue().Element
		case v.IsOutput() && v.OutputValue().Known:
			v = v.OutputValue().Element
		case v.IsOutput() || v.IsComputed():
			r.fail(name, "not known yet; allowed: a value that no resource has to give")
			return resource.NewNullProperty()
		default:
			return v
		}
	}
}

// typed reads one value of a kind, or says what is wrong; the flag is false if there is none.
func typed[T any](r *reader, name string, v resource.PropertyValue, kind string, is func(resource.PropertyValue) bool,
	get func(resource.PropertyValue) T,
) (T, bool) {
	var none T
	v = r.known(name, v)
	switch {
	case v.IsNull():
		return none, false
	case !is(v):
		r.fail(name, fmt.Sprintf("got a %s; allowed: %s", v.TypeString(), kind))
		return none, false
	}
	return get(v), true
}

func (r *reader) text(name string, v resource.PropertyValue) string {
	text, _ := typed(r, name, v, "a string", resource.PropertyValue.IsString, resource.PropertyValue.StringValue)
	return text
}

func (r *reader) flag(name string, v resource.PropertyValue) *bool {
	flag, ok := typed(r, name, v, "true, false", resource.PropertyValue.IsBool, resource.PropertyValue.BoolValue)
	if !ok {
		return nil
	}
	return &flag
}

func (r *reader) object(name string, v resource.PropertyValue) resource.PropertyMap {
	object, _ := typed(r, name, v, "an object", resource.PropertyValue.IsObject, resource.PropertyValue.ObjectValue)
	return object
}

func (r *reader) array(name string, v resource.PropertyValue) []resource.PropertyValue {
	array, _ := typed(r, name, v, "a list", resource.PropertyValue.IsArray, resource.PropertyValue.ArrayValue)
	return array
}

func (r *reader) texts(name string, v resource.PropertyValue) []string {
	var texts []string
	for i, value := range r.array(name, v) {
		texts = append(texts, r.text(fmt.Sprintf("%s[%d]", name, i), value))
	}
	return texts
}

// oneOf reads a required text in any case and returns it as allowed has it.
func (r *reader) oneOf(name string, v resource.PropertyValue, allowed []string) string {
	text := r.text(name, v)
	for _, a := range allowed {
		if strings.EqualFold(a, text) {
			return a
		}
	}
	r.fail(name, fmt.Sprintf("got %q; allowed: %s", text, strings.Join(allowed, ", ")))
	return ""
}

func (r *reader) prefix(name string, v resource.PropertyValue) netip.Prefix {
	text := r.text(name, v)
	prefix, err := netip.ParsePrefix(text)
	if err != nil || !prefix.Addr().Is4() || prefix != prefix.Masked() {
		r.fail(name, fmt.Sprintf("got %q; allowed: an IPv4 block such as 10.0.0.0/16", text))
		return netip.Prefix{}
	}
	return prefix
}
