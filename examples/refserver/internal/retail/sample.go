package retail

import _ "embed" // for the sample

//go:embed sample.csv
var sample string

// Sample returns a copy of the project's own sales export: an invented neighbourhood shop,
// in pounds, with every kind of dirt that Read and NewPlan know. The data are made up and may
// be used by anybody for anything.
func Sample() []byte { return []byte(sample) }
