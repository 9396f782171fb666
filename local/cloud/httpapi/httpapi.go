// Package httpapi does beside an AWS emulator what an HTTP API of Amazon API Gateway does: it reads the API, its default
// stage and route, and the private integration behind it, and sends requests to the instances of a Cloud Map service,
// within the limits of API Gateway.
//
// It exists for the local run only and is a stand-in. There is one API in a run; where several exist for a moment, while
// one replaces another, the newest serves.
package httpapi

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"fargate-nginx-sidecar/local/cloud/cloudmap"
	"fargate-nginx-sidecar/local/cloud/emulator"
	"fargate-nginx-sidecar/local/cloud/ports"
	"fargate-nginx-sidecar/local/cloud/selfsigned"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
)

// Discoverer finds the instances of a Cloud Map service that requests may go to.
type Discoverer interface {
	Discover(serviceARN string) []cloudmap.Instance
}

// Options of a Gateway. All but Poll and Logger are needed.
type Options struct {
	Endpoint  string // the emulator's own URL
	Region    string
	Port      *ports.Port // where the API is on this machine; it speaks HTTPS as API Gateway does
	Instances Discoverer

	Poll   time.Duration // between two looks at the emulator; 0 is one second
	Logger *slog.Logger  // nil is slog.Default()
}

// Gateway is API Gateway's part in a run.
type Gateway struct {
	*emulator.Loop
	options Options
	log     *slog.Logger
	source  *source
	logs    *cloudwatchlogs.Client

	mu     sync.Mutex
	server *http.Server // nil while there is no API
	api    *api         // that it serves
}

// New checks the options. It opens nothing.
func New(options Options) (*Gateway, error) {
	if options.Endpoint == "" || options.Region == "" || options.Port == nil || options.Instances == nil {
		return nil, errors.New("endpoint, region, port, instances: empty; want the emulator's URL, an AWS region, a port and who knows the instances")
	}
	if options.Poll == 0 {
		options.Poll = time.Second
	}
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	return &Gateway{
		Loop:    emulator.NewLoop(options.Poll),
		options: options,
		log:     options.Logger,
		source:  newSource(options.Endpoint, options.Region),
		logs:    cloudwatchlogs.NewFromConfig(emulator.Config(options.Endpoint, options.Region)),
	}, nil
}

// Run follows the emulator until ctx ends.
func (g *Gateway) Run(ctx context.Context) error {
	defer g.close()
	g.Loop.Run(ctx, g.look)
	return nil
}

// look reads what is wanted, and opens, changes or closes the API accordingly. Without a change there is nothing to do.
func (g *Gateway) look(ctx context.Context, reads bool) error {
	if !reads {
		return nil
	}
	wanted, err := g.source.read(ctx)
	if err != nil {
		if ctx.Err() == nil {
			g.log.Warn("the HTTP API cannot be read; it stays as it is", "error", err)
		}
		return err
	}
	replaced, err := g.follow(wanted)
	if replaced != nil {
		replaced.close()
	}
	return err
}

// follow makes the API the wanted one, and returns the one that has been replaced.
func (g *Gateway) follow(wanted *settings) (replaced *api, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case wanted == nil:
		replaced, g.api = g.api, nil
		g.shut()
		return replaced, nil
	case g.api == nil || g.api.settings.id != wanted.id:
		replaced, g.api = g.api, newAPI(*wanted, g)
	default:
		g.api.configure(*wanted)
	}
	if g.server == nil {
		err = g.open()
	}
	return replaced, err
}

// open listens. A port that a load balancer still holds, because it goes only when the API is there, is tried again with
// the next look.
func (g *Gateway) open() error {
	listener, err := g.options.Port.Listen()
	if err != nil {
		g.log.Warn("the HTTP API cannot listen yet", "error", err)
		return err
	}
	certificate, err := selfsigned.Certificate(g.api.settings.host)
	if err != nil {
		_ = listener.Close()
		return err
	}
	g.server = &http.Server{
		Handler:           http.HandlerFunc(g.serve),
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
		ReadHeaderTimeout: maxTimeout,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	server := g.server
	go func() {
		if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
			g.log.Error("the HTTP API ended", "error", err)
		}
	}()
	g.log.Info("HTTP API open", "api", g.api.settings.id, "address", listener.Addr().String())
	return nil
}

func (g *Gateway) serve(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	current := g.api
	g.mu.Unlock()
	if current == nil {
		refuse(w, http.StatusNotFound)
		return
	}
	current.ServeHTTP(w, r)
}

// shut closes the server. The caller holds g.mu.
func (g *Gateway) shut() {
	if g.server != nil {
		_ = g.server.Close()
		g.server = nil
	}
}

func (g *Gateway) close() {
	if last, _ := g.follow(nil); last != nil {
		last.close()
	}
}
