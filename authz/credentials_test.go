package authz

import (
	"net/http"
	"testing"
)

func TestCredentials(t *testing.T) {
	basic := func(user, password string) []string {
		r := &http.Request{Header: http.Header{}}
		r.SetBasicAuth(user, password)
		return r.Header["Authorization"]
	}
	tests := []struct {
		name   string
		header []string
		cookie string
		token  string
		via    Via
	}{
		{"nothing", nil, "", "", None},
		{"bearer", []string{"Bearer abc"}, "", "abc", Bearer},
		{"bearer, any case and blanks", []string{"bEARER   abc  "}, "", "abc", Bearer},
		{"bearer before the cookie", []string{"Bearer abc"}, "def", "abc", Bearer},
		{"an empty bearer", []string{"Bearer "}, "", "", None},
		{"a bearer without a blank", []string{"Bearer"}, "", "", None},
		{"an empty bearer and a cookie", []string{"Bearer "}, "def", "def", Cookie},
		{"basic", basic("ann", "abc"), "", "abc", Basic},
		{"basic with any user", basic(`DOMAIN\ann`, "abc"), "", "abc", Basic},
		{"basic without a user", basic("", "abc"), "", "abc", Basic},
		{"basic with colons", basic("ann", "a:b:c"), "", "a:b:c", Basic},
		{"basic with a line end", basic("ann", "abc\r\n"), "", "abc", Basic},
		{"basic without a password", basic("abc", ""), "", "", None},
		{"basic before the cookie", basic("ann", "abc"), "def", "abc", Basic},
		{"broken basic", []string{"Basic %%%"}, "", "", None},
		{"a cookie", nil, "def", "def", Cookie},
		{"another scheme", []string{`Digest username="ann"`}, "", "", None},
		{"two headers", []string{"Bearer abc", "Bearer def"}, "ghi", "", None},
	}
	for _, test := range tests {
		r := &http.Request{Header: http.Header{}}
		r.Header["Authorization"] = test.header
		if test.cookie != "" {
			r.AddCookie(&http.Cookie{Name: CookieName, Value: test.cookie})
		}
		if token, via := Credentials(r); token != test.token || via != test.via {
			t.Errorf("Credentials with %s = %q, %v, want %q, %v", test.name, token, via, test.token, test.via)
		}
	}
}
