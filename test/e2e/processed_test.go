//go:build e2e

package e2e

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"fairbridge/pkg/ingest"
)

// TestProcessedTemplate checks the output of AWS's own transform of the template: the
// emulator ignores an HTTP API's document and route settings.
func TestProcessedTemplate(t *testing.T) {
	out, err := bridge.cloudformation.GetTemplate(t.Context(), &cloudformation.GetTemplateInput{
		StackName: aws.String(stackName), TemplateStage: types.TemplateStageProcessed,
	})
	if err != nil {
		t.Fatal(err)
	}
	var processed struct {
		Parameters, Mappings map[string]any
		Resources            map[string]struct {
			Type       string
			Properties map[string]any
		}
	}
	if err := json.Unmarshal([]byte(aws.ToString(out.TemplateBody)), &processed); err != nil {
		t.Fatal(err)
	}
	api := processed.Resources["WebhookApi"].Properties
	paths := api["Body"].(map[string]any)["paths"].(map[string]any)
	if len(paths) != 2 || api["FailOnWarnings"] != true {
		t.Errorf("the API has the paths %v, and fails on warnings: %v", paths, api["FailOnWarnings"])
	}
	for _, path := range []string{ingest.Path, "/$default"} {
		operations, _ := paths[path].(map[string]any)
		operation, _ := operations["x-amazon-apigateway-any-method"].(map[string]any)
		integration, _ := operation["x-amazon-apigateway-integration"].(map[string]any)
		if len(operations) != 1 || integration["type"] != "aws_proxy" || integration["payloadFormatVersion"] != "2.0" || integration["httpMethod"] != "POST" {
			t.Errorf("%s is %v", path, operations)
		}
		if isDefault := operation["isDefaultRoute"] == true; isDefault != (path == "/$default") {
			t.Errorf("%s is the default route: %t", path, isDefault)
		}
	}

	stage := processed.Resources["WebhookApiApiGatewayDefaultStage"].Properties
	want := map[string]any{
		"ThrottlingRateLimit": map[string]any{"Ref": "ThrottleRate"}, "ThrottlingBurstLimit": map[string]any{"Ref": "ThrottleBurst"},
	}
	if !reflect.DeepEqual(stage["DefaultRouteSettings"], want) || stage["StageName"] != "$default" || stage["AutoDeploy"] != true {
		t.Errorf("the stage is %v", stage)
	}
	log, _ := stage["AccessLogSettings"].(map[string]any)
	if !reflect.DeepEqual(log["DestinationArn"], map[string]any{"Fn::GetAtt": []any{"AccessLogs", "Arn"}}) {
		t.Errorf("it logs to %v", log["DestinationArn"])
	}
	if mapping := processed.Resources["WebhookDomainMapping"].Properties; !reflect.DeepEqual(mapping["Stage"], map[string]any{"Ref": "WebhookApiApiGatewayDefaultStage"}) {
		t.Errorf("the domain leads to %v", mapping["Stage"])
	}
	allowed := false // API Gateway may invoke ingest
	for name, r := range processed.Resources {
		if r.Type == "AWS::Lambda::Permission" && r.Properties["Principal"] == "apigateway.amazonaws.com" {
			allowed = allowed || reflect.DeepEqual(r.Properties["FunctionName"], map[string]any{"Ref": "IngestFunction"})
		}
		references(r.Properties, func(to string) {
			_, parameter := processed.Parameters[to]
			_, resource := processed.Resources[to]
			if !parameter && !resource && !strings.HasPrefix(to, "AWS::") {
				t.Errorf("%s refers to %s, which is not there", name, to)
			}
		})
	}
	if !allowed {
		t.Error("API Gateway may not invoke the ingest function")
	}
}

// references visits the names that a part of a template refers to.
func references(part any, visit func(string)) {
	switch part := part.(type) {
	case map[string]any:
		if to, ok := part["Ref"].(string); ok {
			visit(to)
		}
		if to, ok := part["Fn::GetAtt"].([]any); ok {
			visit(to[0].(string))
		}
		for _, value := range part {
			references(value, visit)
		}
	case []any:
		for _, value := range part {
			references(value, visit)
		}
	}
}
