package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fairbridge/pkg/bridge"
	"fairbridge/pkg/bridge/report"
	"fairbridge/pkg/console"
	"fairbridge/pkg/embedded"
	"fairbridge/pkg/home"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/terminal"
)

const defaultConfig = "fairbridge.yaml"

func newRun(std streams) *cobra.Command {
	var config, format string
	var asJSON, showToken bool
	var c bridge.Config
	var page besideBridge
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the whole bridge on this machine",
		Long: `Runs the webhook, the queues, the ledger, the secrets and the worker in this
process, with one SQLite file in the data folder. A webhook that was answered 202 is
on disk: after a crash, start the bridge again. While fairbridge.yaml has no
centercode.baseUrl, tickets go to a Centercode simulator whose page shows them.
The pages of 'fairbridge console' are served as well.

The file is read again when it changes. If it is invalid, the previous mapping stays
in use, and the output and 'fairbridge status' say why.`,
		Example: `  fairbridge run
  fairbridge run --config fairbridge.yaml --listen 0.0.0.0:8080 --data /var/lib/fairbridge
  fairbridge run --json | jq 'select(.result == "dead_letter")'`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if c.Mapping, err = loadConfig(config); err != nil {
				return err
			}
			c.File = config
			if err := checkLimits(c); err != nil {
				return err
			}
			if err := checkAddresses(cmd, "listen", "simulator", "console", "metrics"); err != nil {
				return err
			}
			switch format {
			case "text":
			case "json":
				asJSON = true
			default:
				return usage("--log-format must be text or json")
			}
			c.Log = newLog(std.err, asJSON)
			if c.Metrics == "off" {
				c.Metrics = ""
			}
			page.given = cmd.Flags().Changed("console")
			return runBridge(cmd.Context(), c, page, showToken || terminal.Is(std.out), &report.Lines{Out: std.out, Now: time.Now, AsJSON: asJSON})
		},
	}
	configFlag(cmd, &config, mappingUse)
	dataFlag(cmd, &c.Folder)
	cmd.Flags().StringVar(&c.Listen, "listen", "127.0.0.1:8080", "`address` for webhooks; with port 0 a free one is used. A socket from systemd takes precedence")
	cmd.Flags().StringVar(&c.Simulator, "simulator", "127.0.0.1:8081", "`address` for the simulator, which runs if no Centercode is configured")
	cmd.Flags().StringVar(&page.address, "console", defaultConsole, "`address` for browsers, see 'fairbridge console', or off")
	cmd.Flags().StringVar(&c.Metrics, "metrics", "off", "`address` for Prometheus, such as 127.0.0.1:8083, or off. It has no password")
	cmd.Flags().IntVar(&c.Concurrency, "concurrency", 4, "maximum `number` of batches, of up to 10 deliveries each, that are processed at once")
	cmd.Flags().IntVar(&c.Bodies, "bodies", embedded.DefaultBodies, "maximum `number` of webhooks of 1 MB in memory at once; of shorter ones more")
	cmd.Flags().IntVar(&c.Connections, "connections", embedded.DefaultConnections, "maximum `number` of concurrent connections for webhooks")
	cmd.Flags().DurationVar(&c.Idle, "idle", embedded.DefaultIdle, "how long an idle connection for webhooks is kept")
	cmd.Flags().IntVar(&c.Uploads, "uploads", 0, "maximum `number` of files that are uploaded at once; 0: one for each delivery, 10 times --concurrency")
	cmd.Flags().BoolVar(&showToken, "show-token", false, "show the webhook's token even if the output is not a terminal")
	cmd.Flags().StringVar(&format, "log-format", "text", "`format` of the log: text, or json for one object a line")
	complete(cmd, "log-format", "text", "json")
	cmd.Flags().BoolVar(&asJSON, "json", false, "the same as --log-format json")
	return cmd
}

