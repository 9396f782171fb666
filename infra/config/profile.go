package config

// Profiles: dev is cheap and leaves nothing behind, prod is what customers depend on.
const (
	ProfileDev  = "dev"
	ProfileProd = "prod"
)

// byProfile is the default that Pulumi.yaml writes for a setting whose value the profile decides.
const byProfile = "profile"

// ProfileValues are the two values of a setting that the profile decides.
type ProfileValues struct{ Dev, Prod string }

// profiled lists the settings whose default is `profile`. The descriptions in Pulumi.yaml name the same values; a test
// compares them.
var profiled = map[string]ProfileValues{
	"autoscaling":        {"off", "on"},
	"alarms":             {"off", "on"},
	"dashboard":          {"off", "on"},
	"logMetrics":         {"off", "on"},
	"accessLogs":         {"off", "on"},
	"flowLogs":           {"off", "on"},
	"waf":                {"off", "managed"},
	"trafficLogDays":     {"30", "365"},
	"deletionProtection": {"off", "on"},
	"targetTls":          {"off", "on"},
	"logRetentionDays":   {"30", "365"},
}

// Profiled returns the values that the two profiles give to settings.
func Profiled() map[string]ProfileValues {
	return profiled
}

// readProfile must come first: other settings are read by it. A wrong one is reported once, and the rest is read as
// for dev.
func (r *reader) readProfile() string {
	r.profile = r.oneOf("profile", ProfileDev, ProfileProd)

	return r.profile
}

// resolve replaces the default `profile` of a setting by the profile's value.
func (r *reader) resolve(key, value string) string {
	values, ok := profiled[key]
	switch {
	case !ok || value != byProfile:
		return value
	case r.profile == ProfileProd:
		return values.Prod
	default:
		return values.Dev
	}
}

// alsoProfile adds to what is allowed for a setting that it may follow the profile.
func alsoProfile(key, allowed string) string {
	if _, ok := profiled[key]; ok {
		return allowed + ", or " + byProfile
	}

	return allowed
}

// switched returns a setting that is on or off. Those that only ever have one default are booleans.
func (r *reader) switched(key string) bool {
	return r.oneOf(key, "on", "off") == "on"
}
