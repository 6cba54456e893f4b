//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"fairbridge/pkg/stack"
)

// repairStack does to a deployed stack what the emulator should have done. It returns the
// stack, and the id of the event source mapping of its work queue.
func (w *world) repairStack(ctx context.Context, name string) (s stack.Stack, mapping string, err error) {
	if s, err = stack.Describe(ctx, w.cloudformation, name); err != nil {
		return s, "", err
	}
	if err := w.makeRoutes(ctx, s); err != nil {
		return s, "", err
	}
	if err := w.openQueues(ctx, s); err != nil {
		return s, "", err
	}
	// The emulator makes a table without its time to live and its backups. They are added
	// with the commands that people are given.
	if _, err := w.addLacks(ctx, s.LedgerTable); err != nil {
		return s, "", err
	}
	mapping, err = w.repairMappings(ctx, name)
	return s, mapping, err
}

// makeRoutes makes the routes of the HTTP API as CloudFormation does. The emulator makes
// none from the OpenAPI document in Body.
func (w *world) makeRoutes(ctx context.Context, s stack.Stack) error {
	out, err := w.cloudformation.GetTemplate(ctx, &cloudformation.GetTemplateInput{
		StackName: &s.Name, TemplateStage: types.TemplateStageProcessed,
	})
	if err != nil {
		return err
	}
	var template struct {
		Resources struct {
			WebhookApi struct {
				Properties struct {
					Body struct {
						Paths map[string]map[string]struct {
							Integration struct {
								PayloadFormatVersion string
								URI                  map[string]string
							} `json:"x-amazon-apigateway-integration"`
						}
					}
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(aws.ToString(out.TemplateBody)), &template); err != nil {
		return err
	}
	api, _, _ := strings.Cut(strings.TrimPrefix(s.WebhookURL, "https://"), ".")
	function := "arn:aws:lambda:" + region + ":000000000000:function:" + s.Name + "-ingest"
	paths := template.Resources.WebhookApi.Properties.Body.Paths
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		for method, operation := range paths[path] {
			if uri := operation.Integration.URI["Fn::Sub"]; !strings.Contains(uri, "${IngestFunction.Arn}") {
				return fmt.Errorf("%s %s leads to %q", method, path, uri)
			}
			var integration struct{ IntegrationId string }
			err := w.aws(ctx, &integration, "apigatewayv2", "create-integration", "--api-id", api, "--integration-type", "AWS_PROXY",
				"--payload-format-version", operation.Integration.PayloadFormatVersion,
				"--integration-uri", "arn:aws:apigateway:"+region+":lambda:path/2015-03-31/functions/"+function+"/invocations")
			if err != nil {
				return err
			}
			key := strings.ToUpper(strings.Replace(method, "x-amazon-apigateway-any-method", "any", 1)) + " " + path
			if path == "/$default" {
				key = "$default"
			}
			err = w.aws(ctx, nil, "apigatewayv2", "create-route", "--api-id", api, "--route-key", key,
				"--target", "integrations/"+integration.IntegrationId)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// openQueues removes the queues' policy that refuses plain HTTP: the emulator enforces it,
// and supports nothing but plain HTTP. TestQueuesRefusePlainHTTP restores it.
func (w *world) openQueues(ctx context.Context, s stack.Stack) error {
	for _, url := range []string{s.WorkQueueURL, s.FilesQueueURL, s.DeadLetterQueueURL} {
		out, err := w.sqs.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
			QueueUrl: &url, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNamePolicy},
		}, overTLS)
		if err != nil {
			return err
		}
		w.queuePolicy = out.Attributes[string(sqstypes.QueueAttributeNamePolicy)]
		if err := w.setPolicy(ctx, url, ""); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) setPolicy(ctx context.Context, queueURL, policy string) error {
	_, err := w.sqs.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{
		QueueUrl: &queueURL, Attributes: map[string]string{string(sqstypes.QueueAttributeNamePolicy): policy},
	}, overTLS)
	return err
}

// overTLS makes the emulator believe that a proxy has terminated TLS.
func overTLS(o *sqs.Options) {
	o.APIOptions = append(o.APIOptions, smithyhttp.AddHeaderValue("X-Forwarded-Proto", "https"))
}

// repairMappings makes the event source mappings' MaximumConcurrency a number: the emulator
// gets it from the template's parameters as text, its poller fails on that, and nothing is
// delivered. It returns the id of the work queue's mapping.
func (w *world) repairMappings(ctx context.Context, stackName string) (id string, err error) {
	var list struct {
		EventSourceMappings []struct {
			UUID           string
			EventSourceArn string
			ScalingConfig  struct{ MaximumConcurrency json.Number }
		}
	}
	err = w.aws(ctx, &list, "lambda", "list-event-source-mappings", "--function-name", stackName+"-worker")
	if err != nil {
		return "", err
	}
	if len(list.EventSourceMappings) != 2 {
		return "", fmt.Errorf("the worker has %d event source mappings", len(list.EventSourceMappings))
	}
	for _, mapping := range list.EventSourceMappings {
		if strings.HasSuffix(mapping.EventSourceArn, "-work") {
			id = mapping.UUID
		}
		err := w.aws(ctx, nil, "lambda", "update-event-source-mapping", "--uuid", mapping.UUID,
			"--scaling-config", "MaximumConcurrency="+mapping.ScalingConfig.MaximumConcurrency.String())
		if err != nil {
			return id, err
		}
	}
	return id, nil
}
