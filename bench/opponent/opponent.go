// Package opponent lists what the sidecar is measured beside, as data: the image
// it runs in, its configuration, and what it can do.
package opponent

import (
	"bytes"
	"compress/gzip"
	"embed"
	"errors"
	"fmt"
	"strings"
	"text/template"
)

//go:embed config
var configs embed.FS

// Image is where an opponent's program comes from; package stage makes it.
type Image string

// The images.
const (
	None     Image = ""         // the application itself
	Sidecar  Image = "nginx"    // images/nginx
	Pattern  Image = "pattern"  // the sidecar's base image with the pattern's files
	Packages Image = "packages" // HAProxy and Caddy of a Debian suite
	Traefik  Image = "traefik"  // built from the Go module proxy
)

// Opponent is one way to the application.
type Opponent struct {
	Name    string // in flags and files
	Title   string // in tables
	Image   Image
	Files   []string // in config/; each is a template of a Variant
	Command string   // for sh, with the files below /bench
	Env     []string
	Root    bool   // its image wants to start as root
	Version string // a command that prints it
	Socket  bool   // can reach the application through a Unix socket
	TLS     bool   // can take TLS
	Static  bool   // can serve files itself
	Logs    bool   // writes an access log
	About   string // one sentence for the document
}

// Direct is the application without anything before it.
const Direct = "direct"

// Ours is the sidecar.
const Ours = "ours"

// Published is AWS's pattern. Its file is the one of the sidecar's own tests.
const Published = "pattern"

// Control is what forwards and does nothing else of the job.
const Control = "bare"

// All are the opponents, in the order of the tables.
var All = []Opponent{
	{
		Name: Direct, Title: "direct", Version: "node --version",
		About: "the sample application (Express on Node) without a proxy",
	},
	{
		Name: Ours, Title: "**ours**", Image: Sidecar, Command: "exec /usr/local/bin/sidecar", Version: "nginx -v 2>&1",
		TLS: true, Static: true, Logs: true,
		About: "the sidecar as it ships, with its defaults",
	},
	{
		Name: Published, Title: "pattern's directives", Image: Pattern, Root: true, Logs: true, Version: "nginx -v 2>&1",
		Command: `exec nginx -c /bench/pattern.conf -g "daemon off;"`,
		About:   "the directives that AWS's pattern documents, on the sidecar's NGINX",
	},
	{
		Name: Control, Title: "bare proxy_pass", Image: Pattern, Root: true, Files: []string{"bare.conf"}, Version: "nginx -v 2>&1",
		Command: `exec nginx -c /bench/bare.conf -g "daemon off;"`, Socket: true, TLS: true, Static: true,
		About: "a control: the sidecar's NGINX, which only forwards, without checks, headers, compression and log",
	},
	{
		Name: "haproxy", Title: "HAProxy", Image: Packages, Files: []string{"haproxy.cfg"}, Version: "haproxy -v | head -1",
		Command: "exec haproxy -db -f /bench/haproxy.cfg", Socket: true, TLS: true, Logs: true,
		About: "from Debian's testing suite, configured for the sidecar's job",
	},
	{
		Name: "caddy", Title: "Caddy", Image: Packages, Files: []string{"Caddyfile"}, Version: "caddy version",
		Command: "exec caddy run --adapter caddyfile --config /bench/Caddyfile", Env: []string{"GOMAXPROCS=1", "HOME=/tmp"},
		Socket: true, TLS: true, Static: true, Logs: true,
		About: "from Debian's testing suite, configured for the sidecar's job",
	},
	{
		Name: "traefik", Title: "Traefik", Image: Traefik, Files: []string{"traefik.yml", "traefik.routes.yml"}, Version: "traefik version",
		Command: "exec traefik --configFile=/bench/traefik.yml", Env: []string{"GOMAXPROCS=1"},
		TLS: true, Logs: true,
		About: "built from the Go module proxy, configured for as much of the sidecar's job as it can do",
	},
}

// Find is the opponent of a name.
func Find(name string) (Opponent, bool) {
	for _, o := range All {
		if o.Name == name {
			return o, true
		}
	}
	return Opponent{}, false
}

// Variant is an opponent as it runs in one container.
type Variant struct {
	Opponent string // name
	Port     int    // it listens here
	Socket   bool   // reaches the application through a Unix socket
	TLS      bool   // takes TLS
	Cache    bool   // keeps answers for a second, where the application allows it
	Static   bool   // serves the files of StaticPath itself
	// Dropped are the headers that the sidecar keeps from the application.
	Dropped []string
}

// Name tells the variant from the others of the same opponent.
func (v Variant) Name() string {
	name := v.Opponent
	if v.Socket {
		name += "-socket"
	}
	if v.TLS {
		name += "-tls"
	}
	if v.Cache {
		name += "-cache"
	}
	if v.Static {
		name += "-static"
	}
	return name
}

// Static files are below StaticPath, in the directory StaticRoot of whoever serves them.
const (
	StaticPath = "/static"
	StaticRoot = "/srv/static/1"
)

// Script is a file of 20 kB as bundlers write them, and its compressed form, which a build leaves beside it.
func Script() (plain, zipped []byte) {
	var text bytes.Buffer
	for i := 0; text.Len() < 20_000; i++ {
		fmt.Fprintf(&text, "export const f%d=(a,b)=>a.items.filter(e=>e.id===%d&&e.price>b.limit).map(e=>({...e,total:e.price*%d,label:`${e.name} #%x`}));\n",
			i, i*7919%10007, i%17+1, i*104729)
	}
	plain = text.Bytes()[:20_000]
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(plain)
	if err = errors.Join(err, w.Close()); err != nil {
		panic(err) // into memory
	}
	return plain, b.Bytes()
}

// Render fills in a file of config/.
func (v Variant) Render(file string) ([]byte, error) {
	text, err := configs.ReadFile("config/" + file)
	if err != nil {
		return nil, err
	}
	t, err := template.New(file).Funcs(template.FuncMap{"lower": strings.ToLower}).Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, v); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return b.Bytes(), nil
}

// App is the application's program for the benchmark.
func App() []byte {
	text, err := configs.ReadFile("config/app.js")
	if err != nil {
		panic(err) // embedded
	}
	return text
}
