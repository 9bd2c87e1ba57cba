// Package bridge joins contexts where their shapes differ, or where an event of one causes a
// command of another. Each bridge is a few lines and holds no rule of its own; contexts know
// nothing of each other.
package bridge
