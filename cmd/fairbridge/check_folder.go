package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"fairbridge/pkg/embedded"
)

// checkFolder examines the data folder of a bridge on this machine.
func checkFolder(ctx context.Context, std streams, folder string) error {
	x, err := embedded.Examine(ctx, folder)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no bridge in %s", folder)
	}
	for _, finding := range x.Findings {
		fmt.Fprintf(std.out, "damaged: %s\n", finding)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(std.out, "%s: %d bytes, schema version %d: whole\n", folder, x.Bytes, x.Version)
	return nil
}
