package awsmodel

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// What is documented for tags, everywhere alike; some models have a part of it.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Tag.html
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions
const (
	maxTags     = 50
	maxTagKey   = 128
	maxTagValue = 256
	tagRules    = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions"
)

// tags checks all tags that a request gives to something.
func (v *validation) tags(path string, value any) {
	switch value := value.(type) {
	case list:
		for i, item := range value {
			v.tags(fmt.Sprintf("%s[%d]", path, i), item)
		}
	case object:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			at := under(path, name)
			if strings.EqualFold(name, "tags") || strings.EqualFold(name, "tagset") {
				v.tagged(at, value[name])
				continue
			}
			v.tags(at, value[name])
		}
	}
}

// tagged checks the tags of one thing: a list of keys and values, or a map.
func (v *validation) tagged(path string, value any) {
	var count int
	switch tags := value.(type) {
	case list:
		count = len(tags)
		for i, entry := range tags {
			tag, _ := entry.(object)
			v.tag(fmt.Sprintf("%s[%d]", path, i), first(tag, "Key", "key", "TagKey"), first(tag, "Value", "value", "TagValue"))
		}
	case object:
		count = len(tags)
		for _, key := range slices.Sorted(maps.Keys(tags)) {
			v.tag(fmt.Sprintf("%s[%q]", path, key), key, plain(tags[key]))
		}
	}
	if count > maxTags {
		v.addRule(path, fmt.Sprintf("%d tags", count), fmt.Sprintf("at most %d", maxTags), tagRules)
	}
}

func first(tag object, names ...string) string {
	for _, name := range names {
		if value, given := tag[name]; given {
			return plain(value)
		}
	}
	return ""
}

func (v *validation) tag(path, key, value string) {
	if strings.HasPrefix(strings.ToLower(key), "aws:") {
		v.addRule(path, fmt.Sprintf("a tag with the key %q", key), "a key not beginning with aws:", tagRules)
	}
	if length := utf8.RuneCountInString(key); length > maxTagKey {
		v.addRule(path, fmt.Sprintf("a tag whose key has %d characters", length), fmt.Sprintf("at most %d", maxTagKey), tagRules)
	}
	if length := utf8.RuneCountInString(value); length > maxTagValue {
		v.addRule(path, fmt.Sprintf("a tag whose value has %d characters", length), fmt.Sprintf("at most %d", maxTagValue), tagRules)
	}
}
