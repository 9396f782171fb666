package main

import (
	"reflect"
	"slices"
	"testing"

	"fargate-nginx-sidecar/infra/infratest"
)

const (
	certificate = "aws:acm/certificate:Certificate"
	validation  = "aws:acm/certificateValidation:CertificateValidation"
)

func TestACertificateIsProvedInTheZoneBeforeTheListenerUsesIt(t *testing.T) {
	graph := run(t, defaults(t, encrypted))
	requested, proved := one(t, graph, certificate), one(t, graph, validation)
	if at(t, requested, "domainName") != "www.example.com" || at(t, requested, "validationMethod") != "DNS" {
		t.Errorf("certificate: %v", requested.Inputs)
	}

	proof := graph.Outputs[requested.URN]["domainValidationOptions"].ArrayValue()[0].ObjectValue()
	made := named(t, graph, record, "web-proof")
	for input, want := range map[string]any{
		"zoneId": encrypted["hostedZoneId"], "name": proof["resourceRecordName"].StringValue(),
		"type": "CNAME", "records": []any{proof["resourceRecordValue"].StringValue()},
	} {
		if got := at(t, made, input); !reflect.DeepEqual(got, want) {
			t.Errorf("record of the certificate: %s is %v; want %v", input, got, want)
		}
	}

	arn := graph.Outputs[requested.URN]["arn"].StringValue()
	if at(t, proved, "certificateArn") != arn || !slices.Contains(proved.DependsOn, made.URN) {
		t.Errorf("validation of %v waits for %v", at(t, proved, "certificateArn"), proved.DependsOn)
	}
	secure := named(t, graph, listener, "web-https")
	if at(t, secure, "certificateArn") != arn || !slices.Contains(secure.DependsOn, proved.URN) {
		t.Errorf("listener with %v waits for %v; want the certificate, proved", at(t, secure, "certificateArn"), secure.DependsOn)
	}
}

func TestListenersAreThoseOfTheSettings(t *testing.T) {
	const http, https, redirect = "HTTP 80 forward", "HTTPS 443 forward", "HTTP 80 redirect"
	given := map[string]string{"certificateArn": certificateARN}
	for name, test := range map[string]struct {
		settings map[string]string
		want     []string
	}{
		"plain":                 {nil, []string{http}},
		"name and zone":         {encrypted, []string{redirect, https}},
		"certificate":           {given, []string{redirect, https}},
		"certificate, 443 only": {map[string]string{"certificateArn": certificateARN, "http": "none"}, []string{https}},
	} {
		t.Run(name, func(t *testing.T) {
			graph := run(t, defaults(t, test.settings))
			var got []string
			for _, r := range graph.OfType(listener) {
				action := at(t, r, "defaultActions", 0, "type").(string)
				got = append(got, at(t, r, "protocol").(string)+" "+map[any]string{80.0: "80", 443.0: "443"}[at(t, r, "port")]+" "+action)
				if action == "redirect" {
					want := map[string]any{
						"protocol": "HTTPS", "port": "443", "host": "#{host}", "path": "/#{path}", "query": "#{query}", "statusCode": "HTTP_301",
					}
					if to := at(t, r, "defaultActions", 0, "redirect"); !reflect.DeepEqual(to, want) {
						t.Errorf("redirect to %v; want %v", to, want)
					}
				}
				if policy := at(t, r, "sslPolicy"); at(t, r, "protocol") == "HTTPS" && policy != "ELBSecurityPolicy-TLS13-1-2-Res-2021-06" {
					t.Errorf("TLS policy %v", policy)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("listeners: %v; want %v", got, test.want)
			}
			if len(graph.OfType(certificate)) != 0 && test.settings["certificateArn"] != "" {
				t.Error("a certificate is requested although one is given")
			}
		})
	}
}

func TestTheDomainLeadsToTheLoadBalancer(t *testing.T) {
	graph := run(t, defaults(t, encrypted))
	balancer := graph.Outputs[one(t, graph, loadBalancer).URN]
	want := map[string]any{
		"name": balancer["dnsName"].StringValue(), "zoneId": balancer["zoneId"].StringValue(), "evaluateTargetHealth": false,
	}
	alias := named(t, graph, record, "web-alias")
	if at(t, alias, "name") != "www.example.com" || at(t, alias, "type") != "A" || !reflect.DeepEqual(at(t, alias, "aliases", 0), want) {
		t.Errorf("alias: %v; want www.example.com to %v", alias.Inputs, want)
	}

	elsewhere := run(t, defaults(t, map[string]string{"domain": "www.example.com", "certificateArn": certificateARN}))
	if records := elsewhere.OfType(record); len(records) != 0 {
		t.Errorf("records %v without a zone", records)
	}
}

func TestTheURLIsThatOfTheCertificate(t *testing.T) {
	for url, settings := range map[string]map[string]string{
		"https://www.example.com":  encrypted,
		"https://shop.example.com": {"domain": "shop.example.com", "certificateArn": certificateARN},
	} {
		if got := outputs(t, defaults(t, settings)); got["url"] != url || got["healthUrl"] != url+"/" {
			t.Errorf("%s, %s; want %s", got["url"], got["healthUrl"], url)
		}
	}
	if got := outputs(t, defaults(t, map[string]string{"certificateArn": certificateARN}))["url"]; got[:16] != "https://web-alb-" {
		t.Errorf("url %s; want the load balancer's own name", got)
	}
}

// Another source more or less must not touch the rules of the others.
func TestEachSourceOfClientsHasARuleOfItsOwn(t *testing.T) {
	rules := func(cidrs string) map[string]infratest.Resource {
		all := map[string]infratest.Resource{}
		for _, r := range run(t, defaults(t, map[string]string{"clientCidrs": cidrs})).OfType(ingressRule) {
			all[r.URN] = r
		}
		return all
	}
	few, more := rules(`["203.0.113.0/24"]`), rules(`["198.51.100.0/24","203.0.113.0/24"]`)
	for urn, rule := range few {
		if !reflect.DeepEqual(more[urn], rule) {
			t.Errorf("%s changes when another range is added", urn)
		}
	}
	if len(more) != len(few)+1 {
		t.Errorf("%d rules, then %d; want one more", len(few), len(more))
	}
}
