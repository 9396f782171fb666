package existing

import (
	"context"
	"encoding/xml"
	"net/http"
	"regexp"
	"strings"
)

// anyDomain stands for the names of a certificate that no setting says: https://www.rfc-editor.org/rfc/rfc2606
const anyDomain = "www.example.com"

// domains are the service's names.
func (p *provision) domains() []string {
	if domain := p.text("domain.name"); domain != "" {
		return append([]string{domain}, p.texts("domain.aliases")...)
	}
	return nil
}

// hostedZone holds all names of the service.
// https://docs.aws.amazon.com/Route53/latest/APIReference/API_CreateHostedZone.html
func (p *provision) hostedZone() kind {
	const version = "/2013-04-01/hostedzone"
	return kind{
		note: " for " + zoneOf(p.domains()),
		id:   regexp.MustCompile(`^[0-9A-Z]{1,32}$`),
		find: func(ctx context.Context, id string) error {
			return p.caller.XML(ctx, "route53", http.MethodGet, version+"/"+id, nil, &struct{}{})
		},
		make: func(ctx context.Context, _ string, _ int) (string, error) {
			input := struct {
				XMLName               xml.Name `xml:"https://route53.amazonaws.com/doc/2013-04-01/ CreateHostedZoneRequest"`
				Name, CallerReference string
			}{Name: zoneOf(p.domains()), CallerReference: unique()}
			var made struct {
				ID string `xml:"HostedZone>Id"`
			}
			err := p.caller.XML(ctx, "route53", http.MethodPost, version, input, &made)
			return strings.TrimPrefix(made.ID, "/hostedzone/"), err
		},
	}
}

// zoneOf is the name of a zone that holds all these names: what they have in common, without the first label if that
// leaves two.
func zoneOf(domains []string) string {
	if len(domains) == 0 {
		domains = []string{anyDomain}
	}
	common := strings.Split(domains[0], ".")
	for _, domain := range domains[1:] {
		labels := strings.Split(domain, ".")
		n := 0
		for n < min(len(common), len(labels)) && common[len(common)-1-n] == labels[len(labels)-1-n] {
			n++
		}
		common = common[len(common)-n:]
	}
	if len(common) > 2 {
		common = common[1:]
	}
	return strings.Join(common, ".")
}

// https://docs.aws.amazon.com/acm/latest/APIReference/API_RequestCertificate.html
func (p *provision) certificate() kind {
	return kind{
		id: p.arn("acm", `[0-9]{12}`, `certificate/[A-Za-z0-9-]+`),
		find: func(ctx context.Context, id string) error {
			return p.caller.JSON(ctx, "acm", "CertificateManager.DescribeCertificate", map[string]string{"CertificateArn": id}, &struct{}{})
		},
		make: func(ctx context.Context, _ string, _ int) (string, error) { return p.makeCertificate(ctx) },
	}
}

// makeCertificate asks for a certificate, which the emulator issues at once.
func (p *provision) makeCertificate(ctx context.Context) (arn string, err error) {
	input := struct {
		DomainName              string
		SubjectAlternativeNames []string `json:",omitempty"`
		ValidationMethod        string
	}{DomainName: anyDomain, ValidationMethod: "DNS"}
	if domains := p.domains(); len(domains) > 0 {
		input.DomainName, input.SubjectAlternativeNames = domains[0], domains[1:]
	}
	var made struct{ CertificateArn string }
	err = p.caller.JSON(ctx, "acm", "CertificateManager.RequestCertificate", input, &made)
	return made.CertificateArn, err
}
