package worker

import (
	"fairbridge/pkg/attachment"
	"fairbridge/pkg/mapping"
)

// SourceConfig returns what a mapping file says of where attachments come from.
func SourceConfig(c *mapping.Config) attachment.Config {
	return attachment.Config{
		Hosts: c.Sources.Hosts, AllowLoopback: c.Sources.AllowLoopback,
		Resolve: c.Sources.Resolve, MaxBytes: c.Sources.MaxBytes, REST: c.TestFairy.BaseURL,
	}
}