// newLog returns a logger for problems other than those of deliveries.
func newLog(out io.Writer, asJSON bool) *slog.Logger {
	options := &slog.HandlerOptions{Level: slog.LevelWarn}
	if asJSON {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}

// checkLimits refuses limits that make no sense.
func checkLimits(c bridge.Config) error {
	for _, limit := range []struct {
		flag               string
		value, least, most int
	}{
		{"concurrency", c.Concurrency, 1, 1000}, {"bodies", c.Bodies, 1, 10_000},
		{"connections", c.Connections, 1, 1_000_000}, {"uploads", c.Uploads, 0, 10_000},
	} {
		if limit.value < limit.least || limit.value > limit.most {
			return usage("--%s must be %d to %d", limit.flag, limit.least, limit.most)
		}
	}
	if c.Idle < time.Second || c.Idle > time.Hour {
		return usage("--idle must be 1s to 1h")
	}
	return nil
}

// checkAddresses refuses flags that are neither an address to listen on nor, where that is
// possible, off.
func checkAddresses(cmd *cobra.Command, flags ...string) error {
	for _, name := range flags {
		text := cmd.Flag(name).Value.String()
		if text == "off" && (name == "console" || name == "metrics") {
			continue
		}
		_, port, err := net.SplitHostPort(text)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		if err != nil {
			return usage("--%s must be an address and a port, such as 127.0.0.1:8080, not %q", name, text)
		}
	}
	return nil
}

// runBridge shows the webhook's token only if allowed: output that is not a terminal may be
// a journal that others read.
func runBridge(ctx context.Context, c bridge.Config, page besideBridge, showToken bool, out *report.Lines) (err error) {
	c.Ingested, c.Worked, c.Reread = out.Ingested(), out.Worked(), out.Reread
	if c.Listener, err = socketOfSystemd(); err != nil {
		return err
	}
	b, err := bridge.Open(ctx, c)
	if err != nil {
		if ctx.Err() != nil {
			return nil // stopped while starting, with no work in progress
		}
		return explainStart(err, c.Folder)
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	webhook := b.Webhook()
	if !showToken {
		webhook, _, _ = strings.Cut(webhook, "?")
	}
	pages := console.Config{Config: c.File, Simulator: b.Simulator(), Log: c.Log}
	return page.serve(ctx, pages, c.Folder, func(ctx context.Context, served *console.Console) error {
		address := ""
		if served != nil {
			// The link is for terminals only, like the token.
			if address = served.URL(); terminal.Is(out.Out) {
				address = served.Link()
			}
		}
		deliveries, uploads := b.AtOnce()
		if out.AsJSON {
			ready := map[string]any{"stage": "ready", "webhook": webhook, "limits": map[string]any{
				"connections": c.Connections, "idleMs": c.Idle.Milliseconds(), "bodies": c.Bodies, "deliveries": deliveries, "uploads": uploads,
			}}
			for name, url := range map[string]string{"simulator": b.Simulator(), "console": address, "metrics": b.Metrics()} {
				if url != "" {
					ready[name] = url
				}
			}
			out.Record(ready)
		} else {
			announce(out.Out, webhook, b.Simulator(), address, home.Place{Folder: c.Folder})
			if url := b.Metrics(); url != "" {
				fmt.Fprintf(out.Out, "Metrics: %s\n", url)
			}
			fmt.Fprintf(out.Out, "Limits: %d connections (closed when idle for %s), %d webhooks of 1 MB in memory, %d deliveries and %d uploads at once.\n",
				c.Connections, c.Idle, c.Bodies, deliveries, uploads)
			fmt.Fprintln(out.Out, "Press Ctrl-C to finish the work in progress and stop.")
		}
		defer tellSystemd(ctx, c.Log)()
		return b.Serve(ctx)
	})
}

func explainStart(err error, folder string) error {
	if errors.Is(err, embedded.ErrLocked) {
		return fmt.Errorf("another bridge runs in %s; stop it, or name another folder with --data", folder)
	}
	if missing, ok := errors.AsType[*secrets.MissingError](err); ok {
		return fmt.Errorf("%s is missing; store it: %s", missing.Name(), home.Place{Folder: folder}.Command("secrets put "+missing.Name()))
	}
	if where, ok := errors.AsType[*bridge.ListenError](err); ok {
		flag := map[string]string{bridge.ForWebhooks: "--listen", bridge.ForSimulator: "--simulator", bridge.ForMetrics: "--metrics"}[where.For]
		return fmt.Errorf("%w; choose another address with %s", err, flag)
	}
	return err
}

// announce prints what a person needs to try the bridge.
func announce(out io.Writer, webhook, simulator, page string, at home.Place) {
	if simulator != "" {
		fmt.Fprintf(out, "No centercode.baseUrl is configured: tickets go to the simulator, %s\n", simulator)
	}
	fmt.Fprintf(out, "Webhook for TestFairy: %s\n", webhook)
	if strings.Contains(webhook, "?") {
		fmt.Fprintf(out, "Try it: curl -d @events/feedback.json '%s'\n", webhook)
	} else {
		fmt.Fprintf(out, "Its token is not shown here. To see it: %s\n", at.Command("webhook register --print --show-token --url "+webhook))
		fmt.Fprintf(out, "Try it: %s\n", at.Command("send events/feedback.json"))
	}
	switch {
	case strings.Contains(page, "?"):
		fmt.Fprintf(out, "Console (the link works once, within ten minutes): %s\n", page)
	case page != "":
		fmt.Fprintf(out, "Console: %s. For a sign-in link: %s\n", page, at.Command("console --open"))
	}
}

const mappingUse = "the `file` with routes, fields and attachments"

func configFlag(cmd *cobra.Command, config *string, use string) {
	cmd.Flags().StringVar(config, "config", defaultConfig, use)
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
}

func dataFlag(cmd *cobra.Command, data *string) {
	cmd.Flags().StringVar(data, "data", home.DefaultFolder, "`folder` of the bridge on this machine")
	_ = cmd.MarkFlagDirname("data")
}

func loadConfig(path string) (*mapping.Config, error) {
	config, err := mapping.Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s here; run in the folder that has it, or name it with --config", path)
	}
	return config, err
}
