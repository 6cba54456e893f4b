package main

import (
	"context"
	"errors"
	"log/slog"
	"net"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
)

// socketOfSystemd returns the socket that systemd has opened for this process, nil if there
// is none. Connections during a restart wait in it. See
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

// tellSystemd notifies systemd (Type=notify) that the bridge is ready, and that it is
// stopping once ctx ends.
func tellSystemd(ctx context.Context, log *slog.Logger) (stop func() bool) {
	tell := func(state string) {
		if _, err := daemon.SdNotify(false, state); err != nil {
			log.Warn("systemd could not be notified of the bridge's state", "state", state, "err", err)
		}
	}
	tell(daemon.SdNotifyReady)
	return context.AfterFunc(ctx, func() { tell(daemon.SdNotifyStopping) })
}
