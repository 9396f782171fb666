package awsmodel

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// library is a folder of models: <service>/<version>/service-2.json.gz.
type library struct {
	dir      string
	bySigner map[string][]string // services by the name with which requests to them are signed

	mutex    sync.Mutex
	services map[string]*service // those read so far
}

// service is one service's API.
type service struct {
	name       string
	metadata   metadata
	operations map[string]*operation
	routes     []route // for the REST protocols
}

// metadata is how a service is asked.
type metadata struct {
	APIVersion     string   `json:"apiVersion"`
	EndpointPrefix string   `json:"endpointPrefix"`
	Protocol       protocol `json:"protocol"`
	SigningName    string   `json:"signingName"`
	TargetPrefix   string   `json:"targetPrefix"`
}

// signer is the service's name in a request's credential scope.
func (m metadata) signer() string {
	if m.SigningName != "" {
		return m.SigningName
	}
	return m.EndpointPrefix
}

type protocol string

// The protocols in which AWS services are asked: https://smithy.io/2.0/aws/protocols/index.html
const (
	protocolJSON     protocol = "json"
	protocolQuery    protocol = "query"
	protocolEC2      protocol = "ec2"
	protocolRESTJSON protocol = "rest-json"
	protocolRESTXML  protocol = "rest-xml"
)

// operation is one thing that a service does.
type operation struct {
	name  string
	input *shape
	root  string // name of the XML element around the input
}

// shape is a type: its members, and what its values may be.
type shape struct {
	name string

	Type       string   `json:"type"`
	Required   []string `json:"required"`
	Enum       []string `json:"enum"`
	Pattern    string   `json:"pattern"`
	Min        *float64 `json:"min"` // of a number, or of the length of anything else
	Max        *float64 `json:"max"`
	Flattened  bool     `json:"flattened"`
	Payload    string   `json:"payload"`
	Union      bool     `json:"union"`
	Document   bool     `json:"document"`
	Sensitive  bool     `json:"sensitive"`
	Sparse     bool     `json:"sparse"`
	XMLName    string   `json:"locationName"`
	Members    map[string]*member
	Item       *member `json:"member"` // of a list
	Key, Value *member // of a map

	pattern *pattern
}

// member is a place for a value of a shape.
type member struct {
	ShapeName    string `json:"shape"`
	Location     string `json:"location"`     // uri, querystring, header or headers; else the body
	LocationName string `json:"locationName"` // its name there, where it is another one
	QueryName    string `json:"queryName"`
	Flattened    bool   `json:"flattened"`
	Attribute    bool   `json:"xmlAttribute"`

	shape *shape
}

// wireName is a member's name in all protocols but EC2's.
func (m *member) wireName(name string) string {
	if m.LocationName != "" {
		return m.LocationName
	}
	return name
}

// flat says whether the entries of a list stand beside its owner's other members.
func (m *member) flat() bool { return m.Flattened || m.shape.Flattened }

// openLibrary lists the services in a folder of models. Of each it reads the first lines only.
func openLibrary(dir string) (*library, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*", "*", "service-2.json*"))
	if err != nil {
		return nil, fmt.Errorf("AWS API models: %w", err)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("AWS API models: %s holds no <service>/<version>/service-2.json; it should be the data folder of botocore", dir)
	}
	l := &library{dir: dir, bySigner: map[string][]string{}, services: map[string]*service{}}
	seen := map[string]bool{}
	for _, file := range names {
		name := filepath.Base(filepath.Dir(filepath.Dir(file)))
		if seen[name] {
			continue // another version
		}
		seen[name] = true
		described, err := readMetadata(l.file(name))
		if err != nil {
			return nil, err
		}
		l.bySigner[described.signer()] = append(l.bySigner[described.signer()], name)
	}
	return l, nil
}

// file is the newest version of a service's model.
func (l *library) file(name string) string {
	files, err := filepath.Glob(filepath.Join(l.dir, name, "*", "service-2.json*"))
	if err != nil || len(files) == 0 {
		return filepath.Join(l.dir, name)
	}
	return slices.Max(files) // versions are dates
}

