package main

import (
	"context"
	"errors"
	"log/slog"
	"net"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
)

// socketOfSystemd returns the socket that systemd listens on for this process, nil
// if it does not. What comes while the process is restarted waits in it.
// https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html
func socketOfSystemd() (net.Listener, error) {
	listeners, err := activation.Listeners()
	if err != nil {
		return nil, err
	}
	switch {
	case len(listeners) == 0:
		return nil, nil
	case len(listeners) > 1 || listeners[0] == nil:
		return nil, errors.New("systemd passes other sockets than the one for webhooks: the socket unit must have one ListenStream=, and no other")
	}
	return listeners[0], nil
}

// tellSystemd says that the bridge is ready, and once ctx ends that it stops, to a
// systemd that waits for it (Type=notify).
func tellSystemd(ctx context.Context, log *slog.Logger) (stop func() bool) {
	tell := func(state string) {
		if _, err := daemon.SdNotify(false, state); err != nil {
			log.Warn("systemd cannot be told how the bridge is", "state", state, "err", err)
		}
	}
	tell(daemon.SdNotifyReady)
	return context.AfterFunc(ctx, func() { tell(daemon.SdNotifyStopping) })
}
