package ingress

import (
	"errors"
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/acm"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// TLS describes encryption between clients and the load balancer, and the name that clients use.
type TLS struct {
	// Domain is the service's host name. It may be empty if CertificateARN is given.
	Domain string
	// HostedZoneID is the zone that gets the domain's records, or empty for none.
	HostedZoneID string
	// CertificateARN is a certificate that exists; empty: one is requested for Domain and proved in the zone.
	CertificateARN string
	// Policy is the name of a load balancer's security policy.
	Policy string
	// Redirect opens port 80, to send clients from there to port 443.
	Redirect bool
}

func (t TLS) validate() error {
	switch {
	case t.Policy == "":
		return errors.New("TLS without a policy")
	case t.CertificateARN == "" && (t.Domain == "" || t.HostedZoneID == ""):
		return fmt.Errorf("TLS for domain %q in zone %q; allowed: both, or a certificate", t.Domain, t.HostedZoneID)
	case t.HostedZoneID != "" && t.Domain == "":
		return fmt.Errorf("zone %s without a domain", t.HostedZoneID)
	}

	return nil
}

// validationTTL is the life of the record that proves the certificate, in seconds. It hardly ever changes.
const validationTTL = 300

// certificate returns the ARN of a certificate that is valid: the given one, or one that is requested and proved.
func (i *Ingress) certificate(ctx *pulumi.Context, name string, tls TLS) (pulumi.StringInput, error) {
	if tls.CertificateARN != "" {
		return pulumi.String(tls.CertificateARN), nil
	}

	certificate, err := acm.NewCertificate(ctx, name, &acm.CertificateArgs{
		DomainName:       pulumi.String(tls.Domain),
		ValidationMethod: pulumi.String("DNS"),
		KeyAlgorithm:     pulumi.String("RSA_2048"),
	}, pulumi.Parent(i))
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}

	// One name, so one record.
	proof := certificate.DomainValidationOptions.Index(pulumi.Int(0))
	record, err := route53.NewRecord(ctx, name+"-proof", &route53.RecordArgs{
		ZoneId:  pulumi.String(tls.HostedZoneID),
		Name:    proof.ResourceRecordName().Elem(),
		Type:    proof.ResourceRecordType().Elem(),
		Records: pulumi.StringArray{proof.ResourceRecordValue().Elem()},
		Ttl:     pulumi.Int(validationTTL),
		// The record is the same for every certificate of this name in the account: another stack may have made it.
		// https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html
		AllowOverwrite: pulumi.Bool(true),
	}, pulumi.Parent(i))
	if err != nil {
		return nil, fmt.Errorf("record of the certificate: %w", err)
	}

	valid, err := acm.NewCertificateValidation(ctx, name, &acm.CertificateValidationArgs{
		CertificateArn:        certificate.Arn,
		ValidationRecordFqdns: pulumi.StringArray{record.Fqdn},
	}, pulumi.Parent(i), pulumi.Timeouts(&pulumi.CustomTimeouts{Create: "30m"}))
	if err != nil {
		return nil, fmt.Errorf("validation of the certificate: %w", err)
	}

	return valid.CertificateArn, nil
}

func (i *Ingress) httpsListener(
	ctx *pulumi.Context, name string, tls TLS, balancer *lb.LoadBalancer, targets *lb.TargetGroup,
) (*lb.Listener, error) {
	certificate, err := i.certificate(ctx, name, tls)
	if err != nil {
		return nil, err
	}
	listener, err := lb.NewListener(ctx, name+"-https", &lb.ListenerArgs{
		LoadBalancerArn: balancer.Arn,
		Port:            pulumi.Int(httpsPort),
		Protocol:        pulumi.String("HTTPS"),
		SslPolicy:       pulumi.String(tls.Policy),
		CertificateArn:  certificate,
		DefaultActions:  lb.ListenerDefaultActionArray{forward(targets)},
	}, pulumi.Parent(i))
	if err != nil {
		return nil, fmt.Errorf("HTTPS listener: %w", err)
	}

	return listener, nil
}

// alias leads the domain to the load balancer.
func (i *Ingress) alias(ctx *pulumi.Context, name string, tls TLS, balancer *lb.LoadBalancer) error {
	_, err := route53.NewRecord(ctx, name+"-alias", &route53.RecordArgs{
		ZoneId: pulumi.String(tls.HostedZoneID),
		Name:   pulumi.String(tls.Domain),
		Type:   pulumi.String("A"),
		Aliases: route53.RecordAliasArray{route53.RecordAliasArgs{
			Name:   balancer.DnsName,
			ZoneId: balancer.ZoneId,
			// There is one place to send clients to; without it, they would get no answer instead of a 503.
			EvaluateTargetHealth: pulumi.Bool(false),
		}},
	}, pulumi.Parent(i))
	if err != nil {
		return fmt.Errorf("alias record: %w", err)
	}

	return nil
}
