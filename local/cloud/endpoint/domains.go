package endpoint

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// domainPath is the path of a host name that API Gateway answers to, or of all of them.
var domainPath = regexp.MustCompile(`^/v2/domainnames(/[^/]+)?$`)

// zoneOfAPIs stands for the hosted zone in which API Gateway keeps the names that a host name is an alias of. AWS has one for
// each region; the record that needs it exists in the emulator only.
const zoneOfAPIs = "ZAPIGATEWAYLOCAL"

// describesDomain says whether an answer describes a host name of API Gateway.
func describesDomain(response *http.Response) bool {
	return response.StatusCode < http.StatusMultipleChoices && domainPath.MatchString(response.Request.URL.Path)
}

// amendDomain adds what the emulator leaves out of a host name: the name and the zone that its DNS record is an alias of. It
// takes out the authentication of clients by certificates where there is none.
// https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/domainnames-domainname.html
func amendDomain(answer map[string]any) {
	if mutual, _ := answer["mutualTlsAuthentication"].(map[string]any); len(mutual) == 0 {
		delete(answer, "mutualTlsAuthentication")
	}
	name, _ := answer["domainName"].(string)
	configurations, _ := answer["domainNameConfigurations"].([]any)
	for _, each := range configurations {
		configuration, isObject := each.(map[string]any)
		if !isObject {
			continue
		}
		arn, _ := configuration["certificateArn"].(string)
		region := strings.Split(arn+":::::", ":")[3]
		configuration["apiGatewayDomainName"] = fmt.Sprintf("d-%.5x.execute-api.%s.amazonaws.com", sha256.Sum256([]byte(name)), region)
		configuration["hostedZoneId"] = zoneOfAPIs
		configuration["domainNameStatus"] = "AVAILABLE"
	}
}
