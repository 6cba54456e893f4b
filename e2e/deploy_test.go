//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"fairbridge/pkg/mapping"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/stack"
)

// routes come before those of the shipped fairbridge.yaml.
const routes = `
  # Of a project that Centercode does not know: 404.
  - match: {event: feedback, app: Elsewhere}
    project: ELSEWHERE
    source: testfairy
    fields: {summary: "{{ .text }}", deliveryId: "{{ .deliveryId }}"}
  # With a choice that is not held against the form's: 400.
  - match: {event: feedback, app: Severe}
    project: DEMO
    source: testfairy
    fields: {summary: "{{ .text }}", severity: "{{ .severity }}", deliveryId: "{{ .deliveryId }}"}
  # What the answer's loss means: looked up soon, or left to a person.
  - match: {event: feedback, app: Looked up}
    project: DEMO
    source: testfairy
    fields: {summary: "{{ .text }}", deliveryId: "{{ .deliveryId }}"}
    lookup: {package: deliveries, column: Delivery ID, ticketColumn: Ticket ID, settle: 1s}
  - match: {event: feedback, app: Parked}
    project: DEMO
    source: testfairy
    fields: {summary: "{{ .text }}", deliveryId: "{{ .deliveryId }}"}
`

// writeConfig writes the mapping file that the functions are built with: the
// shipped one, with TestFairy's files on this machine and the routes above.
func (w *world) writeConfig() (path string, err error) {
	shipped, err := os.ReadFile(filepath.Join(w.root, "fairbridge.yaml"))
	if err != nil {
		return "", err
	}
	const list = "\nroutes:\n"
	before, after, found := strings.Cut(string(shipped), list)
	if !found {
		return "", errors.New("fairbridge.yaml has no list of routes")
	}
	text := before + fmt.Sprintf("\nsources: {resolve: {app.testfairy.com: %q}}\n", w.filesURL) + list + routes + after
	path = filepath.Join(w.dir, "fairbridge.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return "", err
	}
	w.config, err = mapping.Load(path)
	return path, err
}

// build makes the command and, as sam build does, the functions.
func (w *world) build(ctx context.Context) error {
	config, err := w.writeConfig()
	if err != nil {
		return err
	}
	if _, err := w.run(ctx, "", nil, "go", "build", "-o", w.dir, "./cmd/fairbridge"); err != nil {
		return err
	}
	_, err = w.run(ctx, "", []string{
		"FAIRBRIDGE_CONFIG=" + config,
		// The template says arm64, and the emulator does not mind: it runs the
		// functions here.
		"LAMBDA_GOARCH=" + runtime.GOARCH,
	}, w.tool("sam", "sam"), "build", "--config-env", "e2e")
	return err
}

func (w *world) deploy(ctx context.Context) error {
	_, err := w.run(ctx, "", nil, w.tool("sam", "sam"), "deploy", "--config-env", "e2e", "--parameter-overrides",
		"SecretsPrefix=/fairbridge-e2e/", "LogRetentionDays=1", "MaximumConcurrency=2", "CentercodeBaseUrl="+w.centercode.URL)
	if err != nil {
		return err
	}
	if w.stack, err = stack.Describe(ctx, w.cloudformation, stackName); err != nil {
		return err
	}
	return errors.Join(w.makeRoutes(ctx), w.mendMapping(ctx))
}

