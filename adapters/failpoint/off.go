//go:build !failpoints

package failpoint

import "context"

// Enabled reports whether this binary was built with the tag "failpoints".
const Enabled = false

// Hit marks a place. In this build it does nothing and returns nil.
func Hit(context.Context, string) error { return nil }

// Hits returns how often the place was passed: always 0 in this build.
func Hits(string) int { return 0 }
