package infra_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra"
	"fargate-nginx-sidecar/infra/infratest"
)

const (
	certificate = "aws:acm/certificate:Certificate"
	validation  = "aws:acm/certificateValidation:CertificateValidation"

	listenerRule = "aws:lb/listenerRule:ListenerRule"
)

func TestACertificateIsValidatedInTheZoneBeforeTheListenerUsesIt(t *testing.T) {
	graph := run(t, defaults(t, encrypted))
	requested, validated := one(t, graph, certificate), one(t, graph, validation)
	if at(t, requested, "domainName") != "www.example.com" || at(t, requested, "validationMethod") != "DNS" {
		t.Errorf("certificate: %v", requested.Inputs)
	}

	proof := graph.Outputs[requested.URN]["domainValidationOptions"].ArrayValue()[0].ObjectValue()
	made := named(t, graph, record, "www.example.com-proof")
	for input, want := range map[string]any{
		"zoneId": encrypted["domain.zone"], "name": proof["resourceRecordName"].StringValue(),
		"type": "CNAME", "records": []any{proof["resourceRecordValue"].StringValue()},
	} {
		if got := at(t, made, input); !reflect.DeepEqual(got, want) {
			t.Errorf("record of the certificate: %s is %v; want %v", input, got, want)
		}
	}

	arn := graph.Outputs[requested.URN]["arn"].StringValue()
	if at(t, validated, "certificateArn") != arn || !slices.Contains(validated.DependsOn, made.URN) {
		t.Errorf("validation of %v waits for %v", at(t, validated, "certificateArn"), validated.DependsOn)
	}
	secure := named(t, graph, listener, "web-https")
	if at(t, secure, "certificateArn") != arn || !slices.Contains(secure.DependsOn, validated.URN) {
		t.Errorf("listener with %v waits for %v; want the certificate, once it is validated", at(t, secure, "certificateArn"), secure.DependsOn)
	}
}

