package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"fairbridge/pkg/home"
	"fairbridge/pkg/secrets"
)

func newSecrets(std streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secrets",
		Short: "Manage API keys and the webhook token",
		Long: `Stores the bridge's secrets in the data folder of a bridge on this machine or, with
--stack, as SecureStrings in the SSM Parameter Store.

  ` + secrets.CentercodeAPIKey + `   creates tickets
  ` + secrets.WebhookToken + `        authenticates TestFairy's webhooks
  ` + secrets.TestFairyAPIKey + `    registers the webhook, and reads sessions' logs
  ` + secrets.ConsolePassword + `     protects a console that others can reach`,
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
		Short: "List which secrets exist and since when, never a value",
		Example: `  fairbridge secrets list
  fairbridge secrets list --stack fairbridge-prod`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := at.open(cmd.Context())
			if err != nil {
				return err
			}
			defer t.Close()
			states, err := t.Secrets(cmd.Context())
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

func writeSecrets(out io.Writer, states []home.SecretState) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, s := range states {
		fmt.Fprintf(w, "%s\t%s\n", s.Name, s)
	}
	return w.Flush()
}

func writeSecretsJSON(out io.Writer, states []home.SecretState) error {
	enc := json.NewEncoder(out)
	for _, s := range states {
		if err := enc.Encode(s); err != nil {
			return err
		}
	}
	return nil
}
