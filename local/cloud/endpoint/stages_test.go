package endpoint

import (
	"net/http/httptest"
	"testing"

	"fargate-nginx-sidecar/local/cloud/emulator"
	"fargate-nginx-sidecar/local/cloud/emulator/emulatortest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2/types"
)

func TestMain(m *testing.M) { emulatortest.Main(m) }

// apiGateway is a client of an emulator's API Gateway behind an endpoint.
func apiGateway(t *testing.T) *apigatewayv2.Client {
	t.Helper()
	e, err := New(Options{Emulator: emulatortest.Start(t)})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	return apigatewayv2.NewFromConfig(emulator.Config(server.URL, "eu-central-1"))
}

func TestAnUpdatedStageKeepsWhatTheUpdateDoesNotName(t *testing.T) {
	client, ctx := apiGateway(t), t.Context()
	api, err := client.CreateApi(ctx, &apigatewayv2.CreateApiInput{Name: aws.String("shop"), ProtocolType: types.ProtocolTypeHttp})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.CreateStage(ctx, &apigatewayv2.CreateStageInput{
		ApiId: api.ApiId, StageName: aws.String("$default"), AutoDeploy: aws.Bool(true),
		DefaultRouteSettings: &types.RouteSettings{ThrottlingRateLimit: aws.Float64(10), ThrottlingBurstLimit: aws.Int32(5)},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.UpdateStage(ctx, &apigatewayv2.UpdateStageInput{
		ApiId: api.ApiId, StageName: aws.String("$default"), DefaultRouteSettings: &types.RouteSettings{ThrottlingRateLimit: aws.Float64(20), ThrottlingBurstLimit: aws.Int32(5)},
	})
	if err != nil {
		t.Fatal(err)
	}
	stages, err := client.GetStages(ctx, &apigatewayv2.GetStagesInput{ApiId: api.ApiId})
	if err != nil || len(stages.Items) != 1 {
		t.Fatalf("stages: %+v %v", stages, err)
	}
	if got := stages.Items[0]; *got.StageName != "$default" || *got.DefaultRouteSettings.ThrottlingRateLimit != 20 || !aws.ToBool(got.AutoDeploy) {
		t.Errorf("after the update: %+v %+v", got, got.DefaultRouteSettings)
	}
	if _, err := client.UpdateStage(ctx, &apigatewayv2.UpdateStageInput{ApiId: api.ApiId, StageName: aws.String("other")}); err == nil {
		t.Error("a stage that does not exist was updated")
	}
}