// makeRoutes makes the routes of the HTTP API as CloudFormation does: the
// emulator makes none of the OpenAPI document in Body.
func (w *world) makeRoutes(ctx context.Context) error {
	out, err := w.cloudformation.GetTemplate(ctx, &cloudformation.GetTemplateInput{
		StackName: aws.String(stackName), TemplateStage: types.TemplateStageProcessed,
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
	api, _, _ := strings.Cut(strings.TrimPrefix(w.stack.WebhookURL, "https://"), ".")
	function := "arn:aws:lambda:" + region + ":000000000000:function:" + stackName + "-ingest"
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

// mendMapping makes a number of the event source mapping's MaximumConcurrency:
// from the template's parameter it comes to the emulator as a text, on which its
// poller fails, and nothing is delivered.
func (w *world) mendMapping(ctx context.Context) error {
	var list struct{ EventSourceMappings []struct{ UUID string } }
	err := w.aws(ctx, &list, "lambda", "list-event-source-mappings", "--function-name", stackName+"-worker")
	if err != nil {
		return err
	}
	if len(list.EventSourceMappings) != 1 {
		return fmt.Errorf("the worker has %d event source mappings", len(list.EventSourceMappings))
	}
	w.mapping = list.EventSourceMappings[0].UUID
	return w.aws(ctx, nil, "lambda", "update-event-source-mapping", "--uuid", w.mapping, "--scaling-config", "MaximumConcurrency=2")
}

// The secrets, but for the webhook's token, which is generated. They are in no
// log, no dead letter and no ledger entry.
const (
	firstKey      = "canary-first-centercode-key"
	secondKey     = "canary-second-centercode-key"
	testFairyUser = "owner@example.com"
	testFairyKey  = "canary-testfairy-key"
)

func (w *world) putSecrets(ctx context.Context) error {
	for _, secret := range [][]string{
		{"", secrets.WebhookToken, "--generate"},
		{firstKey, secrets.CentercodeAPIKey},
		{testFairyKey, secrets.TestFairyAPIKey},
	} {
		args := append([]string{"secrets", "put", "--stack", stackName}, secret[1:]...)
		if _, err := w.command(ctx, secret[0], args...); err != nil {
			return err
		}
	}
	return nil
}

// tool is a program out of one of the virtual environments of tools/python.
func (w *world) tool(environment, name string) string {
	return filepath.Join(w.root, ".build", "venv", environment, "bin", name)
}

// aws calls AWS's command, and decodes its answer into answer unless that is nil.
func (w *world) aws(ctx context.Context, answer any, args ...string) error {
	out, err := w.run(ctx, "", nil, w.tool("emulator", "aws"), append(args, "--output", "json")...)
	if err != nil || answer == nil {
		return err
	}
	return json.Unmarshal(out, answer)
}

// command runs the fairbridge command as on a machine that reaches AWS: its exit
// code is in the error.
func (w *world) command(ctx context.Context, stdin string, args ...string) ([]byte, error) {
	return w.run(ctx, stdin, []string{
		"HTTPS_PROXY=" + w.gateway.proxy, "SSL_CERT_FILE=" + w.gateway.certificate, "TESTFAIRY_URL=" + w.filesURL,
	}, filepath.Join(w.dir, "fairbridge"), args...)
}

// run runs a program in the repository and returns its standard output. The
// error has all that it wrote.
func (w *world) run(ctx context.Context, stdin string, environment []string, program string, args ...string) ([]byte, error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = w.root, slices.Concat(w.env, environment)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	if err := cmd.Run(); err != nil {
		return out.Bytes(), fmt.Errorf("%s %s: %w\n%s%s", filepath.Base(program), strings.Join(args, " "), err, out.Bytes(), errs.Bytes())
	}
	return out.Bytes(), nil
}

// environment is the machine's own, without its AWS account.
func environment(dir string) []string {
	own := slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		for _, prefix := range []string{"AWS_", "FAIRBRIDGE_", "TESTFAIRY_", "SAM_CLI_"} {
			if strings.HasPrefix(name, prefix) {
				return true
			}
		}
		return false
	})
	nowhere := filepath.Join(dir, "no-such-file")
	return append(own,
		"AWS_CONFIG_FILE="+nowhere, "AWS_SHARED_CREDENTIALS_FILE="+nowhere, "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ACCESS_KEY_ID="+accountKey, "AWS_SECRET_ACCESS_KEY="+accountSecret, "AWS_REGION="+region, "AWS_DEFAULT_REGION="+region, "AWS_PAGER=",
		"SAM_CLI_TELEMETRY=0", "__SAM_CLI_APP_DIR="+filepath.Join(dir, "sam-home"),
		"NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1",
	)
}
