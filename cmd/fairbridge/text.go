package main

import (
	"time"

	"fairbridge/pkg/queue"
	"fairbridge/pkg/terminal"
)

func shortID(id string) string { return queue.ShortID(id) }

func age(d time.Duration) string { return terminal.Age(d) }