// open returns a model's text, which botocore's wheels carry compressed.
func open(file string) (io.ReadCloser, error) {
	compressed, err := os.Open(file)
	if err != nil || filepath.Ext(file) != ".gz" {
		return compressed, err
	}
	text, err := gzip.NewReader(compressed)
	if err != nil {
		return nil, errors.Join(err, compressed.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{text, compressed}, nil
}

// readMetadata reads a model up to its metadata, which botocore writes at the front.
func readMetadata(file string) (found metadata, err error) {
	text, err := open(file)
	if err != nil {
		return metadata{}, fmt.Errorf("AWS API models: %w", err)
	}
	defer func() { _ = text.Close() }()
	decoder := json.NewDecoder(text)
	if _, err := decoder.Token(); err != nil { // the opening brace
		return metadata{}, fmt.Errorf("AWS API models: %s: %w", file, err)
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return metadata{}, fmt.Errorf("AWS API models: %s: %w", file, err)
		}
		if key == "metadata" {
			if err := decoder.Decode(&found); err != nil {
				return metadata{}, fmt.Errorf("AWS API models: %s: %w", file, err)
			}
			return found, nil
		}
		var skipped json.RawMessage
		if err := decoder.Decode(&skipped); err != nil {
			return metadata{}, fmt.Errorf("AWS API models: %s: %w", file, err)
		}
	}
	return metadata{}, fmt.Errorf("AWS API models: %s has no metadata", file)
}

// service returns a service's model, read at the first call.
func (l *library) service(name string) (*service, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if known, ok := l.services[name]; ok {
		return known, nil
	}
	read, err := readService(name, l.file(name))
	if err != nil {
		return nil, err
	}
	l.services[name] = read
	return read, nil
}

// description is a model file, as far as requests go.
type description struct {
	Metadata   metadata `json:"metadata"`
	Operations map[string]struct {
		HTTP struct {
			Method     string `json:"method"`
			RequestURI string `json:"requestUri"`
		} `json:"http"`
		Input      member `json:"input"`
		Deprecated bool   `json:"deprecated"`
	} `json:"operations"`
	Shapes map[string]*shape `json:"shapes"`
}

func readService(name, file string) (*service, error) {
	text, err := open(file)
	if err != nil {
		return nil, fmt.Errorf("AWS API models: %w", err)
	}
	defer func() { _ = text.Close() }()
	var described description
	if err := json.NewDecoder(text).Decode(&described); err != nil {
		return nil, fmt.Errorf("AWS API models: %s: %w", file, err)
	}
	if err := link(described.Shapes); err != nil {
		return nil, fmt.Errorf("AWS API models: %s: %w", file, err)
	}
	correct(name, described.Shapes)
	s := &service{name: name, metadata: described.Metadata, operations: map[string]*operation{}}
	for name, o := range described.Operations {
		input := described.Shapes[o.Input.ShapeName]
		if input == nil {
			input = &shape{name: name + "Request", Type: "structure"}
		}
		s.operations[name] = &operation{name: name, input: input, root: o.Input.LocationName}
		s.routes = append(s.routes, newRoute(s.operations[name], o.HTTP.Method, o.HTTP.RequestURI))
	}
	// Where two are asked for alike, as PutBucketLifecycle and PutBucketLifecycleConfiguration are, the newer is meant.
	slices.SortFunc(s.routes, func(one, other route) int {
		if old := described.Operations[one.operation.name].Deprecated; old != described.Operations[other.operation.name].Deprecated {
			if old {
				return 1
			}
			return -1
		}
		return strings.Compare(one.operation.name, other.operation.name)
	})
	return s, nil
}

// link replaces names of shapes by the shapes.
func link(shapes map[string]*shape) error {
	for name, s := range shapes {
		s.name = name
		s.pattern = newPattern(s.Pattern)
		for _, m := range append(slices.Collect(maps.Values(s.Members)), s.Item, s.Key, s.Value) {
			if m == nil {
				continue
			}
			if m.shape = shapes[m.ShapeName]; m.shape == nil {
				return fmt.Errorf("shape %s: there is no shape %q", name, m.ShapeName)
			}
		}
	}
	return nil
}
