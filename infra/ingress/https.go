package ingress

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/acm"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// validationTTL is the life of the record that proves the certificate, in seconds. It hardly ever changes.
const validationTTL = 300

// certificate returns the ARN of a certificate that is valid: the given one, or one that is requested and proved.
func (i *Ingress) certificate(ctx *pulumi.Context, name string, args Args) (pulumi.StringInput, error) {
	if args.CertificateARN != "" {
		return pulumi.String(args.CertificateARN), nil
	}

	certificate, err := acm.NewCertificate(ctx, name, &acm.CertificateArgs{
		DomainName:       pulumi.String(args.Domain),
		ValidationMethod: pulumi.String("DNS"),
		KeyAlgorithm:     pulumi.String("RSA_2048"),
	}, pulumi.Parent(i), pulumi.Protect(args.DeletionProtection))
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}

	// One name, so one record.
	proof := certificate.DomainValidationOptions.Index(pulumi.Int(0))
	record, err := route53.NewRecord(ctx, name+"-proof", &route53.RecordArgs{
		ZoneId:  pulumi.String(args.HostedZoneID),
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
	ctx *pulumi.Context, name string, args Args, loadBalancer *lb.LoadBalancer, targets *lb.TargetGroup,
) (*lb.Listener, error) {
	certificate, err := i.certificate(ctx, name, args)
	if err != nil {
		return nil, err
	}
	listener, err := lb.NewListener(ctx, name+"-https", &lb.ListenerArgs{
		LoadBalancerArn: loadBalancer.Arn,
		Port:            pulumi.Int(httpsPort),
		Protocol:        pulumi.String("HTTPS"),
		SslPolicy:       pulumi.String(args.TLSPolicy),
		CertificateArn:  certificate,
		DefaultActions:  lb.ListenerDefaultActionArray{forward(targets)},
	}, pulumi.Parent(i), pulumi.Protect(args.DeletionProtection))
	if err != nil {
		return nil, fmt.Errorf("HTTPS listener: %w", err)
	}

	return listener, nil
}

// alias leads the domain to the load balancer.
func (i *Ingress) alias(ctx *pulumi.Context, name string, args Args, loadBalancer *lb.LoadBalancer) error {
	_, err := route53.NewRecord(ctx, name+"-alias", &route53.RecordArgs{
		ZoneId: pulumi.String(args.HostedZoneID),
		Name:   pulumi.String(args.Domain),
		Type:   pulumi.String("A"),
		Aliases: route53.RecordAliasArray{route53.RecordAliasArgs{
			Name:   loadBalancer.DnsName,
			ZoneId: loadBalancer.ZoneId,
			// There is one place to send clients to; without it, they would get no answer instead of a 503.
			EvaluateTargetHealth: pulumi.Bool(false),
		}},
	}, pulumi.Parent(i), pulumi.Protect(args.DeletionProtection))
	if err != nil {
		return fmt.Errorf("alias record: %w", err)
	}

	return nil
}
