package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/spf13/cobra"

	"fairbridge/pkg/secrets"
)

var secretNames = []string{secrets.CentercodeAPIKey, secrets.TestFairyAPIKey, secrets.WebhookToken}

func newSecrets(std streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secrets",
		Short: "Keep the API keys and the webhook token",
		Long: `Keeps the bridge's secrets: in the data folder of a bridge on this machine, or,
with --stack, as SecureStrings in the SSM Parameter Store.

  ` + secrets.CentercodeAPIKey + `   makes tickets
  ` + secrets.WebhookToken + `        what TestFairy carries to be let in
  ` + secrets.TestFairyAPIKey + `    registers the webhook, and reads sessions' logs`,
		Args: noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSecretsPut(std), newSecretsList(std))
	return cmd
}

func newSecretsList(std streams) *cobra.Command {
	var at place
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List which secrets there are and since when, never a value",
		Example: `  fairbridge secrets list
  fairbridge secrets list --stack fairbridge-prod`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := at.open(cmd.Context())
			if err != nil {
				return err
			}
			defer t.Close()
			states, err := t.secretStates(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return writeSecretsJSON(std.out, states)
			}
			return writeSecrets(std.out, states)
		},
	}
	at.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return cmd
}

// secretState is what may be told of a secret.
type secretState struct {
	Name   string `json:"name"`
	Exists bool   `json:"exists"`
	// Since is when the value was stored, Version counts the values.
	Since   time.Time `json:"since,omitzero"`
	Version int64     `json:"version,omitempty"`
	// Variable is the environment variable that stands before what is stored.
	Variable string `json:"environmentVariable,omitempty"`
}

// secretStates asks for each secret without decrypting it.
func (t *target) secretStates(ctx context.Context) ([]secretState, error) {
	var states []secretState
	for _, name := range secretNames {
		if variable := t.overriding(name); variable != "" {
			states = append(states, secretState{Name: name, Exists: true, Variable: variable})
			continue
		}
		out, err := t.SSM.GetParameter(ctx, &ssm.GetParameterInput{
			Name: aws.String(secrets.ParameterName(t.SecretsPrefix, name)), WithDecryption: aws.Bool(false),
		})
		var missing *types.ParameterNotFound
		switch {
		case errors.As(err, &missing):
			states = append(states, secretState{Name: name})
		case err != nil:
			return nil, fmt.Errorf("look for %s: %w", name, err)
		default:
			states = append(states, secretState{
				Name: name, Exists: true, Since: aws.ToTime(out.Parameter.LastModifiedDate).UTC(), Version: out.Parameter.Version,
			})
		}
	}
	return states, nil
}

// overriding returns the environment variable that a bridge on this machine
// takes a secret from, "" if it is not set.
func (t *target) overriding(name string) string {
	if t.onAWS {
		return ""
	}
	variable := "FAIRBRIDGE_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	if os.Getenv(variable) == "" {
		return ""
	}
	return variable
}

// String is the state in words.
func (s secretState) String() string {
	switch {
	case s.Variable != "":
		return "in the environment variable " + s.Variable
	case !s.Exists:
		return "missing"
	}
	return fmt.Sprintf("since %s (version %d)", s.Since.Format("2006-01-02 15:04:05 UTC"), s.Version)
}

func writeSecrets(out io.Writer, states []secretState) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, s := range states {
		fmt.Fprintf(w, "%s\t%s\n", s.Name, s)
	}
	return w.Flush()
}

func writeSecretsJSON(out io.Writer, states []secretState) error {
	enc := json.NewEncoder(out)
	for _, s := range states {
		if err := enc.Encode(s); err != nil {
			return err
		}
	}
	return nil
}
