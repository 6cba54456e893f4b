package main

import (
	"github.com/spf13/cobra"

	"fairbridge/pkg/home"
	"fairbridge/pkg/home/report"
	"fairbridge/pkg/secrets"
)

func newSecrets(std streams) *cobra.Command {
	return group(&cobra.Command{
		Use:   "secrets",
		Short: "Manage API keys and the webhook token",
		Long: `Stores the bridge's secrets in the data folder of a bridge on this machine or, with
--stack, as SecureStrings in the SSM Parameter Store.

  ` + secrets.CentercodeAPIKey + `   creates tickets
  ` + secrets.WebhookToken + `        authenticates TestFairy's webhooks
  ` + secrets.TestFairyAPIKey + `    registers the webhook, and reads sessions' logs
  ` + secrets.ConsolePassword + `     protects a console that others can reach`,
	}, newSecretsPut(std), newSecretsList(std))
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
			return at.use(cmd.Context(), func(t *home.Home) error {
				states, err := t.Secrets(cmd.Context())
				if err != nil {
					return err
				}
				if asJSON {
					return writeJSONLines(std.out, states...)
				}
				return report.WriteSecrets(std.out, states)
			})
		},
	}
	at.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return cmd
}
