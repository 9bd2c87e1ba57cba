package main

import "time"

// at is the time in all samples.
func at() time.Time { return time.Date(2026, 5, 4, 12, 30, 0, 123456000, time.UTC) }
