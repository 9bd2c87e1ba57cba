package hyperlocal

// TenantID names a tenant: one operator's separate world. It is an explicit argument of
// every storage port and a field of every command and envelope; it never travels hidden in
// a context. 1 to 64 characters of [a-z0-9_-].
type TenantID string

// MaxTenantID bounds a tenant id, in bytes.
const MaxTenantID = 64

// Validate refuses an empty, long or oddly spelled tenant id: code invalid.
func (t TenantID) Validate() error {
	if t == "" || len(t) > MaxTenantID {
		return Invalid("tenant", "id", "a tenant id has 1 to 64 characters")
	}
	for i := range len(t) {
		c := t[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return Invalid("tenant", "id", "a tenant id consists of a-z, 0-9, _ and -")
		}
	}
	return nil
}
