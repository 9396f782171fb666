package awsmodel

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// place is a value and where it is.
type place struct {
	path  string
	value any
}

// find returns the values at a rule's path.
func find(member, path string, value any) []place {
	if value == nil {
		return nil
	}
	if member == "" {
		return []place{{path, value}}
	}
	if rest, entries := strings.CutPrefix(member, "[]"); entries {
		var found []place
		items, _ := value.(list)
		for i, item := range items {
			found = append(found, find(strings.TrimPrefix(rest, "."), fmt.Sprintf("%s[%d]", path, i), item)...)
		}
		return found
	}
	end := strings.IndexAny(member, ".[")
	if end < 0 {
		end = len(member)
	}
	members, _ := value.(object)
	return find(strings.TrimPrefix(member[end:], "."), under(path, member[:end]), members[member[:end]])
}

// plain is a leaf as text.
func plain(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case text:
		return string(value)
	case json.Number:
		return value.String()
	}
	return ""
}

func matching(pattern string) func(any) bool {
	whole := regexp.MustCompile(`^(?:` + pattern + `)$`)
	return func(value any) bool { return whole.MatchString(plain(value)) }
}

var prefix, suffix = strings.HasPrefix, strings.HasSuffix

func without(end func(text, part string) bool, reserved ...string) func(any) bool {
	return func(value any) bool {
		return !slices.ContainsFunc(reserved, func(part string) bool { return end(plain(value), part) })
	}
}

func both(one, other func(any) bool) func(any) bool {
	return func(value any) bool { return one(value) && other(value) }
}

func either(one, other func(any) bool) func(any) bool {
	return func(value any) bool { return one(value) || other(value) }
}

func between(least, most int) func(any) bool {
	return func(value any) bool {
		number, err := strconv.Atoi(plain(value))
		return err == nil && number >= least && number <= most
	}
}

func oneOf(numbers ...int) func(any) bool {
	return func(value any) bool {
		number, err := strconv.Atoi(plain(value))
		return err == nil && slices.Contains(numbers, number)
	}
}

func entries(most int) func(any) bool {
	return func(value any) bool {
		items, _ := value.(list)
		return len(items) <= most
	}
}

func characters(most int) func(any) bool {
	return func(value any) bool { return utf8.RuneCountInString(plain(value)) <= most }
}

// denseCharacters is a limit for a policy, of which IAM does not count the white space.
func denseCharacters(most int) func(any) bool {
	return func(value any) bool { return dense(plain(value)) <= most }
}

func dense(policy string) int {
	return utf8.RuneCountInString(strings.Join(strings.Fields(policy), ""))
}

func inKiB(most int) func(any) bool {
	return func(value any) bool {
		written, err := json.Marshal(value)
		return err == nil && len(written) <= most<<10
	}
}

// attribute is a rule for the value of one attribute among others.
func attribute(key string, fits func(any) bool) func(any) bool {
	return func(value any) bool {
		entry, _ := value.(object)
		return plain(entry["Key"]) != key || fits(entry["Value"])
	}
}

// conditionValues counts what the conditions of a listener rule compare with.
func conditionValues(most int) func(any) bool {
	return func(value any) bool {
		count := 0
		for _, path := range []string{"[].Values[]", "[].PathPatternConfig.Values[]", "[].HostHeaderConfig.Values[]", "[].HttpHeaderConfig.Values[]", "[].HttpRequestMethodConfig.Values[]", "[].SourceIpConfig.Values[]", "[].QueryStringConfig.Values[]"} {
			count += len(find(path, "", value))
		}
		return count <= most
	}
}

func netmask(largest, smallest int) func(any) bool {
	return func(value any) bool {
		block, err := netip.ParsePrefix(plain(value))
		return err == nil && block.Addr().Is4() && block.Bits() >= largest && block.Bits() <= smallest
	}
}

func bucketName(value any) bool {
	name := plain(value)
	_, err := netip.ParseAddr(name)
	return err != nil && !strings.Contains(name, "..") &&
		without(prefix, "xn--", "sthree-", "amzn-s3-demo-")(value) &&
		without(suffix, "-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")(value)
}

var parameterCharacters = matching(`[A-Za-z0-9_./-]+`)

func parameterName(value any) bool {
	name := strings.ToLower(strings.TrimPrefix(plain(value), "/"))
	return parameterCharacters(value) && !strings.HasPrefix(name, "aws") && !strings.HasPrefix(name, "ssm") &&
		len(strings.Split(name, "/")) <= 15
}

func period(value any) bool {
	seconds, err := strconv.Atoi(plain(value))
	return err == nil && (seconds == 10 || seconds == 20 || seconds == 30 || seconds > 0 && seconds%60 == 0)
}

// having is for members that the model calls optional.
func having(members ...string) func(any) bool {
	return func(value any) bool {
		whole, _ := value.(object)
		return !slices.ContainsFunc(members, func(member string) bool { return plain(whole[member]) == "" })
	}
}

// fargateSizes are the memory, in MiB, that goes with a task's CPU units on Fargate.
var fargateSizes = map[string]struct{ least, most, step int }{
	"256": {512, 2048, 512}, "512": {1024, 4096, 1024}, "1024": {2048, 8192, 1024}, "2048": {4096, 16384, 1024},
	"4096": {8192, 30720, 1024}, "8192": {16384, 61440, 4096}, "16384": {32768, 122880, 8192},
}

// fargateSize checks a task definition that is meant for Fargate.
func fargateSize(value any) bool {
	task, _ := value.(object)
	compatible, _ := task["requiresCompatibilities"].(list)
	if !slices.Contains(compatible, any("FARGATE")) {
		return true
	}
	size, known := fargateSizes[plain(task["cpu"])]
	memory, err := strconv.Atoi(plain(task["memory"]))
	return known && err == nil && memory >= size.least && memory <= size.most && memory%size.step == 0 &&
		(size.step != 512 || memory != 1536) // the smallest size has 512, 1024 and 2048 only
}
