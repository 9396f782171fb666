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

		SubjectAlternativeNames: alternatives(args.DomainAliases),
	}, pulumi.Parent(i), pulumi.Protect(args.DeletionProtection), once(name))
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}

	proofs, err := i.proofs(ctx, name, args, certificate)
	if err != nil {
		return nil, err
	}
	valid, err := acm.NewCertificateValidation(ctx, args.Domain, &acm.CertificateValidationArgs{
		CertificateArn:        certificate.Arn,
		ValidationRecordFqdns: proofs,
	}, pulumi.Parent(i), pulumi.Timeouts(&pulumi.CustomTimeouts{Create: "30m"}), once(name))
	if err != nil {
		return nil, fmt.Errorf("validation of the certificate: %w", err)
	}

	return valid.CertificateArn, nil
}

// alternatives leaves the input out if there are no further names, because the provider fills it in with the first one.
func alternatives(names []string) pulumi.StringArrayInput {
	if len(names) == 0 {
		return nil
	}

	return pulumi.ToStringArray(names)
}

// proofs declares the record by which AWS sees that a name of the certificate is ours, for each name.
func (i *Ingress) proofs(ctx *pulumi.Context, name string, args Args, certificate *acm.Certificate) (pulumi.StringArray, error) {
	var all pulumi.StringArray
	for _, host := range append([]string{args.Domain}, args.DomainAliases...) {
		proof := proofOf(certificate, host)
		var opts []pulumi.ResourceOption
		if host == args.Domain {
			opts = append(opts, once(name+"-proof"))
		}
		record, err := route53.NewRecord(ctx, host+"-proof", &route53.RecordArgs{
			ZoneId:  pulumi.String(args.HostedZoneID),
			Name:    proof.ResourceRecordName().Elem(),
			Type:    proof.ResourceRecordType().Elem(),
			Records: pulumi.StringArray{proof.ResourceRecordValue().Elem()},
			Ttl:     pulumi.Int(validationTTL),
			// The record is the same for every certificate of this name in the account: another stack may have made it.
			// https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html
			AllowOverwrite: pulumi.Bool(true),
		}, append(opts, pulumi.Parent(i))...)
		if err != nil {
			return nil, fmt.Errorf("validation record of the certificate: %w", err)
		}
		all = append(all, record.Fqdn)
	}

	return all, nil
}

// proofOf finds what AWS asks for one name of a certificate. The names come back in no particular order.
func proofOf(certificate *acm.Certificate, host string) acm.CertificateDomainValidationOptionOutput {
	return certificate.DomainValidationOptions.ApplyT(func(all []acm.CertificateDomainValidationOption) (acm.CertificateDomainValidationOption, error) {
		for _, option := range all {
			if option.DomainName != nil && *option.DomainName == host {
				return option, nil
			}
		}
		return acm.CertificateDomainValidationOption{}, fmt.Errorf("certificate: AWS asks for no proof of %s", host)
	}).(acm.CertificateDomainValidationOptionOutput)
}

// once names the logical name that a resource has in stacks of earlier versions, so that the engine recognizes it.
func once(name string) pulumi.ResourceOption {
	return pulumi.Aliases([]pulumi.Alias{{Name: pulumi.String(name)}})
}
