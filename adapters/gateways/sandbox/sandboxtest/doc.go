// Package sandboxtest helps tests that pay through the sandbox: [Bank] is the sandbox as the
// kit of the payment context wants it, and [RunLog] checks an implementation of
// [sandbox.Log].
package sandboxtest
