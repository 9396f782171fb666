package task

import (
	"maps"
	"slices"
	"strings"

	"fargate-nginx-sidecar/images/nginx"
	"fargate-nginx-sidecar/infra/settings"
)

// hasSetting are the sidecar's settings that follow from the stack's, each with the one to set instead.
var hasSetting = map[string]string{
	nginx.Port.Name: "http.port", nginx.AppPort.Name: "app.port", nginx.AppKeepAlive.Name: "app.keepAlive", nginx.AppIdle.Name: "app.keepAlive",
	nginx.AppSocket.Name: "app.socket", nginx.AppHealthPath.Name: "app.health", nginx.AppHealthTimeout.Name: "app.healthCommand",
	nginx.IdleTimeout.Name: "ingress.idleTimeout", nginx.ReadTimeout.Name: "http.readTimeout",
	nginx.StopDelay.Name: "task.stopDelay", nginx.ShutdownTimeout.Name: "task.stopTimeout",
	nginx.PathPrefixes.Name: "http.paths", nginx.Methods.Name: "http.methods", nginx.AllowedHosts.Name: "http.hosts", nginx.TrustedProxies.Name: "http.trustedProxies",
	nginx.BodyLimit.Name: "http.bodyLimit", nginx.HeaderLimit.Name: "http.headerLimit", nginx.LoginPaths.Name: "login.paths",
	nginx.RateLimit.Name: "http.limits.perSecond", nginx.ConcurrencyLimit.Name: "http.limits.concurrent", nginx.PathRates.Name: "http.limits.paths",
	nginx.StaticPaths.Name: "http.static", nginx.HashedPaths.Name: "http.staticHashed", nginx.StaticHistory.Name: "http.staticHistory",
	nginx.SPAFallback.Name: "http.spaFallback", nginx.Allow.Name: "http.allow", nginx.TLS.Name: "ingress.targetTls",
	nginx.Ingress.Name: "ingress.kind", nginx.StripPrefix.Name: "http.stripPrefix", nginx.CORSOrigins.Name: "http.cors.origins",
	nginx.CORSPreflight.Name: "http.cors.preflight", nginx.AppHealthHost.Name: "http.hosts", nginx.AppProtocol.Name: "app.protocol", nginx.AppRoot.Name: "app.documentRoot", nginx.AppWritten.Name: "app.writablePaths",
	nginx.AnswerHeaders.Name: "http.headers", nginx.StreamedPaths.Name: "http.streamUploads",
}

// readSidecarOverrides returns settings of the sidecar's own that are too rare for a setting of the stack.
func readSidecarOverrides(g settings.Group) map[string]string {
	values := g.Map("sidecar",
		"Settings of the sidecar that have no setting here, by the names of its variables, as in `{NGINX_GZIP: safe, NGINX_CACHE_SECONDS: 5}`. docs/sidecar.md has all of them.",
		"https://nginx.org/en/docs/dirindex.html")
	for _, name := range slices.Sorted(maps.Keys(values)) {
		member := "sidecar." + name
		if instead := hasSetting[name]; instead != "" {
			g.RefuseMember(member, "cannot be overridden; set "+instead)
			continue
		}
		for _, err := range nginx.Check(name, values[name]) {
			g.RefuseMember(member, strings.TrimPrefix(err.Error(), name+": "))
		}
	}

	return values
}

// checkSidecarOverrides refuses what has no effect.
func checkSidecarOverrides(r *settings.Reader, s Sidecar) {
	if _, given := s.Overrides[nginx.RateBurst.Name]; given && s.RatePerSecond == 0 {
		r.Conflict([]string{"overrides.sidecar." + nginx.RateBurst.Name, "http.limits.perSecond"}, "a burst is set, but no rate; allowed with: perSecond")
	}
	if _, given := s.Overrides[nginx.Gzip.Name]; given && s.Overrides[nginx.GzipLevel.Name] == "0" {
		r.Conflict([]string{"overrides.sidecar." + nginx.Gzip.Name, "overrides.sidecar." + nginx.GzipLevel.Name}, "level 0 compresses nothing; allowed: one of them")
	}
}

// LogsJSON reports whether the access log is in JSON, which metrics are made from.
func (s Sidecar) LogsJSON() bool {
	format, given := s.Overrides[nginx.AccessLog.Name]

	return !given || format == string(nginx.LogJSON)
}

// LogsConnections reports whether NGINX's own counts go into its log.
func (s Sidecar) LogsConnections() bool {
	interval := s.Overrides[nginx.StatusInterval.Name]

	return interval != "" && interval != "0"
}
