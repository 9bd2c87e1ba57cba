// Package failpoint lets a test stop the program at a named place: kill it, fail it or slow
// it down there. In an ordinary build it does nothing and costs nothing; with the build tag
// "failpoints" the environment decides:
//
//	FAILPOINT=migrate.mid:kill@3,relay.published:error,gateway.called:delay@2
//	FAILPOINT_LOG=/tmp/hits
//
// Each entry is name:action[@n]. The n-th time that the place is passed (the first when n is
// left out) the action happens, once: kill sends SIGKILL to this process, error makes [Hit]
// return [ErrInjected], delay waits a second or until the context ends. When FAILPOINT_LOG is
// set, the name is appended to that file before anything else happens, so that a test can
// tell which places were passed.
//
// Called by whatever has a place worth dying at; the names are documented beside the calls.
// It never changes what a program without the tag does.
package failpoint

import "github.com/hyperlocal-sdk/hyperlocal"

// ErrInjected is what [Hit] returns where the environment asked for an error.
var ErrInjected = hyperlocal.NewError(hyperlocal.CodeUnavailable, "failpoint/injected",
	"a failure was injected here by the FAILPOINT variable")