func TestFurtherNamesGetWhatTheDomainGets(t *testing.T) {
	graph := run(t, stackSettings(t, "prod", dualstack))
	requested := one(t, graph, certificate)
	if names := at(t, requested, "subjectAlternativeNames"); !reflect.DeepEqual(names, []any{"example.com"}) {
		t.Errorf("the certificate is also for %v", names)
	}

	proved := map[string]string{}
	for _, proof := range graph.Outputs[requested.URN]["domainValidationOptions"].ArrayValue() {
		proved[proof.ObjectValue()["domainName"].StringValue()] = proof.ObjectValue()["resourceRecordName"].StringValue()
	}
	var got []string
	for _, r := range graph.OfType(record) {
		got = append(got, at(t, r, "type").(string)+" "+at(t, r, "name").(string))
	}
	want := []string{
		"A www.example.com", "AAAA www.example.com", "A example.com", "AAAA example.com",
		"CNAME " + proved["www.example.com"], "CNAME " + proved["example.com"],
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("records:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if records := at(t, one(t, graph, validation), "validationRecordFqdns"); len(records.([]any)) != 2 {
		t.Errorf("the validation waits for %v; want both names", records)
	}
	if kind := at(t, one(t, graph, loadBalancer), "ipAddressType"); kind != "dualstack" {
		t.Errorf("address type %v", kind)
	}
}

func TestListenersAreThoseOfTheSettings(t *testing.T) {
	const http, https, redirect = "HTTP 80 forward", "HTTPS 443 forward", "HTTP 80 redirect"
	given := map[string]string{"domain.certificate": certificateARN}
	for name, test := range map[string]struct {
		settings map[string]string
		want     []string
	}{
		"plain":                 {nil, []string{http}},
		"name and zone":         {encrypted, []string{redirect, https}},
		"certificate":           {given, []string{redirect, https}},
		"certificate, 443 only": {map[string]string{"domain.certificate": certificateARN, "ingress.http": "false"}, []string{https}},
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

func TestTheDomainPointsToTheLoadBalancer(t *testing.T) {
	graph := run(t, defaults(t, encrypted))
	balancer := graph.Outputs[one(t, graph, loadBalancer).URN]
	want := map[string]any{
		"name": balancer["dnsName"].StringValue(), "zoneId": balancer["zoneId"].StringValue(), "evaluateTargetHealth": false,
	}
	alias := named(t, graph, record, "www.example.com")
	if at(t, alias, "name") != "www.example.com" || at(t, alias, "type") != "A" || !reflect.DeepEqual(at(t, alias, "aliases", 0), want) {
		t.Errorf("alias: %v; want www.example.com to %v", alias.Inputs, want)
	}

	elsewhere := run(t, defaults(t, map[string]string{"domain.name": "www.example.com", "domain.certificate": certificateARN}))
	if records := elsewhere.OfType(record); len(records) != 0 {
		t.Errorf("records %v without a zone", records)
	}
}

// The engine creates the replacement of a record before it deletes the old one, and the deletion goes by the record's
// name, so it would remove the new record too. A service with another name must therefore keep what belongs to the domain.
func TestAnotherServiceNameKeepsWhatBelongsToTheDomain(t *testing.T) {
	ofDomain := func(name string) []string {
		settings := maps.Clone(encrypted)
		settings["serviceName"] = name
		graph := run(t, defaults(t, settings))
		var urns []string
		for _, r := range slices.Concat(graph.OfType(certificate), graph.OfType(validation), graph.OfType(record)) {
			urns = append(urns, r.URN)
		}
		return urns
	}
	if before, after := ofDomain("web"), ofDomain("shop"); len(before) != 4 || !slices.Equal(before, after) {
		t.Errorf("before: %v\nafter: %v", before, after)
	}
}

// When a new service takes over, its tasks come first, then the listener rule, and finally the DNS record.
func TestClientsAreSentToAServiceOnlyWhenItIsReady(t *testing.T) {
	forEveryShape(t, func(t *testing.T, _ map[string]string, graph *infratest.Graph) {
		service := one(t, graph, ecsService)
		if len(graph.OfType(listenerRule)) == 0 {
			route := one(t, graph, apiRoute)
			if at(t, route, "routeKey") != "$default" || !slices.Contains(route.DependsOn, service.URN) {
				t.Errorf("route %v waits for %v; want the service among them", route.Inputs, route.DependsOn)
			}
			return
		}
		rule := named(t, graph, listenerRule, service.Name+"-traffic")
		forwarding, conditions := infratest.SharedListener, []any{onHosts("*.example.com", "shop.example.com"), onPaths("/api/*")}
		for _, l := range graph.OfType(listener) {
			actions := at(t, l, "defaultActions").([]any)
			if actions[len(actions)-1].(map[string]any)["type"] == "forward" {
				forwarding, conditions = graph.Outputs[l.URN]["arn"].StringValue(), []any{onPaths("/*")}
			}
		}
		if at(t, rule, "listenerArn") != forwarding || !reflect.DeepEqual(at(t, rule, "conditions"), conditions) ||
			at(t, rule, "actions", 0, "targetGroupArn") != graph.Outputs[one(t, graph, targetGroup).URN]["arn"].StringValue() {
			t.Errorf("rule: %v", rule.Inputs)
		}
		if !slices.Contains(rule.DependsOn, service.URN) {
			t.Errorf("the rule waits for %v; want the service among them", rule.DependsOn)
		}
		for _, r := range graph.OfType(record) {
			if at(t, r, "type") == "A" && !slices.Contains(r.DependsOn, rule.URN) {
				t.Errorf("the record waits for %v; want the rule among them", r.DependsOn)
			}
		}
	})
}

func onHosts(values ...any) map[string]any {
	return map[string]any{"hostHeader": map[string]any{"values": values}}
}

func onPaths(values ...any) map[string]any {
	return map[string]any{"pathPattern": map[string]any{"values": values}}
}

func TestTheURLHasTheNameOfTheCertificate(t *testing.T) {
	for url, settings := range map[string]map[string]string{
		"https://www.example.com":  encrypted,
		"https://shop.example.com": {"domain.name": "shop.example.com", "domain.certificate": certificateARN},
	} {
		if got := outputs(t, defaults(t, settings)); got["url"] != url || got["healthUrl"] != url+"/" {
			t.Errorf("%s, %s; want %s", got["url"], got["healthUrl"], url)
		}
	}
	if got := outputs(t, defaults(t, map[string]string{"domain.certificate": certificateARN}))["url"]; got[:16] != "https://web-alb-" {
		t.Errorf("url %s; want the load balancer's own name", got)
	}
}

// Adding or removing one source must not touch the rules of the others.
func TestEachSourceOfClientsHasARuleOfItsOwn(t *testing.T) {
	rules := func(cidrs string) map[string]infratest.Resource {
		all := map[string]infratest.Resource{}
		for _, r := range run(t, defaults(t, map[string]string{"ingress.clients": cidrs})).OfType(ingressRule) {
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

func TestPrivateSubnetsReachS3WithoutPaying(t *testing.T) {
	for egress, interfaces := range map[string][]string{
		"nat-per-az": nil, "nat-single": nil, "public": nil,
		"endpoints": {"ecr.api", "ecr.dkr", "logs", "secretsmanager", "ssm", "ssmmessages"},
	} {
		t.Run(egress, func(t *testing.T) {
			graph := run(t, defaults(t, map[string]string{
				"network.kind": "large", "network.egress": egress, "task.exec": "true", "app.secrets": `{"TOKEN":"secretsmanager:token"}`,
			}))
			made := graph.Outputs[one(t, graph, vpc).URN]
			var names []string
			for _, r := range graph.OfType(vpcEndpoint) {
				if at(t, r, "vpcId") != made["vpcId"].StringValue() {
					t.Errorf("%s is in VPC %v", r.Name, at(t, r, "vpcId"))
				}
				name, _ := strings.CutPrefix(at(t, r, "serviceName").(string), "com.amazonaws.eu-central-1.")
				if at(t, r, "vpcEndpointType") == "Gateway" {
					if tables := at(t, r, "routeTableIds").([]any); name != "s3" || len(tables) != 2 {
						t.Errorf("gateway endpoint of %s in route tables %v; want S3 in both", name, tables)
					}
					continue
				}
				names = append(names, name)
				if at(t, r, "privateDnsEnabled") != true || !reflect.DeepEqual(at(t, r, "subnetIds"), made["privateSubnetIds"].Mappable()) {
					t.Errorf("endpoint of %s: %v", name, r.Inputs)
				}
			}
			slices.Sort(names)
			if !slices.Equal(names, interfaces) {
				t.Errorf("interface endpoints of %v; want %v", names, interfaces)
			}
			if got, want := len(graph.OfType(vpcEndpoint)), len(interfaces)+1; got != want {
				t.Errorf("%d endpoints; want %d, of which one leads to S3", got, want)
			}
		})
	}
	if endpoints := run(t, defaults(t, nil)).OfType(vpcEndpoint); len(endpoints) != 0 {
		t.Errorf("a network without private subnets has endpoints %v", endpoints)
	}
}

// statements returns a bucket policy's statements by their ids.
func statements(t *testing.T, text string) map[string]any {
	t.Helper()

	var document struct{ Statement []map[string]any }
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		t.Fatal(err)
	}
	byID := map[string]any{}
	for _, statement := range document.Statement {
		byID[statement["Sid"].(string)] = statement
		delete(statement, "Sid")
	}

	return byID
}

const (
	bucket       = "aws:s3/bucketV2:BucketV2"
	bucketPolicy = "aws:s3/bucketPolicy:BucketPolicy"
)

// writes are the statements that let each writer of logs write, and the bucket of each.
var writes = map[string]func(bucket string) map[string]any{
	"web-logs": func(bucket string) map[string]any {
		return map[string]any{"AccessLogs": map[string]any{
			"Effect": "Allow", "Principal": map[string]any{"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
			"Action": []any{"s3:PutObject"}, "Resource": []any{bucket + "/AWSLogs/123456789012/*"},
		}}
	},
	"web-flow-logs": func(bucket string) map[string]any {
		delivery := map[string]any{"Service": "delivery.logs.amazonaws.com"}
		source := map[string]any{"aws:SourceArn": "arn:aws:logs:eu-central-1:123456789012:*"}
		return map[string]any{
			"AWSLogDeliveryWrite": map[string]any{
				"Effect": "Allow", "Principal": delivery, "Action": []any{"s3:PutObject"}, "Resource": []any{bucket + "/AWSLogs/123456789012/*"},
				"Condition": map[string]any{"ArnLike": source, "StringEquals": map[string]any{
					"aws:SourceAccount": "123456789012", "s3:x-amz-acl": "bucket-owner-full-control",
				}},
			},
			"AWSLogDeliveryAclCheck": map[string]any{
				"Effect": "Allow", "Principal": delivery, "Action": []any{"s3:GetBucketAcl"}, "Resource": []any{bucket},
				"Condition": map[string]any{"ArnLike": source, "StringEquals": map[string]any{"aws:SourceAccount": "123456789012"}},
			},
		}
	},
}

// Each writer has a bucket of its own, because AWS overwrites the policy of a flow log's bucket.
func TestTrafficLogsAreWrittenByTheLoadBalancerAndTheVPCAlone(t *testing.T) {
	for name, test := range map[string]struct {
		settings map[string]string
		buckets  []string
	}{
		"both":        {map[string]string{"ingress.accessLogs": "true", "network.flowLogs": "true"}, []string{"web-flow-logs", "web-logs"}},
		"access logs": {map[string]string{"ingress.accessLogs": "true"}, []string{"web-logs"}},
		"flow logs":   {map[string]string{"network.flowLogs": "true"}, []string{"web-flow-logs"}},
		"neither":     {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			graph := run(t, defaults(t, test.settings))
			var buckets []string
			for _, r := range graph.OfType(bucket) {
				buckets = append(buckets, r.Name)
				arn := graph.Outputs[r.URN]["arn"].StringValue()
				want := writes[r.Name](arn)
				want["EncryptedConnectionsOnly"] = map[string]any{
					"Effect": "Deny", "Principal": "*", "Action": []any{"s3:*"}, "Resource": []any{arn, arn + "/*"},
					"Condition": map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}},
				}
				policy := named(t, graph, bucketPolicy, r.Name)
				if got := statements(t, at(t, policy, "policy").(string)); !reflect.DeepEqual(got, want) {
					t.Errorf("policy of %s: %v\nwant: %v", r.Name, got, want)
				}
				if got := at(t, policy, "bucket"); got != graph.IDs[r.URN] {
					t.Errorf("policy of %s is on %v", r.Name, got)
				}
			}
			if !slices.Equal(buckets, test.buckets) {
				t.Errorf("buckets: %v; want %v", buckets, test.buckets)
			}
			if got, want := len(graph.OfType(bucketPolicy)), len(test.buckets); got != want {
				t.Errorf("%d policies; want %d", got, want)
			}
		})
	}
}

// AWS tries the bucket as soon as a writer is told of it, so each writer has to wait for the policy.
func TestTrafficLogsGoToBucketsThatTheirWritersMayWriteTo(t *testing.T) {
	for name, settings := range map[string]map[string]string{
		"both": {"ingress.accessLogs": "true", "network.flowLogs": "true"}, "access logs": {"ingress.accessLogs": "true"}, "flow logs": {"network.flowLogs": "true"},
	} {
		t.Run(name, func(t *testing.T) {
			graph := run(t, defaults(t, settings))
			balancer := one(t, graph, loadBalancer)
			if settings["ingress.accessLogs"] == "true" {
				want := map[string]any{"enabled": true, "bucket": graph.IDs[named(t, graph, bucket, "web-logs").URN]}
				if got := at(t, balancer, "accessLogs"); !reflect.DeepEqual(got, want) ||
					!slices.Contains(balancer.DependsOn, named(t, graph, bucketPolicy, "web-logs").URN) {
					t.Errorf("access logs: %v, after %v", got, balancer.DependsOn)
				}
			} else if at(t, balancer, "accessLogs", "enabled") != false {
				t.Error("the load balancer writes access logs")
			}
			for _, log := range graph.OfType(flowLog) {
				destination := "arn:aws:s3:::" + graph.IDs[named(t, graph, bucket, "web-flow-logs").URN]
				if at(t, log, "logDestination") != destination || at(t, log, "trafficType") != "ALL" ||
					!slices.Contains(log.DependsOn, named(t, graph, bucketPolicy, "web-flow-logs").URN) {
					t.Errorf("flow log: %v, after %v", log.Inputs, log.DependsOn)
				}
			}
			if got, want := len(graph.OfType(flowLog)), map[bool]int{true: 1}[settings["network.flowLogs"] == "true"]; got != want {
				t.Errorf("%d flow logs; want %d", got, want)
			}
		})
	}
}

// In these partitions, load balancers write as an AWS account, which differs from region to region.
func TestAccessLogsInOtherPartitionsAreWrittenByAWSsAccountThere(t *testing.T) {
	for region, want := range map[string]string{
		"cn-north-1": "arn:aws-cn:iam::638102146993:root", "cn-northwest-1": "arn:aws-cn:iam::037604701340:root",
		"us-gov-west-1": "arn:aws-us-gov:iam::048591011584:root", "us-gov-east-1": "arn:aws-us-gov:iam::190560391635:root",
	} {
		there := options(defaults(t, map[string]string{"ingress.accessLogs": "true", "network.flowLogs": "true"}))
		there.Settings["aws:region"] = region
		partition := strings.Split(want, ":")[1]
		there.Answer = func(token string, _ resource.PropertyMap) (resource.PropertyMap, bool) {
			switch token {
			case "aws:index/getPartition:getPartition":
				return resource.PropertyMap{"partition": resource.NewProperty(partition)}, true
			case getZones:
				return infratest.Zones([]string{region + "a", region + "b"}, []string{"cnn1-az1", "cnn1-az2"}), true
			}
			return nil, false
		}
		graph, err := infratest.Run(infra.Program, there)
		if err != nil {
			t.Fatal(err)
		}
		access := statements(t, at(t, named(t, graph, bucketPolicy, "web-logs"), "policy").(string))["AccessLogs"].(map[string]any)
		if got := access["Principal"]; !reflect.DeepEqual(got, map[string]any{"AWS": want}) {
			t.Errorf("%s: access logs are written by %v; want %s", region, got, want)
		}
		// Flow logs come from the same service everywhere, by an ARN of the partition.
		write := statements(t, at(t, named(t, graph, bucketPolicy, "web-flow-logs"), "policy").(string))["AWSLogDeliveryWrite"].(map[string]any)
		source := "arn:" + partition + ":logs:" + region + ":123456789012:*"
		if got := write["Condition"].(map[string]any)["ArnLike"]; !reflect.DeepEqual(got, map[string]any{"aws:SourceArn": source}) ||
			!reflect.DeepEqual(write["Principal"], map[string]any{"Service": "delivery.logs.amazonaws.com"}) {
			t.Errorf("%s: flow logs are written by %v for %v", region, write["Principal"], got)
		}
	}
}

func TestTrafficLogsArePrivateEncryptedAndExpire(t *testing.T) {
	graph := run(t, defaults(t, map[string]string{"ingress.accessLogs": "true", "network.flowLogs": "true", "storage.logRetention": "90d"}))
	for _, made := range graph.OfType(bucket) {
		for token, want := range map[string]map[string]any{
			"aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": {
				"blockPublicAcls": true, "blockPublicPolicy": true, "ignorePublicAcls": true, "restrictPublicBuckets": true,
			},
			"aws:s3/bucketOwnershipControls:BucketOwnershipControls": {"rule": map[string]any{"objectOwnership": "BucketOwnerEnforced"}},
			"aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2": {
				"rules": []any{map[string]any{"applyServerSideEncryptionByDefault": map[string]any{"sseAlgorithm": "AES256"}}},
			},
			"aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2": {"rules": []any{map[string]any{
				"id": "expire", "status": "Enabled", "filter": map[string]any{"prefix": "AWSLogs/"}, "expiration": map[string]any{"days": 90.0},
			}}},
		} {
			want["bucket"] = graph.IDs[made.URN]
			if got := named(t, graph, token, made.Name).Inputs.Mappable(); !reflect.DeepEqual(got, want) {
				t.Errorf("%s of %s: %v; want %v", token, made.Name, got, want)
			}
		}
	}
}

// A destroy deletes what holds data last, so it must not stop there: the protection decides before anything is gone.
func TestWhatHoldsDataGoesWithItsContentUnlessProtected(t *testing.T) {
	for _, test := range []struct {
		protected, force string
		want             bool
	}{
		{"false", "null", true}, {"true", "null", false},
		{"false", "false", false}, {"true", "true", true},
	} {
		graph := run(t, defaults(t, map[string]string{
			"ingress.accessLogs": "true", "network.flowLogs": "true",
			"deployment.deletionProtection": test.protected, "storage.forceDelete": test.force,
		}))
		got := map[string]any{}
		for _, name := range []string{"web-logs", "web-flow-logs"} {
			got[name] = at(t, named(t, graph, bucket, name), "forceDestroy")
		}
		for _, name := range []string{"web-app", "web-nginx"} {
			got[name] = at(t, named(t, graph, repository, name), "forceDelete")
		}
		for name, forced := range got {
			if forced != test.want {
				t.Errorf("protected %s, storage.forceDelete %s: %s goes with its content: %v; want %v", test.protected, test.force, name, forced, test.want)
			}
		}
	}
}

// Somebody else's VPC has somebody else's flow logs.
func TestAnExistingVPCGetsNoFlowLog(t *testing.T) {
	graph := run(t, defaults(t, with(existing, map[string]string{"profile": "prod", "ingress.accessLogs": "false"})))
	if len(graph.OfType(flowLog))+len(graph.OfType(bucket)) != 0 {
		t.Errorf("declared: %v", graph.Types())
	}
}

func TestEndpointsAreRefusedWhereServicesHaveOtherNames(t *testing.T) {
	settings := defaults(t, map[string]string{"network.kind": "large", "network.egress": "endpoints"})
	settings["aws:region"] = "cn-north-1"
	want := []string{"network.egress, aws:region: egress is endpoints, but the services of endpoints have other names in cn-north-1; allowed there: nat-per-az, nat-single, public"}
	if got := refused(t, settings); !slices.Equal(got, want) {
		t.Errorf("error: %v\nwant:  %v", got, want)
	}
}

func TestTheFirewallProtectsTheLoadBalancer(t *testing.T) {
	for waf, made := range map[string]bool{"managed": true, webACLARN: false} {
		graph := run(t, defaults(t, map[string]string{"ingress.firewall": waf}))
		association := one(t, graph, webAssociation)
		want := map[string]any{
			"resourceArn": graph.Outputs[one(t, graph, loadBalancer).URN]["arn"].StringValue(), "webAclArn": webACLARN,
		}
		if made {
			want["webAclArn"] = graph.Outputs[one(t, graph, webACL).URN]["arn"].StringValue()
		} else if len(graph.OfType(webACL))+len(graph.OfType(webLogging)) != 0 {
			t.Error("a web ACL is created although one is given")
		}
		if got := association.Inputs.Mappable(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v; want %v", waf, got, want)
		}
	}
}

func TestTheManagedFirewallLimitsFloodsAndAttacks(t *testing.T) {
	graph := run(t, defaults(t, map[string]string{"ingress.firewall": "managed"}))
	acl, blocks := one(t, graph, webACL), map[string]any{}
	for i, rule := range at(t, acl, "rules").([]any) {
		rule := rule.(map[string]any)
		if rule["priority"] != float64(i) {
			t.Errorf("rule %v has priority %v", rule["name"], rule["priority"])
		}
		blocks[rule["name"].(string)] = rule["statement"]
	}
	group := func(name string) map[string]any {
		return map[string]any{"managedRuleGroupStatement": map[string]any{"name": name, "vendorName": "AWS"}}
	}
	common := group("AWSManagedRulesCommonRuleSet")
	// NGINX enforces the app's limit on bodies; the 8 KB of this rule must not apply.
	common["managedRuleGroupStatement"].(map[string]any)["ruleActionOverrides"] = []any{map[string]any{
		"name": "SizeRestrictions_BODY", "actionToUse": map[string]any{"count": map[string]any{}},
	}}
	want := map[string]any{
		"RateLimit": map[string]any{"rateBasedStatement": map[string]any{
			"limit": 2000.0, "aggregateKeyType": "IP", "evaluationWindowSec": 300.0,
		}},
		"AWSManagedRulesAmazonIpReputationList": group("AWSManagedRulesAmazonIpReputationList"),
		"AWSManagedRulesKnownBadInputsRuleSet":  group("AWSManagedRulesKnownBadInputsRuleSet"),
		"AWSManagedRulesCommonRuleSet":          common,
	}
	if !reflect.DeepEqual(blocks, want) {
		t.Errorf("rules: %v\nwant:  %v", blocks, want)
	}
	if at(t, acl, "scope") != "REGIONAL" || !reflect.DeepEqual(at(t, acl, "defaultAction"), map[string]any{"allow": map[string]any{}}) {
		t.Errorf("web ACL: %v", acl.Inputs)
	}
}

func TestTheFirewallsLogHasTheNameThatAWSAsksForAndNoPasswords(t *testing.T) {
	graph := run(t, defaults(t, map[string]string{"ingress.firewall": "managed", "storage.logRetention": "90d"}))
	group, logging := named(t, graph, logGroup, "aws-waf-logs-web"), one(t, graph, webLogging)
	if at(t, group, "retentionInDays") != 90.0 {
		t.Errorf("log group: %v", group.Inputs)
	}
	want := map[string]any{
		"resourceArn":           graph.Outputs[one(t, graph, webACL).URN]["arn"].StringValue(),
		"logDestinationConfigs": []any{graph.Outputs[group.URN]["arn"].StringValue()},
		"redactedFields": []any{
			map[string]any{"singleHeader": map[string]any{"name": "authorization"}}, map[string]any{"singleHeader": map[string]any{"name": "cookie"}},
		},
	}
	if got := logging.Inputs.Mappable(); !reflect.DeepEqual(got, want) {
		t.Errorf("logging: %v\nwant:    %v", got, want)
	}
}

// The load balancer and NGINX must agree on TLS; otherwise no target ever becomes healthy.
func TestTargetTLSChangesLoadBalancerAndNGINXTogether(t *testing.T) {
	for setting, want := range map[string]struct{ protocol, nginx string }{"false": {"HTTP", "off"}, "true": {"HTTPS", "on"}} {
		graph := run(t, defaults(t, map[string]string{"ingress.targetTls": setting}))
		group := one(t, graph, targetGroup)
		if at(t, group, "protocol") != want.protocol || at(t, group, "healthCheck", "protocol") != want.protocol {
			t.Errorf("%s: the target group has %v, its check %v", setting, at(t, group, "protocol"), at(t, group, "healthCheck", "protocol"))
		}
		if got := environment(containers(t, graph)["nginx"])["NGINX_TLS"]; got != want.nginx {
			t.Errorf("%s: NGINX_TLS is %q", setting, got)
		}
	}
}

// Only the owner of a listener can encrypt it, and API Gateway always does: a warning that nobody can act on hides others.
func TestOnlyAnOwnLoadBalancerWithoutCertificateIsWarnedOf(t *testing.T) {
	for name, test := range map[string]struct {
		settings map[string]string
		want     int
	}{
		"own": {nil, 1}, "own with a domain": {encrypted, 0}, "shared": {behindAnother, 0}, "API": {behindAPI, 0},
	} {
		var got []string
		_, err := infratest.Run(func(ctx *pulumi.Context) error {
			settings, err := infra.Read(ctx)
			if err == nil {
				got = infra.Doubtful(true, settings)
			}
			return err
		}, options(defaults(t, test.settings)))
		if err != nil || len(got) != test.want {
			t.Errorf("%s: warnings %q, error %v; want %d", name, got, err, test.want)
		}
	}
}

// AWS would refuse the rules one after the other, with half of the stack in place.
func TestMoreClientsThanASecurityGroupTakesAreRefused(t *testing.T) {
	list := func(name, owner string, entries float64) resource.PropertyMap {
		return resource.PropertyMap{
			"name": resource.NewProperty(name), "ownerId": resource.NewProperty(owner),
			"addressFamily": resource.NewProperty("IPv4"), "maxEntries": resource.NewProperty(entries),
		}
	}
	cloudFront := list("com.amazonaws.global.cloudfront.origin-facing", "AWS", 0)
	const out = ", ingress.http: false (55 rules)"
	for name, test := range map[string]struct {
		settings map[string]string
		list     resource.PropertyMap
		quota    float64
		want     string
	}{
		"CloudFront and the redirect":         {with(encrypted, someList), cloudFront, 60, "110 rules in the load balancer's security group, whose quota is 60"},
		"the way out":                         {with(encrypted, someList), cloudFront, 60, "allowed: fewer ranges" + out + ", or a higher quota: aws service-quotas request-service-quota-increase --service-code vpc --quota-code L-0EA8095F --desired-value 110"},
		"the way out taken":                   {with(with(encrypted, someList), map[string]string{"ingress.http": "false"}), cloudFront, 60, ""},
		"without TLS":                         {someList, cloudFront, 60, ""},
		"a higher quota":                      {with(encrypted, someList), cloudFront, 110, ""},
		"a list of AWS's that counts as one":  {with(encrypted, someList), list("com.amazonaws.eu-central-1.s3", "AWS", 0), 60, ""},
		"a list of one's own, with its limit": {with(encrypted, someList), list("cloudfront.origin-facing", "123456789012", 31), 60, "62 rules"},
		"many ranges":                         {with(encrypted, map[string]string{"ingress.clients": manyRanges(31)}), nil, 60, "62 rules"},
		"not too many":                        {with(encrypted, map[string]string{"ingress.clients": manyRanges(30)}), nil, 60, ""},
	} {
		t.Run(name, func(t *testing.T) {
			there := options(defaults(t, test.settings))
			there.Answer = func(token string, _ resource.PropertyMap) (resource.PropertyMap, bool) {
				if token == "aws:servicequotas/getServiceQuota:getServiceQuota" {
					return resource.PropertyMap{"value": resource.NewProperty(test.quota)}, true
				}
				return test.list, test.list != nil && token == "aws:ec2/getManagedPrefixList:getManagedPrefixList"
			}
			graph, err := infratest.Run(infra.Program, there)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("error: %v; want …%s…", err, test.want)
			}
			if err != nil && len(graph.OfType(dockerImage)) > 0 {
				t.Error("images are built before that")
			}
		})
	}
}

var someList = map[string]string{"ingress.clients": `["pl-0123456789abcdef0"]`}

func manyRanges(count int) string {
	ranges := make([]string, count)
	for i := range ranges {
		ranges[i] = fmt.Sprintf(`"203.0.%d.0/24"`, i)
	}

	return "[" + strings.Join(ranges, ",") + "]"
}

// Without the setting the target group has no such attribute, as before.
func TestAClientStaysWithItsTaskWhereTheIngressIsSticky(t *testing.T) {
	plain := one(t, run(t, defaults(t, nil)), targetGroup)
	if _, given := plain.Inputs["stickiness"]; given {
		t.Errorf("by default: %v", plain.Inputs["stickiness"])
	}
	group := one(t, run(t, defaults(t, map[string]string{"ingress.sticky": "1h"})), targetGroup)
	for name, want := range map[string]any{"type": "lb_cookie", "enabled": true, "cookieDuration": 3600.0} {
		if got := at(t, group, "stickiness", name); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}
