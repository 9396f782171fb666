package settings

// The profiles: dev is cheap and leaves nothing behind; prod is for services that customers depend on.
const (
	dev  = "dev"
	prod = "prod"
)

// byProfile is the default that Pulumi.yaml writes for a setting whose value the profile decides.
const byProfile = "profile"

// Profiled are the two values of a setting that the profile decides.
type Profiled struct{ Dev, Prod string }

func (p Profiled) in(profile string) string {
	if profile == prod {
		return p.Prod
	}

	// A wrong profile has been reported already; the other settings are read as if it were dev.
	return p.Dev
}

// FollowProfile declares which values the profile gives to a setting, before the setting is read. The description in
// Pulumi.yaml names the same values; a test compares them.
func (r *Reader) FollowProfile(key, inDev, inProd string) {
	r.profiled[key] = Profiled{Dev: inDev, Prod: inProd}
}

// Profiled returns the values of all settings that were read and follow the profile.
func (r *Reader) Profiled() map[string]Profiled { return r.profiled }

// Production says whether the profile is prod.
func (r *Reader) Production() bool { return r.profile == prod }
