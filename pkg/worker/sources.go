package worker

import (
	"fairbridge/pkg/attachment"
	"fairbridge/pkg/mapping"
)

// SourceOptions returns what a mapping file says of where attachments come from.
func SourceOptions(c *mapping.Config) attachment.Options {
	return attachment.Options{
		Hosts: c.Sources.Hosts, AllowLoopback: c.Sources.AllowLoopback,
		Resolve: c.Sources.Resolve, MaxBytes: c.Sources.MaxBytes, REST: c.TestFairy.BaseURL,
	}
}
