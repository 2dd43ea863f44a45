package bench

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
)

// peers are all that varve is measured against, if they are there.
func peers() []peer {
	return []peer{
		{"apache", []string{"apache2", "httpd"}, "-v", apache},
		{"nginx", []string{"nginx"}, "-v", nginx},
		{"rclone", []string{"rclone"}, "version", rclone},
		{"hacdias", []string{"webdav"}, "version", hacdias},
	}
}

// Names of peers, for people who choose.
func Names() []string {
	var names []string
	for _, p := range peers() {
		names = append(names, p.name)
	}
	return names
}

// Each of the configurations below is the fastest its server offers without
// being another server: sendfile on, no logs of requests, connections kept.

const apacheConfig = `ServerRoot "{{.Dir}}"
ServerName localhost
Listen {{.Address}}
DefaultRuntimeDir "{{.Dir}}"
PidFile "{{.Dir}}/pid"
ErrorLog "{{.Dir}}/log"
LogLevel crit
{{range .Modules}}LoadModule {{.Name}} "{{.File}}"
{{end}}{{with .Account.User}}User {{.}}
{{end}}{{with .Account.Group}}Group {{.}}
{{end}}KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 300
EnableSendfile On
LimitRequestBody 0
DavLockDB "{{.Dir}}/temp/locks"
DocumentRoot "{{.Files}}"
<Directory "{{.Files}}">
  Dav On
  AllowOverride None
  AuthType Basic
  AuthName bench
  AuthBasicProvider file
  AuthUserFile "{{.Htpasswd}}"
  Require valid-user
</Directory>
`

const nginxConfig = `{{range .Modules}}load_module "{{.File}}";
{{end}}{{with .Account.User}}user {{.}} {{$.Account.Group}};
{{end}}daemon off;
pid "{{.Dir}}/pid";
error_log "{{.Dir}}/log" crit;
worker_processes auto;
events { worker_connections 1024; }
http {
  access_log off;
  sendfile on;
  keepalive_requests 1000000000;
  keepalive_timeout 300s;
  client_max_body_size 0;
  client_body_temp_path "{{.Dir}}/temp/body";
  proxy_temp_path "{{.Dir}}/temp/proxy";
  fastcgi_temp_path "{{.Dir}}/temp/fastcgi";
  uwsgi_temp_path "{{.Dir}}/temp/uwsgi";
  scgi_temp_path "{{.Dir}}/temp/scgi";
  dav_ext_lock_zone zone=locks:10m;
  server {
    listen {{.Address}};
    root "{{.Files}}";
    location / {
      auth_basic bench;
      auth_basic_user_file "{{.Htpasswd}}";
      dav_methods PUT DELETE MKCOL COPY MOVE;
      dav_ext_methods PROPFIND OPTIONS LOCK UNLOCK;
      dav_ext_lock zone=locks;
      min_delete_depth 0;
    }
  }
}
`

const hacdiasConfig = `address: {{.Host}}
port: {{.Port}}
directory: "{{.Files}}"
permissions: CRUD
users:
  - username: {{.User}}
    password: {{.Password}}
`

// module is one a server loads at its start.
type module struct{ Name, File string }

// configure writes a configuration, a template over at, into at.Dir and returns its name.
func configure(at place, text string, modules ...module) (string, error) {
	at.Modules = modules
	t, err := template.New("").Parse(text)
	if err != nil {
		return "", err
	}
	var made bytes.Buffer
	if err := t.Execute(&made, at); err != nil {
		return "", err
	}
	name := filepath.Join(at.Dir, "conf")
	return name, os.WriteFile(name, made.Bytes(), 0o644)
}

// apache is Apache httpd with mod_dav.
func apache(program string, at place) (*exec.Cmd, error) {
	dirs := []string{"/usr/lib/apache2/modules", "/usr/lib64/httpd/modules", "/usr/lib/httpd/modules", "/usr/local/libexec/apache24", "/usr/libexec/apache2"}
	var modules []module
	for _, name := range []string{"mpm_event", "unixd", "authn_core", "authn_file", "authz_core", "authz_user", "auth_basic", "dav", "dav_fs"} {
		file := lookIn(dirs, "mod_"+name+".so")
		switch {
		case file != "":
			modules = append(modules, module{name + "_module", file})
		case name == "dav_fs":
			return nil, errors.New("it has no mod_dav_fs")
		}
		// Others that have no file are built in.
	}
	conf, err := configure(at, apacheConfig, modules...)
	return exec.Command(program, "-f", conf, "-DFOREGROUND"), err
}

// nginx is nginx with its DAV module and dav-ext, without which it lists and
// locks nothing.
func nginx(program string, at place) (*exec.Cmd, error) {
	var modules []module
	built, err := exec.Command(program, "-V").CombinedOutput()
	if err != nil {
		return nil, err
	}
	if !bytes.Contains(built, []byte("with-http_dav_module")) {
		return nil, errors.New("it has no DAV module")
	}
	const ext = "ngx_http_dav_ext_module.so"
	file := lookIn([]string{"/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/local/libexec/nginx", "/etc/nginx/modules"}, ext)
	switch {
	case file != "":
		modules = append(modules, module{File: file})
	case !bytes.Contains(built, []byte("dav-ext")):
		return nil, errors.New("it has no " + ext)
	}
	conf, err := configure(at, nginxConfig, modules...)
	return exec.Command(program, "-p", at.Dir, "-e", filepath.Join(at.Dir, "log"), "-c", conf), err
}

// rclone is rclone serve webdav.
func rclone(program string, at place) (*exec.Cmd, error) {
	cmd := exec.Command(program, "serve", "webdav", at.Files, "--addr", at.Address, "--htpasswd", at.Htpasswd)
	return cmd, rcloneEnv(cmd, at.Dir)
}

// rcloneEnv gives rclone an empty configuration in dir.
func rcloneEnv(cmd *exec.Cmd, dir string, more ...string) error {
	conf := filepath.Join(dir, "rclone.conf")
	cmd.Env = append(plainEnv("RCLONE_"), "RCLONE_CONFIG="+conf, "RCLONE_CACHE_DIR="+filepath.Join(dir, "cache"))
	cmd.Env = append(cmd.Env, more...)
	return os.WriteFile(conf, nil, 0o600)
}

// hacdias is github.com/hacdias/webdav, version 5.
func hacdias(program string, at place) (*exec.Cmd, error) {
	conf, err := configure(at, hacdiasConfig)
	if err != nil {
		return nil, err
	}
	// It takes the kind of a configuration from its name.
	if err := os.Rename(conf, conf+".yaml"); err != nil {
		return nil, err
	}
	return exec.Command(program, "--config", conf+".yaml"), nil
}

// lookIn is the file of that name in the first of dirs that has it.
func lookIn(dirs []string, name string) string {
	for _, dir := range dirs {
		file := filepath.Join(dir, name)
		if _, err := os.Stat(file); err == nil && !strings.ContainsAny(file, `"`) {
			return file
		}
	}
	return ""
}
