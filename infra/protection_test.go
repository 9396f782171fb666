package infra_test

import (
	"slices"
	"strings"
	"testing"

	"fargate-nginx-sidecar/infra/infratest"
)

// What serves clients, or holds data that nothing could restore.
var protected = []string{
	cluster, ecsService, loadBalancer, targetGroup, listener, listenerRule, record, certificate, logGroup, vpc, bucket, repository,
}

// The engine refuses to delete or replace protected resources, so a destroy stops in its preview, before it touches
// anything. But what every deployment replaces must not be protected.
func TestDeletionProtectionCoversWhatServesClientsAndNothingElse(t *testing.T) {
	settings := map[string]string{"deployment.deletionProtection": "true", "ingress.accessLogs": "true", "ingress.firewall": "managed", "network.flowLogs": "true", "domain.name": "www.example.com", "domain.zone": "Z111"}
	for _, r := range run(t, defaults(t, settings)).Resources {
		want := slices.Contains(protected, r.Type)
		switch r.Name {
		case "web-http", "www.example.com-proof":
			want = false // A listener that redirects; a record that serves the certificate's renewal.
		}
		if (r.Custom || r.Remote) && r.Protect != want {
			t.Errorf("%s: protected %v; want %v", r.URN, r.Protect, want)
		}
	}
	withoutTLS := named(t, run(t, defaults(t, map[string]string{"deployment.deletionProtection": "true"})), listener, "web-http")
	if !withoutTLS.Protect {
		t.Error("the listener that forwards to the tasks is not protected")
	}

	settings["deployment.deletionProtection"] = "false"
	if slices.ContainsFunc(run(t, defaults(t, settings)).Resources, func(r infratest.Resource) bool { return r.Protect }) {
		t.Error("something is protected without deletionProtection")
	}
}

// ACM renews every certificate of a name by one record, also those of other stacks. So no stack deletes it, and it deletes
// everything else.
func TestOnlyValidationRecordsOutliveTheStack(t *testing.T) {
	for _, way := range []map[string]string{nil, behindAPI} {
		for _, r := range run(t, defaults(t, with(encrypted, way))).Resources {
			if want := r.Type == record && strings.HasSuffix(r.Name, "-proof"); r.RetainOnDelete != want {
				t.Errorf("%s: kept when the stack is destroyed: %v; want %v", r.URN, r.RetainOnDelete, want)
			}
		}
	}
}
