package ingress

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/acm"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// validationTTL is the time to live, in seconds, of the record that validates the certificate. The record hardly ever
// changes.
const validationTTL = 300

// certificate returns the ARN of a valid certificate: the given one, or one that is requested and validated here.
//
// Resources that belong to the domain are named after it and not after the service, so that they stay when the service
// gets another name. Otherwise the engine would create a new resource for the same DNS record before it deletes the old
// one, and that deletion would remove the record for both.
func (i *Ingress) certificate(ctx *pulumi.Context, name string, args Args) (pulumi.StringInput, error) {
	if args.CertificateARN != "" {
		return pulumi.String(args.CertificateARN), nil
	}

	certificate, err := acm.NewCertificate(ctx, args.Domain, &acm.CertificateArgs{
		DomainName:       pulumi.String(args.Domain),
		ValidationMethod: pulumi.String("DNS"),
		KeyAlgorithm:     pulumi.String("RSA_2048"),
	}, pulumi.Parent(i), pulumi.Protect(args.DeletionProtection), once(name))
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}

	// The certificate has one name, so it needs one record.
	proof := certificate.DomainValidationOptions.Index(pulumi.Int(0))
	record, err := route53.NewRecord(ctx, args.Domain+"-proof", &route53.RecordArgs{
		ZoneId:  pulumi.String(args.HostedZoneID),
		Name:    proof.ResourceRecordName().Elem(),
		Type:    proof.ResourceRecordType().Elem(),
		Records: pulumi.StringArray{proof.ResourceRecordValue().Elem()},
		Ttl:     pulumi.Int(validationTTL),
		// The record is the same for every certificate of this name in the account: another stack may have made it.
		// https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html
		AllowOverwrite: pulumi.Bool(true),
	}, pulumi.Parent(i), once(name+"-proof"))
	if err != nil {
		return nil, fmt.Errorf("validation record of the certificate: %w", err)
	}

	valid, err := acm.NewCertificateValidation(ctx, args.Domain, &acm.CertificateValidationArgs{
		CertificateArn:        certificate.Arn,
		ValidationRecordFqdns: pulumi.StringArray{record.Fqdn},
	}, pulumi.Parent(i), pulumi.Timeouts(&pulumi.CustomTimeouts{Create: "30m"}), once(name))
	if err != nil {
		return nil, fmt.Errorf("validation of the certificate: %w", err)
	}

	return valid.CertificateArn, nil
}

// once names the logical name that a resource has in stacks of earlier versions, so that the engine recognizes it.
func once(name string) pulumi.ResourceOption {
	return pulumi.Aliases([]pulumi.Alias{{Name: pulumi.String(name)}})
}
