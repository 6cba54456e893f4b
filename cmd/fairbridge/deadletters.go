package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"fairbridge/pkg/embedded"
	"fairbridge/pkg/queue"
)

func newDeadLetters(std streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dlq",
		Short: "Look at dead letters and replay them",
		Args:  noCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newDeadLettersList(std), newDeadLettersReplay(std))
	return cmd
}

func newDeadLettersList(std streams) *cobra.Command {
	var data string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the dead letters and why they are there",
		Long:  "Lists every dead letter, oldest first. They stay in their place.",
		Example: `  fairbridge dlq list
  fairbridge dlq list --json | jq -r 'select(.reason == "rejected") | .deliveryId'`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var letters []queue.Letter
			err := withDeadLetters(cmd, data, func(q *queue.DeadLetters) error {
				_, err := q.Each(cmd.Context(), func(l queue.Letter) queue.Action {
					letters = append(letters, l)
					return queue.Keep
				})
				return err
			})
			if err != nil {
				return err
			}
			slices.SortFunc(letters, func(a, b queue.Letter) int {
				return cmp.Or(a.SentAt.Compare(b.SentAt), cmp.Compare(a.MessageID, b.MessageID))
			})
			if asJSON {
				return writeLettersJSON(std.out, letters)
			}
			return writeLetters(std.out, letters, time.Now())
		},
	}
	dataFlag(cmd, &data)
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return cmd
}

func newDeadLettersReplay(std streams) *cobra.Command {
	var data, reason string
	var all bool
	cmd := &cobra.Command{
		Use:   "replay [DELIVERY-ID...]",
		Short: "Send dead letters through the bridge again",
		Long: `Puts dead letters back in the queue: those named by their delivery id (its first
characters are enough), those with a reason, or all. A ticket that exists is not
made again; only what is missing is sent. Mend the cause first.`,
		Example: `  fairbridge dlq replay 3f9a2c
  fairbridge dlq replay --reason attachment_source
  fairbridge dlq replay --all`,
		RunE: func(cmd *cobra.Command, ids []string) error {
			if err := checkChoice(ids, reason, all); err != nil {
				return err
			}
			found := map[string]bool{}
			var replayed int
			err := withDeadLetters(cmd, data, func(q *queue.DeadLetters) (err error) {
				replayed, err = q.Each(cmd.Context(), func(l queue.Letter) queue.Action {
					if id, ok := chosen(l, ids, reason, all); ok {
						found[id] = true
						return queue.Replay
					}
					return queue.Keep
				})
				return err
			})
			fmt.Fprintf(std.out, "%s replayed\n", count(replayed, "dead letter"))
			if err != nil {
				return err
			}
			for _, id := range ids {
				if !found[id] {
					fmt.Fprintf(std.err, "fairbridge: there is no dead letter %s\n", id)
					err = errSaid
				}
			}
			return err
		},
	}
	dataFlag(cmd, &data)
	cmd.Flags().StringVar(&reason, "reason", "", "those with this reason")
	cmd.Flags().BoolVar(&all, "all", false, "every one")
	return cmd
}

func checkChoice(ids []string, reason string, all bool) error {
	ways := 0
	for _, used := range []bool{len(ids) > 0, reason != "", all} {
		if used {
			ways++
		}
	}
	if ways != 1 {
		return usage("say which: delivery ids, --reason, or --all")
	}
	for _, id := range ids {
		if len(id) < 6 {
			return usage("%q is too short for a delivery id; give at least 6 characters", id)
		}
	}
	return nil
}

// chosen says whether a letter is one that the user named, and by which word.
func chosen(l queue.Letter, ids []string, reason string, all bool) (string, bool) {
	for _, id := range ids {
		if strings.HasPrefix(l.DeliveryID, id) {
			return id, true
		}
	}
	return "", all || (reason != "" && string(l.Reason) == reason)
}

func withDeadLetters(cmd *cobra.Command, data string, use func(*queue.DeadLetters) error) error {
	home, err := embedded.Open(cmd.Context(), data)
	if err != nil {
		return err
	}
	defer home.Close()
	return use(&queue.DeadLetters{API: home.SQS, URL: home.DeadLetterQueueURL, WorkURL: home.WorkQueueURL})
}

// writeLetters is the table, and under it the count by reason.
func writeLetters(out io.Writer, letters []queue.Letter, now time.Time) error {
	if len(letters) == 0 {
		_, err := fmt.Fprintln(out, "no dead letters")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "AGE\tREASON\tSTAGE\tSTATUS\tATTEMPTS\tDELIVERY\tDESCRIPTION")
	counts := map[string]int{}
	for _, l := range letters {
		reason := reasonText(l)
		counts[reason]++
		status := "-"
		if l.Status != 0 {
			status = fmt.Sprint(l.Status)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", age(now.Sub(l.SentAt)), reason, cmp.Or(l.Stage, "-"), status,
			l.Attempts, cmp.Or(shortID(l.DeliveryID), "-"), shorten(l.Description, 80))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	var parts []string
	for reason, n := range counts {
		parts = append(parts, fmt.Sprintf("%d %s", n, reason))
	}
	slices.Sort(parts)
	_, err := fmt.Fprintf(out, "\n%s: %s\n", count(len(letters), "dead letter"), strings.Join(parts, ", "))
	return err
}

func writeLettersJSON(out io.Writer, letters []queue.Letter) error {
	enc := json.NewEncoder(out)
	for _, l := range letters {
		err := enc.Encode(map[string]any{
			"messageId": l.MessageID, "deliveryId": l.DeliveryID, "event": l.Event, "reason": reasonText(l),
			"stage": l.Stage, "status": l.Status, "description": l.Description, "attempts": l.Attempts,
			"generation": l.Generation, "sentAt": l.SentAt, "failedAt": l.FailedAt, "body": l.Body,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// reasonText names what SQS itself moved, which carries no reason.
func reasonText(l queue.Letter) string {
	return cmp.Or(string(l.Reason), "retries_exhausted")
}

func shortID(id string) string { return id[:min(12, len(id))] }

func shorten(s string, most int) string {
	runes := []rune(s)
	if len(runes) <= most {
		return s
	}
	return string(runes[:most-1]) + "…"
}

func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}
