// Package cloud is the background process of a local run: everything that AWS would do for the stack.
//
// It starts the emulator, the registry and the endpoint, and beside them the scheduler and the load balancer, which
// turn the services and listeners that the emulator holds into containers and a port that answers.
package cloud

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fargate-nginx-sidecar/local/cloud/alb"
	"fargate-nginx-sidecar/local/cloud/cloudmap"
	"fargate-nginx-sidecar/local/cloud/ecs"
	"fargate-nginx-sidecar/local/cloud/emulator"
	"fargate-nginx-sidecar/local/cloud/endpoint"
	"fargate-nginx-sidecar/local/cloud/engine"
	"fargate-nginx-sidecar/local/cloud/fargate"
	"fargate-nginx-sidecar/local/cloud/httpapi"
	"fargate-nginx-sidecar/local/cloud/ports"
	"fargate-nginx-sidecar/local/cloud/registry"
	"fargate-nginx-sidecar/local/cloud/run"
	"fargate-nginx-sidecar/local/cloud/secrets"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
)

// stopWait bounds the end of all tasks. A task may take its stopTimeout, of which Fargate allows 120 seconds.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
const stopWait = 150 * time.Second

// Options describe the run that the process carries.
type Options struct {
	Dir      string              // of the run
	Layers   string              // where its registry keeps what is pushed, for those of other runs as well
	Emulator string              // the Python that has moto
	Run      run.Run             // ID, stack, region; the process adds where it listens
	Ports    map[int]*ports.Port // load balancer port → local one; an HTTP API is on 443's
	Log      *slog.Logger
}

// cloud holds the parts while they run.
type cloud struct {
	options   Options
	emulator  *emulator.Emulator
	balancer  *alb.Balancer
	gateway   *httpapi.Gateway
	scheduler *ecs.Scheduler
	endpoint  *endpoint.Endpoint
	servers   []*http.Server
}

// Serve runs until ctx ends or a part of it fails. At its end nothing of it runs any more.
func Serve(ctx context.Context, options Options) (err error) {
	release, err := run.Hold(options.Dir)
	if err != nil {
		return err
	}
	defer release()
	c := &cloud{options: options}
	if c.emulator, err = emulator.Start(ctx, options.Emulator, options.Dir, options.Run.ID); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.emulator.Stop()) }()
	defer c.close()
	described := options.Run
	if err := c.listen(ctx, &described); err != nil {
		return errors.Join(err, fargate.Cleanup(context.WithoutCancel(ctx), options.Run.ID))
	}

	parts, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	failed := make(chan error, 3)
	go func() { failed <- c.balancer.Run(parts) }()
	go func() { failed <- c.gateway.Run(parts) }()
	go func() { failed <- c.scheduler.Run(parts) }()

	described.PID = os.Getpid()
	described.Started = time.Now()
	if err := described.Save(options.Dir); err != nil {
		return err
	}
	options.Log.Info("ready", "endpoint", described.Endpoint, "registry", described.Registry, "relayed", described.Relayed)

	select {
	case <-ctx.Done():
	case <-c.emulator.Done():
		err = errors.New("emulator: ended by itself; its log is " + filepath.Join(options.Dir, "emulator.log"))
	case err = <-failed:
	}
	return errors.Join(err, c.stopTasks())
}

// listen makes the parts, and opens the two ports that clients use, which it writes into the run's description.
func (c *cloud) listen(ctx context.Context, described *run.Run) (err error) {
	repositories := registry.ECR{Client: ecr.NewFromConfig(emulator.Config(c.emulator.URL, c.options.Run.Region))}
	images, err := registry.New(registry.Options{BlobDir: c.options.Layers, Repositories: repositories})
	if err != nil {
		return err
	}
	docker, err := engine.Connect()
	if err != nil {
		return err
	}
	// The engine pushes and pulls images, so it has to reach the registry.
	listener, relayed, err := engine.Listen(ctx, docker, c.options.Run.ID, c.options.Log)
	if err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	described.Registry, described.Relayed = listener.Addr().String(), relayed
	c.serve(listener, images)
	if c.balancer, err = alb.New(alb.Options{
		Endpoint: c.emulator.URL,
		Region:   c.options.Run.Region,
		Ports:    c.options.Ports,
		Logger:   c.options.Log,
	}); err != nil {
		return err
	}
	instances := cloudmap.New(c.emulator.URL, c.options.Run.Region, c.options.Log)
	if c.gateway, err = httpapi.New(httpapi.Options{
		Endpoint:  c.emulator.URL,
		Region:    c.options.Run.Region,
		Port:      c.options.Ports[443],
		Instances: instances,
		Logger:    c.options.Log,
	}); err != nil {
		return err
	}
	if c.scheduler, err = ecs.New(ctx, ecs.Options{
		Options: fargate.Options{
			RunID:    c.options.Run.ID,
			Endpoint: c.emulator.URL,
			Region:   c.options.Run.Region,
			Secret:   secrets.New(c.emulator.URL, c.options.Run.Region).Resolve,
			Credentials: func(ctx context.Context, reference string) (string, error) {
				return repositories.PullCredentials(ctx, described.Registry, reference)
			},
			Logger: c.options.Log,
		},
		LoadBalancer: c.balancer,
		Registry:     instances,
		Overlay:      func(arn string) map[string]any { return c.endpoint.Overlay(arn) },
		Restore:      func(arn string, members map[string]any) { c.endpoint.Restore(arn, members) },
	}); err != nil {
		return err
	}
	if c.endpoint, err = endpoint.New(endpoint.Options{
		Emulator: c.emulator.URL,
		Registry: described.Registry,
		Tasks:    c.scheduler,
		Targets:  c.balancer,
		Changed: map[string]func(){
			"ecs": c.scheduler.Changed, "elasticloadbalancing": c.balancer.Changed, "apigateway": c.gateway.Changed,
		},
	}); err != nil {
		return err
	}
	if listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return fmt.Errorf("endpoint: %w", err)
	}
	described.Endpoint = "http://" + listener.Addr().String()
	c.serve(listener, c.beforeAWS(c.endpoint))
	return nil
}

// publicKeys is the path of the endpoint that stands for https://public-keys.auth.elb.<region>.amazonaws.com/, which is no
// service of AWS's API.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html#user-claims-encoding
const publicKeys = "/public-keys.auth.elb/"

// beforeAWS answers for what stands on the endpoint beside AWS's API.
func (c *cloud) beforeAWS(aws http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, publicKeys):
			c.balancer.PublicKeys().ServeHTTP(w, r)
		case r.URL.Path == movePath:
			c.move(w, r)
		default:
			aws.ServeHTTP(w, r)
		}
	})
}

// serve answers HTTP on a listener until close.
func (c *cloud) serve(listener net.Listener, handler http.Handler) {
	// No limit on the body: an image layer may take as long as it takes.
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	c.servers = append(c.servers, server)
	go func() {
		if err := server.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			c.options.Log.Error("server ended", "address", listener.Addr(), "error", err)
		}
	}()
}

func (c *cloud) close() {
	for _, server := range c.servers {
		_ = server.Close()
	}
}

// stopTasks ends every container of the run, as ECS would, and removes what is left of any.
func (c *cloud) stopTasks() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopWait)
	defer cancel()
	return errors.Join(c.scheduler.Stop(ctx), fargate.Cleanup(context.WithoutCancel(ctx), c.options.Run.ID))
}
