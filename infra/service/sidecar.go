package service

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Sidecar is what NGINX does between load balancer and app.
type Sidecar struct {
	// PathPrefixes reach the app, by Methods alone.
	PathPrefixes, Methods []string
	// BodyLimitKilobytes is in KiB.
	BodyLimitKilobytes int
	// RatePerSecond is the requests a client may send in a second, RateBurst how many more at once; zero is no limit.
	RatePerSecond, RateBurst int
	// ReadTimeout is how long NGINX waits for the app, less than the idle timeout. ClientTimeout is how long it waits
	// for a client. AppKeepAlive is how long the app keeps a silent connection, more than the idle timeout.
	ReadTimeout, ClientTimeout, AppKeepAlive time.Duration
	// GzipLevel of zero is off, and so is CacheSeconds.
	GzipLevel, CacheSeconds int
	// AccessLog is json, text or off.
	AccessLog       string
	LogHealthChecks bool
	// TrustedProxies are ranges in front of the load balancer whose word on who the client is counts.
	TrustedProxies []netip.Prefix
	// TLS is what NGINX speaks with the load balancer, instead of plain HTTP.
	TLS bool
	// Workers is the number of processes; zero is one for each vCPU of the task.
	Workers int
}

func (s Sidecar) validate(idle time.Duration) error {
	var errs []error
	if len(s.PathPrefixes) == 0 || len(s.Methods) == 0 {
		errs = append(errs, fmt.Errorf("sidecar: path prefixes %q and methods %q; allowed: one or more of each", s.PathPrefixes, s.Methods))
	}
	if s.ReadTimeout < time.Second || s.ReadTimeout >= idle {
		errs = append(errs, fmt.Errorf("sidecar: read timeout %s; allowed: 1 s to less than the idle timeout, %s", s.ReadTimeout, idle))
	}
	if s.AppKeepAlive <= idle {
		errs = append(errs, fmt.Errorf("sidecar: the app keeps connections for %s; allowed: more than the idle timeout, %s", s.AppKeepAlive, idle))
	}

	return errors.Join(errs...)
}

// sidecarEnvironment renders NGINX's settings as its entrypoint reads them. Each has the same default there, but a
// value that is written down here is one that a task definition shows.
func sidecarEnvironment(args Args, balancerRanges string) map[string]string {
	sidecar := args.Sidecar

	return map[string]string{
		"NGINX_PORT":              strconv.Itoa(args.ContainerPort),
		"APP_PORT":                strconv.Itoa(args.AppPort),
		"NGINX_WORKER_PROCESSES":  strconv.Itoa(workers(sidecar.Workers, args.CPU)),
		"NGINX_IDLE_TIMEOUT":      seconds(args.IdleTimeout),
		"NGINX_READ_TIMEOUT":      seconds(sidecar.ReadTimeout),
		"NGINX_CLIENT_TIMEOUT":    seconds(sidecar.ClientTimeout),
		"NGINX_SHUTDOWN_TIMEOUT":  drainTime(args),
		"KEEP_ALIVE_TIMEOUT_MS":   appKeepAlive(args),
		"NGINX_PATH_PREFIXES":     strings.Join(sidecar.PathPrefixes, ","),
		"NGINX_METHODS":           strings.Join(sidecar.Methods, ","),
		"NGINX_MAX_BODY_KB":       strconv.Itoa(sidecar.BodyLimitKilobytes),
		"NGINX_RATE_LIMIT":        strconv.Itoa(sidecar.RatePerSecond),
		"NGINX_RATE_BURST":        strconv.Itoa(sidecar.RateBurst),
		"NGINX_GZIP_LEVEL":        strconv.Itoa(sidecar.GzipLevel),
		"NGINX_CACHE_SECONDS":     strconv.Itoa(sidecar.CacheSeconds),
		"NGINX_ACCESS_LOG":        sidecar.AccessLog,
		"NGINX_LOG_HEALTH_CHECKS": onOff(sidecar.LogHealthChecks),
		"NGINX_TLS":               onOff(sidecar.TLS),
		"NGINX_TRUSTED_PROXIES":   trusted(balancerRanges, sidecar.TrustedProxies),
	}
}

// trusted adds the given ranges to the load balancer's, which are separated by commas.
func trusted(balancerRanges string, proxies []netip.Prefix) string {
	all := []string{balancerRanges}
	for _, proxy := range proxies {
		all = append(all, proxy.String())
	}

	return strings.Join(all, ",")
}

// workers is the number of NGINX processes: as given, or one for each vCPU, of which there are 1024 CPU units. NGINX's
// own "auto" counts the host's processors, of which a task has a share.
// https://nginx.org/en/docs/ngx_core_module.html#worker_processes
func workers(given, cpu int) int {
	if given > 0 {
		return given
	}

	return max(1, cpu/1024)
}

// appKeepAlive is in milliseconds, and the same for both containers: NGINX refuses to start when it would keep a
// connection longer than the app.
func appKeepAlive(args Args) string {
	return strconv.FormatInt(args.Sidecar.AppKeepAlive.Milliseconds(), 10)
}

// drainTime is how long NGINX finishes requests after its stop signal, in seconds: less than the stop timeout, so that
// it ends by itself.
func drainTime(args Args) string {
	seconds := int(args.StopTimeout.Seconds())

	return strconv.Itoa(seconds - max(1, seconds/6))
}

func seconds(duration time.Duration) string {
	return strconv.Itoa(int(duration.Seconds()))
}

func onOff(on bool) string {
	if on {
		return "on"
	}

	return "off"
}
