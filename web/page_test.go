package web_test

import (
	"net/netip"
	"strings"
	"testing"

	"varve/web"
)

func TestPage(t *testing.T) {
	first := newWorld(t, nil)
	for _, tt := range []struct {
		name    string
		edit    func(*web.Config)
		headers []string
		want    string
	}{
		{"as asked", nil, []string{"Host", "files.local:81"}, "http://files.local:81/dav/"},
		{"public", func(c *web.Config) { c.PublicURL = "https://files.example.org/" }, nil, "https://files.example.org/dav/"},
		{"behind a proxy", func(c *web.Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} },
			[]string{"X-Forwarded-Host", "p.example", "X-Forwarded-Proto", "https"}, "https://p.example/dav/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := first.again(t, tt.edit)
			for _, path := range []string{"/", "/app/", "/app/some/where"} {
				got := w.want(200, "GET", path, "", "", append(tt.headers, "Cookie", "__Host-varve=stale")...)
				if !strings.Contains(got.body, tt.want) {
					t.Errorf("GET %s: no %s in\n%s", path, tt.want, got.body)
				}
				for _, client := range []string{"Finder", "Explorer", "GNOME", "davfs2", "rclone", "curl"} {
					if !strings.Contains(got.body, client) {
						t.Errorf("GET %s: nothing about %s", path, client)
					}
				}
				for _, foreign := range []string{"<script", "src=", "@import", "url("} {
					if strings.Contains(got.body, foreign) {
						t.Errorf("GET %s: has %s", path, foreign)
					}
				}
				if csp := got.header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; style-src 'sha256-") {
					t.Errorf("GET %s: policy %q", path, csp)
				}
			}
		})
	}
}

// TestPageLeadsOn: what the page names is there, and opening the files asks for a
// password where one may be sent.
func TestPageLeadsOn(t *testing.T) {
	w := newWorld(t, nil)
	got := w.want(200, "GET", "/", "", "")
	for _, href := range []string{"/dav/", "/api/", "/api/openapi.json", "/readyz"} {
		if !strings.Contains(got.body, `href="`+href+`"`) {
			t.Errorf("no link to %s in\n%s", href, got.body)
		}
	}
	if index := w.want(200, "GET", "/api/", "", ""); !strings.Contains(index.body, `"/api/openapi.json"`) {
		t.Errorf("GET /api/: %s", index.body)
	}
	w.want(204, "GET", "/favicon.ico", "", "")
	if !strings.Contains(got.body, "asks for a name and a password") {
		t.Error("the page does not say that the browser asks")
	}
	far := w.again(t, func(c *web.Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	if got := far.want(200, "GET", "/", "", "", "X-Forwarded-For", "203.0.113.9"); !strings.Contains(got.body, "only over https") {
		t.Error("the page does not say that over plain http nothing asks")
	}
}

func TestNewRefuses(t *testing.T) {
	good := newWorld(t, nil).cfg
	for name, edit := range map[string]func(*web.Config){
		"no store":      func(c *web.Config) { c.Store = nil },
		"no authority":  func(c *web.Config) { c.Authority = nil },
		"no WebDAV":     func(c *web.Config) { c.DAV = nil },
		"no DAVServes":  func(c *web.Config) { c.DAVServes = nil },
		"public path":   func(c *web.Config) { c.PublicURL = "files.example.org" },
		"public scheme": func(c *web.Config) { c.PublicURL = "ftp://files.example.org" },
		"origin path":   func(c *web.Config) { c.Origins = []string{"https://app.example/"} },
		"origin star":   func(c *web.Config) { c.Origins = []string{"*"} },
	} {
		cfg := good
		edit(&cfg)
		if s, err := web.New(cfg); err == nil || s != nil {
			t.Errorf("%s: got no error", name)
		}
	}
}
