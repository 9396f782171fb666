package endpoint

import (
	"reflect"
	"strings"
	"time"
)

// jsonOf writes a value of the AWS SDK's types as the JSON protocols of AWS have it: names in lower camel case, points in
// time in seconds. What is not given is left out.
// https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
func jsonOf(value any) any { return encode(reflect.ValueOf(value)) }

func encode(v reflect.Value) any {
	if at, is := v.Interface().(time.Time); is {
		return float64(at.UnixMilli()) / 1000
	}
	switch v.Kind() {
	case reflect.Pointer:
		return encode(v.Elem())
	case reflect.Slice:
		list := make([]any, 0, v.Len())
		for i := range v.Len() {
			list = append(list, encode(v.Index(i)))
		}
		return list
	case reflect.Struct:
		object := map[string]any{}
		for i := range v.NumField() {
			member, name := v.Field(i), v.Type().Field(i).Name
			nothing := (member.Kind() == reflect.Pointer || member.Kind() == reflect.Slice) && member.IsNil() ||
				member.Kind() == reflect.String && member.Len() == 0
			if v.Type().Field(i).IsExported() && !nothing {
				object[strings.ToLower(name[:1])+name[1:]] = encode(member)
			}
		}
		return object
	}
	return v.Interface()
}
