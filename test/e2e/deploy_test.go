//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"fairbridge/pkg/mapping"
	"fairbridge/pkg/secrets"
)

// routes are the routes that the functions are built with.
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
  # All others.
  - match: {event: feedback}
    project: DEMO
    source: testfairy
    fields:
      submitter: {value: "{{ .email | address }}", omitEmpty: true}
      summary: '{{ .text | firstLine | truncate 120 "…" | default "Feedback" }}'
      description: |
        {{ .text }}
        {{ .appName }} {{ .version }} ({{ .build }}) on {{ .rawDeviceName }}
        {{ range $name, $value := formFields }}
        {{ $name }}: {{ $value }}{{ end }}
      deliveryId: "{{ .deliveryId }}"
    attachments:
      - {from: "{{ .screenshotUrl }}", element: screenshot}
  - match: {event: crash}
    project: DEMO
    source: testfairy
    fields:
      submitter: {value: "{{ .email | address }}", omitEmpty: true}
      summary: '{{ print "Crash: " (firstLine .crashMessage) | truncate 120 "…" }}'
      deliveryId: "{{ .deliveryId }}"
`

// writeConfig writes the mapping file for the functions: TestFairy's files are on this
// machine, and the routes are those above.
func (w *world) writeConfig() (err error) {
	text := fmt.Sprintf("sources: {resolve: {app.testfairy.com: %q}}\nroutes:\n", w.filesURL) + routes
	if err := os.WriteFile(w.configPath(), []byte(text), 0o600); err != nil {
		return err
	}
	w.config, err = mapping.Load(w.configPath())
	return err
}

func (w *world) configPath() string { return filepath.Join(w.dir, "fairbridge.yaml") }

// build builds the command and the functions.
func (w *world) build(ctx context.Context) error {
	if err := w.writeConfig(); err != nil {
		return err
	}
	if _, err := w.run(ctx, "", nil, "go", "build", "-o", w.dir, "./cmd/fairbridge"); err != nil {
		return err
	}
	_, err := w.run(ctx, "", w.buildEnvironment(), w.tool("sam", "sam"), "build", "--config-env", "e2e")
	return err
}

// buildEnvironment is the environment of sam build, which passes it to make.
func (w *world) buildEnvironment() []string {
	return []string{
		"FAIRBRIDGE_CONFIG=" + w.configPath(),
		// The template has arm64, but the emulator runs the functions on this machine.
		"LAMBDA_GOARCH=" + runtime.GOARCH,
	}
}

func (w *world) deploy(ctx context.Context) error {
	_, err := w.run(ctx, "", nil, w.tool("sam", "sam"), "deploy", "--config-env", "e2e", "--parameter-overrides",
		"SecretsPrefix=/fairbridge-e2e/", "LogRetentionDays=1", "MaximumConcurrency=2", "FilesConcurrency=2", "CentercodeBaseUrl="+w.centercode.URL)
	if err != nil {
		return err
	}
	w.stack, w.mapping, err = w.repairStack(ctx, stackName)
	return err
}

// The secrets, except for the webhook's token, which is generated. They must not be in any
// log, dead letter or ledger entry.
const (
	firstKey      = "canary-first-centercode-key"
	secondKey     = "canary-second-centercode-key"
	testFairyUser = "you@example.com" // the README's
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
