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

// declareCertificate returns the ARN of a valid certificate: the given one, or one that is requested and validated here.
//
// Resources that belong to the domain are named after it and not after the service, so that they stay when the service
// gets another name. Otherwise the engine would create a new resource for the same DNS record before it deletes the old
// one, and that deletion would remove the record for both.
func (b *builder) declareCertificate() (pulumi.StringInput, error) {
	if b.CertificateARN != "" {
		return pulumi.String(b.CertificateARN), nil
	}

	certificate, err := acm.NewCertificate(b.ctx, b.Domain, &acm.CertificateArgs{
		DomainName:       pulumi.String(b.Domain),
		ValidationMethod: pulumi.String("DNS"),
		KeyAlgorithm:     pulumi.String("RSA_2048"),

		SubjectAlternativeNames: alternatives(b.DomainAliases),
	}, b.child, pulumi.Protect(b.Protect))
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}

	records, err := b.validationRecords(certificate)
	if err != nil {
		return nil, err
	}
	valid, err := acm.NewCertificateValidation(b.ctx, b.Domain, &acm.CertificateValidationArgs{
		CertificateArn:        certificate.Arn,
		ValidationRecordFqdns: records,
	}, b.child, pulumi.Timeouts(&pulumi.CustomTimeouts{Create: "30m"}))
	if err != nil {
		return nil, fmt.Errorf("validation of the certificate: %w", err)
	}

	return valid.CertificateArn, nil
}

// alternatives leaves the input out if there are no other names, because the provider fills it in with the first one.
func alternatives(names []string) pulumi.StringArrayInput {
	if len(names) == 0 {
		return nil
	}

	return pulumi.ToStringArray(names)
}

// validationRecords declares the DNS validation record of each name of the certificate.
func (b *builder) validationRecords(certificate *acm.Certificate) (pulumi.StringArray, error) {
	var all pulumi.StringArray
	for _, host := range append([]string{b.Domain}, b.DomainAliases...) {
		validation := validationOf(certificate, host)
		record, err := route53.NewRecord(b.ctx, host+"-proof", &route53.RecordArgs{
			ZoneId:  pulumi.String(b.HostedZoneID),
			Name:    validation.ResourceRecordName().Elem(),
			Type:    validation.ResourceRecordType().Elem(),
			Records: pulumi.StringArray{validation.ResourceRecordValue().Elem()},
			Ttl:     pulumi.Int(validationTTL),
			// The record is the same for every certificate of this name in the account: another stack may have made it.
			// https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html
			AllowOverwrite: pulumi.Bool(true),
			// And ACM renews each of those certificates by it, before it expires, so that it outlives the stack.
			// https://docs.aws.amazon.com/acm/latest/userguide/dns-renewal-validation.html
		}, b.child, pulumi.RetainOnDelete(true))
		if err != nil {
			return nil, fmt.Errorf("validation record of the certificate: %w", err)
		}
		all = append(all, record.Fqdn)
	}

	return all, nil
}

// validationOf finds the validation record of one name of a certificate. The names come back in no particular order.
func validationOf(certificate *acm.Certificate, host string) acm.CertificateDomainValidationOptionOutput {
	return certificate.DomainValidationOptions.ApplyT(func(all []acm.CertificateDomainValidationOption) (acm.CertificateDomainValidationOption, error) {
		for _, option := range all {
			if option.DomainName != nil && *option.DomainName == host {
				return option, nil
			}
		}
		return acm.CertificateDomainValidationOption{}, fmt.Errorf("certificate: no validation record of %s", host)
	}).(acm.CertificateDomainValidationOptionOutput)
}
