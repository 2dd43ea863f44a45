package bench

import (
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"os"
	"os/user"
	"strconv"
)

// account is who Apache and nginx serve as when root starts them; the zero
// account is whoever started the benchmark.
type account struct{ User, Group string }

// lesser is the account for servers that do not work as root.
func lesser() (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	for _, name := range []string{"www-data", "apache", "nginx", "http", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		g, err := user.LookupGroupId(u.Gid)
		if err != nil {
			return account{}, err
		}
		return account{u.Username, g.Name}, nil
	}
	return account{}, errors.New("run as root, but there is no user www-data or nobody to serve as")
}

// own makes the account the owner of a directory.
func (a account) own(dir string) error {
	if a.User == "" {
		return nil
	}
	u, err := user.Lookup(a.User)
	if err != nil {
		return err
	}
	uid, uidErr := strconv.Atoi(u.Uid)
	gid, gidErr := strconv.Atoi(u.Gid)
	if err := errors.Join(uidErr, gidErr); err != nil {
		return err
	}
	return os.Chown(dir, uid, gid)
}

// htpasswd is the line of a password file. SHA-1 is what htpasswd -s writes: no
// protection for a password worth having, and the least work for the server.
func htpasswd(user, password string) string {
	sum := sha1.Sum([]byte(password))
	return user + ":{SHA}" + base64.StdEncoding.EncodeToString(sum[:]) + "\n"
}
