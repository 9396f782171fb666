package emulator

import (
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// callTimeout bounds one call of the AWS API. The slowest, a description of services at the endpoint, waits up to 10 s
// for the scheduler.
const callTimeout = 20 * time.Second

// ownID is in the user agent of the run's own clients, whose requests are no part of what a stack needs.
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-appid.html
const ownID = "local-run"

// OwnAgent is the same for requests without a typed client.
const OwnAgent = "app/" + ownID

// Config is the configuration of every AWS client of the local run: for the emulator, or for the endpoint in front of
// it. Neither checks the credentials.
func Config(url, region string) aws.Config {
	return aws.Config{
		Region:       region,
		BaseEndpoint: aws.String(url),
		Credentials:  credentials.NewStaticCredentialsProvider("local", "local", ""),
		HTTPClient:   &http.Client{Timeout: callTimeout},
		AppID:        ownID,
	}
}

// Address tells the emulator which service of which region a request is for, where no typed client does. It reads both
// from the credential's scope, and checks no signature.
func Address(request *http.Request, region, service string) {
	request.Header.Set("User-Agent", OwnAgent)
	request.Header.Set("Authorization",
		fmt.Sprintf("AWS4-HMAC-SHA256 Credential=local/20000101/%s/%s/aws4_request, SignedHeaders=host, Signature=0", region, service))
}
