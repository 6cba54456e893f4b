package reconcile

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
)

// OfHome returns the configuration for the bridge of a home, without TestFairy: webhook is
// the bridge's URL, including its token.
func OfHome(h *home.Home, webhook string) (Config, error) {
	l, err := ledger.New(ledger.Config{Store: h.Ledger})
	if err != nil {
		return Config{}, err
	}
	return Config{
		Ledger: l, History: h.History,
		Waiting: func(ctx context.Context) (int, error) {
			depth, err := h.Depth(ctx, h.WorkQueueURL)
			if err != nil {
				return 0, err
			}
			return depth.Waiting, nil
		},
		Send: func(ctx context.Context, payload []byte) error {
			status, answer, err := home.Send(ctx, webhook, payload)
			if err != nil {
				return err
			}
			return taken(status, answer)
		},
	}, nil
}

// taken returns nil if the bridge has accepted a payload with that answer.
func taken(status int, answer string) error {
	switch status {
	case http.StatusAccepted:
		return nil
	case http.StatusOK:
		return fmt.Errorf("%w: no route in its fairbridge.yaml wants feedback", ErrRefused)
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		return fmt.Errorf("%w: HTTP %d %s", ErrRefused, status, strings.TrimSpace(answer))
	}
	return fmt.Errorf("the bridge's webhook answered HTTP %d %s", status, strings.TrimSpace(answer))
}
