//go:build !race

package storetest

// crowdShare divides the largest crowds; see race.go.
const crowdShare = 1
