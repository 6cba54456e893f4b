package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	centercodesim "fairbridge/pkg/centercode/simulator"
)

// harm is a way to damage a database file.
type harm struct {
	name string
	do   func(db string) error
}

func pickHarm(g *gale, harms []harm) harm {
	h := harms[g.r.IntN(len(harms))]
	g.chose = h.name
	g.say("  the file is %s", h.name)
	return h
}

// overwrite writes noise into a file, starting at a share of its length.
func overwrite(share float64) func(db string) error {
	return func(db string) error {
		f, err := os.OpenFile(db, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		info, err := f.Stat()
		if err == nil {
			noise := make([]byte, 64<<10)
			_, _ = rand.Read(noise) // never fails
			_, err = f.WriteAt(noise, int64(share*float64(info.Size())))
		}
		return errors.Join(err, f.Close())
	}
}

// damaged damages the file after a backup. Later webhooks are only accepted into the
// restored file, and everything in the backup becomes a ticket.
func damaged(ctx context.Context, g *gale) error {
	h := pickHarm(g, []harm{
		{"emptied", func(db string) error { return os.Truncate(db, 0) }},
		{"cut short", func(db string) error { return os.Truncate(db, 4096) }},
		{"overwritten", overwrite(0)},
		{"scrambled in its midst", overwrite(0.4)},
	})
	// A backup does not know the tickets that are made after it, so none is made.
	g.far.center.Inject(centercodesim.Fault{Status: 503, RetryAfter: "1", Times: -1})
	first, second := g.half()
	if err := g.sender.send(ctx, first); err != nil {
		return err
	}
	backup := filepath.Join(g.dir, "backup.db")
	if _, err := g.command(ctx, "backup", backup, "--data", g.bridge.data); err != nil {
		return err
	}
	g.bridge.onLoss(func(said string) error {
		if !strings.Contains(said, "fairbridge restore") {
			g.report.violate("a bridge whose file is lost does not say what to do: %s", said)
		}
		_, err := g.command(ctx, "restore", backup, "--data", g.bridge.data)
		return err
	})
	if err := g.spoiled(ctx, h, 0, second); err != nil {
		return err
	}
	g.far.center.Heal()
	return nil
}

// unlinked removes the file while webhooks arrive and tickets are made. What the bridge
// saves of it has everything that was accepted.
func unlinked(ctx context.Context, g *gale) error {
	replace := func(suffix string) func(db string) error {
		return func(db string) error {
			if err := os.WriteFile(db+".other", nil, 0o600); err != nil {
				return err
			}
			return os.Rename(db+".other", db+suffix)
		}
	}
	h := pickHarm(g, []harm{
		{"removed", os.Remove},
		{"without its log", func(db string) error { return os.Remove(db + "-wal") }},
		{"without its log's index", func(db string) error { return os.Remove(db + "-shm") }},
		{"renamed", func(db string) error { return os.Rename(db, db+".elsewhere") }},
		{"replaced", replace("")},
		{"with another's log", replace("-wal")},
	})
	g.bridge.onLoss(func(string) error {
		saved, err := filepath.Glob(filepath.Join(g.bridge.data, "fairbridge.db.rescued-*"))
		if err != nil {
			return err
		}
		if len(saved) != 1 {
			return fmt.Errorf("%d files were saved: %q", len(saved), saved)
		}
		_, err = g.command(ctx, "restore", saved[0], "--data", g.bridge.data)
		return err
	})
	first, second := g.half()
	if err := g.sender.send(ctx, first); err != nil {
		return err
	}
	return g.spoiled(ctx, h, 1+g.r.IntN(len(second)/2), second)
}

// spoiled does harm and sends webhooks, some of them before it, until a bridge with another
// file has accepted all of them. Meanwhile nothing else reads the folder.
func (g *gale) spoiled(ctx context.Context, h harm, before int, numbers []int) error {
	if err := g.home.Close(); err != nil {
		return err
	}
	from, _ := g.sender.soFar()
	do := func(ctx context.Context) error {
		enough := func() bool {
			accepted, _ := g.sender.soFar()
			return accepted >= from+before
		}
		if err := until(ctx, enough); err != nil {
			return err
		}
		return h.do(filepath.Join(g.bridge.data, "fairbridge.db"))
	}
	var err error
	if before == 0 {
		if err = do(ctx); err == nil {
			err = g.sender.send(ctx, numbers)
		}
	} else {
		err = g.during(ctx, numbers, do)
	}
	if err == nil {
		// An idle bridge notices it within seconds; there may be no webhook left that would
		// make it look.
		err = until(ctx, func() bool { return g.bridge.lossesSoFar() > 0 })
	}
	if err == nil {
		_, err = g.bridge.ready(ctx, "")
	}
	return errors.Join(err, g.look(ctx))
}

// roomOfDisk is the size of the small disk, in MB.
const roomOfDisk = 24

// onSmallDisk mounts a small tmpfs at the bridge's folder, which needs root.
func onSmallDisk(ctx context.Context, folder string) (unmount func() error, err error) {
	if err := os.Mkdir(folder, 0o700); err != nil {
		return nil, fmt.Errorf("make a disk: %w", err)
	}
	if out, err := exec.CommandContext(ctx, "mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm,mode=0700", roomOfDisk), "tmpfs", folder).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: a small disk cannot be made (mount -t tmpfs, which takes root): %w: %s", errCannot, err, strings.TrimSpace(string(out)))
	}
	return func() error {
		return exec.CommandContext(context.WithoutCancel(ctx), "umount", "--lazy", folder).Run()
	}, nil
}

// fullDisk fills the disk again and again while webhooks arrive and none is processed: what
// is removed makes room for what arrives. No webhook is accepted that is not stored, and
// all are accepted once there is room.
func fullDisk(ctx context.Context, g *gale) error {
	first, second := g.half()
	if err := g.sender.send(ctx, first); err != nil {
		return err
	}
	g.far.center.Inject(centercodesim.Fault{Status: 503, Times: -1})
	var over atomic.Bool
	group, both := errgroup.WithContext(ctx)
	group.Go(func() error {
		// Copies, too, until the disk was full.
		for {
			if err := g.sender.send(both, second); err != nil || over.Load() {
				return err
			}
		}
	})
	group.Go(func() error {
		for range 3 {
			ballast := filepath.Join(g.bridge.data, "ballast")
			_, before := g.sender.soFar()
			if err := fill(ballast); err != nil {
				return err
			}
			felt := func() bool {
				_, refused := g.sender.soFar()
				return refused > before+5
			}
			if err := until(both, felt); err != nil {
				return err
			}
			if err := os.Remove(ballast); err != nil {
				return err
			}
		}
		over.Store(true)
		return nil
	})
	if err := group.Wait(); err != nil {
		return err
	}
	g.far.center.Heal()
	// What was held could not be released on the full disk. It would wait for the end of
	// its lease, minutes, or for the next start. What was refused is recorded.
	g.bridge.end(interrupt)
	return nil
}

// fill writes a file until the disk is full.
func fill(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	block := make([]byte, 4<<10)
	for err == nil {
		_, err = f.Write(block)
	}
	if info, statErr := f.Stat(); statErr != nil || info.Size() > roomOfDisk<<20 {
		return errors.Join(errors.New("the disk has more room than it should"), statErr, f.Close())
	}
	return f.Close()
}

// until polls a condition of which there is no notification.
func until(ctx context.Context, ok func() bool) error {
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for !ok() {
		select {
		case <-look.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for what should come: %w", context.Cause(ctx))
		}
	}
	return nil
}
