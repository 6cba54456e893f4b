package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"fairbridge/pkg/home"
	"fairbridge/pkg/mapping"
)

const defaultConfig = "fairbridge.yaml"

func newRun(std streams) *cobra.Command {
	var config string
	var asJSON bool
	s := settings{}
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the whole bridge on this machine",
		Long: `Runs the webhook, the queue, the ledger, the secrets and the worker in this
process, with one SQLite file in the data folder. What was answered 202 is on
disk: after a crash, start it again. While fairbridge.yaml names no
centercode.baseUrl, tickets go to a Centercode simulator whose page shows them.`,
		Example: `  fairbridge run
  fairbridge run --config fairbridge.yaml --listen 0.0.0.0:8080 --data /var/lib/fairbridge
  fairbridge run --json | jq 'select(.result == "dead_letter")'`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if s.config, err = loadConfig(config); err != nil {
				return err
			}
			if s.concurrency < 1 || s.concurrency > 1000 {
				return usage("--concurrency must be 1 to 1000")
			}
			s.log = slog.New(slog.NewTextHandler(std.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
			return runBridge(cmd.Context(), s, &lines{out: std.out, now: time.Now, asJSON: asJSON})
		},
	}
	configFlag(cmd, &config)
	dataFlag(cmd, &s.data)
	cmd.Flags().StringVar(&s.listen, "listen", "127.0.0.1:8080", "address for webhooks; port 0 takes a free one")
	cmd.Flags().StringVar(&s.simulator, "simulator", "127.0.0.1:8081", "address for the simulator, which runs if no Centercode is configured")
	cmd.Flags().IntVar(&s.concurrency, "concurrency", 4, "batches of up to 10 deliveries that are worked on at once")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line instead of text")
	return cmd
}

func runBridge(ctx context.Context, s settings, out *lines) (err error) {
	s.ingested, s.worked = ingested{out}, worked{out}
	b, err := openBridge(ctx, s)
	if err != nil {
		if ctx.Err() != nil {
			return nil // stopped while it started, with nothing in hand
		}
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	if out.asJSON {
		ready := map[string]any{"stage": "ready", "webhook": b.webhook}
		if b.simulator != nil {
			ready["simulator"] = b.simulator.url
		}
		out.write("", ready)
	} else {
		b.announce(out.out)
	}
	return b.serve(ctx)
}

func configFlag(cmd *cobra.Command, config *string) {
	cmd.Flags().StringVar(config, "config", defaultConfig, "the file with routes, fields and attachments")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
}

func dataFlag(cmd *cobra.Command, data *string) {
	cmd.Flags().StringVar(data, "data", home.DefaultFolder, "folder of the bridge on this machine")
	_ = cmd.MarkFlagDirname("data")
}

func loadConfig(path string) (*mapping.Config, error) {
	config, err := mapping.Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s here; run in the folder that has it, or name it with --config", path)
	}
	return config, err
}
