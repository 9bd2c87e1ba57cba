package bunstore

import "github.com/hyperlocal-sdk/hyperlocal"

// coreConstraints are those of the tables that belong to no context.
func coreConstraints() map[string]*hyperlocal.Error {
	return map[string]*hyperlocal.Error{
		"hc_outbox(tenant,aggregate_kind,aggregate_id,aggregate_version,n)": errOutboxTwice,
	}
}
