package infra_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra"
	"fargate-nginx-sidecar/infra/infratest"
)

const sessionPolicy = "arn:aws:iam::123456789012:policy/session"

// The program's own requests run with the credentials that the provider has. A session that lacks the restrictions of the
// provider's could do more than the person who wrote them allowed.
func TestTheProgramsSessionsAreThoseOfTheProvider(t *testing.T) {
	const role, restrictions = `"roleArn":"arn:aws:iam::123456789012:role/deploy"`, `,"policyArns":["` + sessionPolicy + `"],"sessionName":"review","duration":"30m"`
	same := map[string]string{"PolicyArns.member.1.arn": sessionPolicy, "RoleSessionName": "review", "DurationSeconds": "1800"}
	tags := map[string]string{"Tags.member.1.Key": "team", "Tags.member.1.Value": "shop", "Tags.member.2.Key": "year", "Tags.member.2.Value": "2026"}
	asRole := `{` + role + restrictions + `,"tags":{"team":"shop","year":"2026"}}`
	asIdentity := `{` + role + restrictions + `,"policy":"{}","webIdentityToken":"token"}`

	for name, test := range map[string]struct {
		settings map[string]string
		want     []map[string]string
	}{
		"a role":         {map[string]string{"aws:assumeRole": asRole}, []map[string]string{with(same, tags)}},
		"a web identity": {map[string]string{"aws:assumeRoleWithWebIdentity": asIdentity}, []map[string]string{with(same, map[string]string{"Policy": "{}", "WebIdentityToken": "token"})}},
		"a role by a web identity": {
			map[string]string{"aws:assumeRole": asRole, "aws:assumeRoleWithWebIdentity": asIdentity},
			[]map[string]string{with(same, map[string]string{"WebIdentityToken": "token"}), with(same, tags)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := sessions(t, test.settings)
			if len(got) != len(test.want) {
				t.Fatalf("sessions: %v; want %d", got, len(test.want))
			}
			for i, want := range test.want {
				for key, value := range want {
					if got[i].Get(key) != value {
						t.Errorf("session %d: %s is %q; want %q", i+1, key, got[i].Get(key), value)
					}
				}
			}
		})
	}
}

// sessions are the requests for a session with which the program's client of ECS gets its credentials.
func sessions(t *testing.T, settings map[string]string) (all []url.Values) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if strings.HasPrefix(request.Header.Get("X-Amz-Target"), "AmazonEC2ContainerService") {
			_ = json.NewEncoder(w).Encode(map[string]any{"serviceArns": []string{}})
			return
		}
		if err := request.ParseForm(); err != nil {
			t.Error(err)
		}
		all = append(all, request.PostForm)
		action := request.PostForm.Get("Action")
		fmt.Fprintf(w, `<%[1]sResponse><%[1]sResult><Credentials><AccessKeyId>key</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>`+
			`<SessionToken>session</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></%[1]sResult></%[1]sResponse>`, action)
	}))
	t.Cleanup(server.Close)

	given := with(settings, map[string]string{"aws:endpoints": fmt.Sprintf(`[{"ecs":%q,"sts":%[1]q}]`, server.URL)})
	_, err := infratest.Run(func(ctx *pulumi.Context) error {
		read, err := infra.Read(ctx)
		if err != nil {
			return err
		}
		clients, err := infra.NewClients(ctx.Context(), read)
		if err != nil {
			return err
		}
		_, err = clients.ECS.ListServices(ctx.Context(), &ecs.ListServicesInput{})
		return err
	}, options(defaults(t, given)))
	if err != nil {
		t.Fatal(err)
	}

	return all
}
