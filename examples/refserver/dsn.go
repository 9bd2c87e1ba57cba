package main

import (
	"net/url"
	"strings"
)

// redact returns a DSN that may be shown: without its password, wherever it stands.
func redact(dsn string) string {
	scheme, _, _ := strings.Cut(dsn, ":")
	switch scheme {
	case "sqlite", "memory":
		return dsn // a path
	case "postgres", "postgresql":
	default:
		return "a DSN of no known scheme"
	}
	u, err := url.Parse(dsn)
	if err != nil || u.Opaque != "" { // nobody knows where a password stands in it
		return scheme + ":..."
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return scheme + ":..."
	}
	for name := range query {
		if secretParameter(name) {
			query.Set(name, "xxxxx")
		}
	}
	u.RawQuery = query.Encode()
	return u.Redacted()
}

// secretParameter tells whether a connection parameter holds a secret or says where one lies:
// password, sslpassword, passfile, sslkey, and whatever else is named like one.
func secretParameter(name string) bool {
	name = strings.ToLower(name)
	for _, part := range []string{"pass", "pwd", "secret", "token", "key"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}
