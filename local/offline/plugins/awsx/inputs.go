package awsx

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// The inputs this stand-in takes. Any other is refused by name: an input that the official plugin reads and this one
// dropped would make the local run misleading.
var (
	vpcInputs = []string{"availabilityZoneNames", "cidrBlock", "enableDnsHostnames", "enableDnsSupport", "natGateways",
		"numberOfAvailabilityZones", "subnetSpecs", "subnetStrategy", "tags"}
	natInputs    = []string{"strategy"}
	subnetInputs = []string{"cidrBlocks", "cidrMask", "name", "tags", "type"}

	natStrategies    = []string{natNone, natSingle, natPerZone}
	subnetStrategies = []string{strategyAuto, strategyExact}
	subnetTypes      = []string{typePublic, typePrivate, typeIsolated, typeUnused}
)

const (
	natNone    = "None"
	natSingle  = "Single"
	natPerZone = "OnePerAz"

	strategyAuto  = "Auto"
	strategyExact = "Exact"

	typePublic   = "Public"
	typePrivate  = "Private"
	typeIsolated = "Isolated"
	typeUnused   = "Unused"

	defaultBlock = "10.0.0.0/16"
	defaultZones = 3
)

// network is what a VPC is laid out from.
type network struct {
	block        netip.Prefix
	zones        []string // names, or none: then the region's first zoneCount
	zoneCount    int
	nat          string
	strategy     string
	specs        []subnetSpec
	dnsSupport   *bool
	dnsHostnames *bool
	tags         map[string]string
}

// subnetSpec describes one subnet per zone: by a mask, by blocks (one per zone), or by neither.
type subnetSpec struct {
	kind   string
	name   string
	mask   int // 0: an even share
	blocks []netip.Prefix
	tags   map[string]string
}

// parse reads the inputs. All of them have to be known already in a preview; the official plugin can wait for tags.
func parse(inputs resource.PropertyMap) (network, error) {
	r := &reader{}
	r.only("", inputs, vpcInputs)
	n := network{
		block:        r.prefix("cidrBlock", inputs["cidrBlock"], defaultBlock),
		zones:        r.texts("availabilityZoneNames", inputs["availabilityZoneNames"]),
		zoneCount:    r.number("numberOfAvailabilityZones", inputs["numberOfAvailabilityZones"]),
		strategy:     r.oneOf("subnetStrategy", inputs["subnetStrategy"], subnetStrategies),
		dnsSupport:   r.flag("enableDnsSupport", inputs["enableDnsSupport"]),
		dnsHostnames: r.flag("enableDnsHostnames", inputs["enableDnsHostnames"]),
		tags:         r.textMap("tags", inputs["tags"]),
		nat:          natPerZone,
	}
	if _, given := inputs["subnetStrategy"]; !given { // the official plugin falls back on Legacy
		r.fail("subnetStrategy", "missing; allowed by this stand-in: "+strings.Join(subnetStrategies, ", "))
	}
	if gateways := r.object("natGateways", inputs["natGateways"]); gateways != nil {
		r.only("natGateways.", gateways, natInputs)
		n.nat = r.oneOf("natGateways.strategy", gateways["strategy"], natStrategies)
	}
	for i, spec := range r.array("subnetSpecs", inputs["subnetSpecs"]) {
		n.specs = append(n.specs, r.subnet(fmt.Sprintf("subnetSpecs[%d]", i), spec))
	}
	switch {
	case len(n.zones) > 0 && n.zoneCount > 0:
		r.fail("availabilityZoneNames", "given with numberOfAvailabilityZones; allowed: one of them")
	case len(n.zones) > 0:
		n.zoneCount = len(n.zones)
	case n.zoneCount == 0:
		n.zoneCount = defaultZones
	}
	return n, errors.Join(r.problems...)
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
	s := subnetSpec{
		kind: r.oneOf(name+".type", m["type"], subnetTypes),
		name: r.text(name+".name", m["name"]),
		mask: r.number(name+".cidrMask", m["cidrMask"]),
		tags: r.textMap(name+".tags", m["tags"]),
	}
	if s.kind == "" {
		r.fail(name+".type", "missing; allowed: "+strings.Join(subnetTypes, ", "))
	}
	for i, block := range r.array(name+".cidrBlocks", m["cidrBlocks"]) {
		s.blocks = append(s.blocks, r.prefix(fmt.Sprintf("%s.cidrBlocks[%d]", name, i), block, ""))
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

func (r *reader) number(name string, v resource.PropertyValue) int {
	number, _ := typed(r, name, v, "a number", resource.PropertyValue.IsNumber, resource.PropertyValue.NumberValue)
	return int(number)
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

func (r *reader) textMap(name string, v resource.PropertyValue) map[string]string {
	texts := map[string]string{}
	for key, value := range r.object(name, v) {
		texts[string(key)] = r.text(name+"."+string(key), value)
	}
	return texts
}

// oneOf reads a text in any case and returns it as allowed has it.
func (r *reader) oneOf(name string, v resource.PropertyValue, allowed []string) string {
	text := r.text(name, v)
	if text == "" {
		return ""
	}
	for _, a := range allowed {
		if strings.EqualFold(a, text) {
			return a
		}
	}
	r.fail(name, fmt.Sprintf("got %s; allowed: %s", text, strings.Join(allowed, ", ")))
	return ""
}

func (r *reader) prefix(name string, v resource.PropertyValue, otherwise string) netip.Prefix {
	text := r.text(name, v)
	if text == "" {
		text = otherwise
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil || !prefix.Addr().Is4() || prefix != prefix.Masked() {
		r.fail(name, fmt.Sprintf("got %q; allowed: an IPv4 block such as %s", text, defaultBlock))
		return netip.Prefix{}
	}
	return prefix
}
