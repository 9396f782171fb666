package nginx

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// shown are the settings that are written although they have their defaults, so that they can be seen in the task
// definition.
var shown = []string{
	Port.Name, AppPort.Name, Workers.Name, IdleTimeout.Name, ReadTimeout.Name, AppKeepAlive.Name, ClientTimeout.Name, ShutdownTimeout.Name,
	BodyLimit.Name, RateLimit.Name, RateBurst.Name, GzipLevel.Name, CacheSeconds.Name, PathPrefixes.Name, Methods.Name, TrustedProxies.Name,
	AccessLog.Name, LogHealthChecks.Name, TLS.Name,
}

func (s Settings) shows(name string) bool {
	return slices.Contains(shown, name) || name == AppHealthTimeout.Name && s.AppHealthPath != ""
}

// Defaults are the settings of an image that runs without any variable.
func Defaults() Settings {
	s, _ := Read(func(string) string { return "" }) // the defaults are allowed
	return s
}

// ForIdleTimeout are the defaults behind a load balancer with the given idle timeout, in seconds.
func ForIdleTimeout(idle int) Settings {
	s := Defaults()
	s.IdleTimeout = idle
	for _, each := range []Number{KeepAlive, ReadTimeout, AppIdle, AppKeepAlive} {
		*each.at(&s) = each.follows(s)
	}

	return s
}

// Environment writes the settings as variables, which Read turns into the same settings. What Read would refuse is an error
// here: a stack whose tasks could not start does not pass its preview.
func (s Settings) Environment() (map[string]string, error) {
	variables := map[string]string{}
	for _, each := range all {
		value := each.write(s)
		if value == each.fallback(s) && !s.shows(each.name()) {
			continue
		}
		variables[each.name()] = value
	}
	_, err := Read(func(name string) string { return variables[name] })

	return variables, err
}

// With writes the settings as Environment does, with other values for some of the variables. The error names everything that is
// wrong with them together.
func (s Settings) With(others map[string]string) (map[string]string, error) {
	variables, err := s.Environment()
	if err != nil {
		return nil, err
	}
	maps.Copy(variables, others)
	_, err = Read(func(name string) string { return variables[name] })

	return variables, err
}

// Check returns what is wrong with the value of one variable by itself.
func Check(name, value string) []error {
	for _, each := range all {
		if each.name() == name {
			return each.read(new(Settings), value)
		}
	}

	return []error{fmt.Errorf("%s: the sidecar has no such setting", name)}
}

// Read reads the settings from variables, of which an empty one is its default. The error names everything that is wrong.
func Read(variable func(name string) string) (Settings, error) {
	var s Settings
	var errs []error
	for _, each := range all {
		errs = append(errs, each.read(&s, variable(each.name()))...)
	}
	errs = append(errs, s.contradictions()...)

	return s, errors.Join(errs...)
}

// contradictions are settings that are allowed each by itself, but not together.
func (s Settings) contradictions() (errs []error) {
	refuse := func(broken bool, name, value, allowed string, args ...any) {
		if broken {
			errs = append(errs, wrong(name, value, fmt.Sprintf(allowed, args...)))
		}
	}
	// The chain of timeouts, outermost first: what sends requests on a connection has to close it first.
	refuse(s.KeepAlive <= s.IdleTimeout, KeepAlive.Name, KeepAlive.write(s), "more than NGINX_IDLE_TIMEOUT (%d s)", s.IdleTimeout)
	refuse(s.ReadTimeout >= s.IdleTimeout, ReadTimeout.Name, ReadTimeout.write(s), "less than NGINX_IDLE_TIMEOUT (%d s)", s.IdleTimeout)
	refuse(s.AppIdle*1000 >= s.AppKeepAliveMilliseconds, AppIdle.Name, AppIdle.write(s),
		"less than the application's KEEP_ALIVE_TIMEOUT_MS (%d ms)", s.AppKeepAliveMilliseconds)
	refuse(s.Port == s.AppPort, AppPort.Name, AppPort.write(s), "another port than NGINX_PORT: both are in one network namespace")

	refuse(len(s.PathPrefixes) > 1 && slices.Contains(s.PathPrefixes, Site), PathPrefixes.Name, PathPrefixes.write(s), "/ alone, or paths without it")
	for i, path := range s.StaticPaths {
		refuse(slices.Contains(s.PathPrefixes, path) || slices.Contains(s.StaticPaths[:i], path), StaticPaths.Name, path,
			"a path that is no prefix of the application and is there once")
	}
	for _, path := range s.HashedPaths {
		refuse(!slices.ContainsFunc(s.StaticPaths, func(static string) bool { return covers(static, path) }), HashedPaths.Name, path,
			"a path of NGINX_STATIC_FILES, or one below it")
	}
	refuse(s.SPAFallback && len(s.StaticPaths) == 0, "NGINX_SPA_FALLBACK", "on", "off without NGINX_STATIC_FILES")

	refuse(s.StripPrefix && slices.Contains(s.PathPrefixes, Site), "NGINX_STRIP_PREFIX", "on", "off with the prefix /")
	refuse(s.CORSPreflight && len(s.CORSOrigins) == 0, "NGINX_CORS_PREFLIGHT", "on", "off without NGINX_CORS_ORIGINS")

	refuse(s.AppProtocol == FastCGI && s.AppRoot == "", AppRoot.Name, "", "the document root of an application that speaks fastcgi")
	refuse(s.AppProtocol != FastCGI && s.AppRoot != "", AppRoot.Name, s.AppRoot, "none unless NGINX_APP_PROTOCOL is fastcgi")
	refuse(s.AppRoot == "" && len(s.AppWritten) > 0, AppWritten.Name, AppWritten.write(s), "none without NGINX_APP_ROOT")
	refuse(s.AppProtocol == FastCGI && s.StripPrefix, "NGINX_STRIP_PREFIX", "on", "off with fastcgi, whose scripts are files at their paths")
	refuse(s.AppProtocol != HTTP && s.CacheSeconds > 0, CacheSeconds.Name, CacheSeconds.write(s), "0 unless NGINX_APP_PROTOCOL is http")

	for _, path := range s.StreamedPaths {
		refuse(!slices.ContainsFunc(s.PathPrefixes, func(prefix string) bool { return covers(prefix, path) }), StreamedPaths.Name, path, "a path of NGINX_PATH_PREFIXES, or one below it")
	}
	refuse(s.AppProtocol != HTTP && len(s.StreamedPaths) > 0, StreamedPaths.Name, StreamedPaths.write(s), "none unless NGINX_APP_PROTOCOL is http: the variables of CGI hold the length")
	for i, header := range s.AnswerHeaders {
		twice := slices.ContainsFunc(s.AnswerHeaders[:i], func(h AnswerHeader) bool { return strings.EqualFold(h.Name, header.Name) })
		refuse(twice, AnswerHeaders.Name, header.String(), "each header once")
	}

	// An application may take /api%2Flogin or /api//login for /api/login. What is only for that path, and decided by
	// something that does not read it like that, would not hold. So it is one or the other.
	refuse(len(s.Allow) > 0 && len(s.PathRates) > 0, Allow.Name, Allow.write(s), "none with NGINX_PATH_RATES, which such a path would evade")
	login := len(s.LoginPaths) > 0 && !slices.Equal(s.LoginPaths, []string{Site})
	refuse(len(s.Allow) > 0 && login, Allow.Name, Allow.write(s), "none with NGINX_LOGIN_PATHS other than /, which such a path would evade")

	return errs
}
