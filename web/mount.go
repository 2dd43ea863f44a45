package web

import "strings"

// Mount says how one client mounts a home.
type Mount struct {
	Client  string `json:"client"`
	Command string `json:"command,omitempty" doc:"For a shell or, without one, what to type into the client"`
	Note    string `json:"note,omitempty"`
}

// Mounts are the ways to mount /dav/ of the server at base ("https://host", no
// slash at the end) with token. An empty token shows as $TOKEN, which POSIX shells
// know, and to Windows as *, which asks for it.
func Mounts(base, token string) []Mount {
	password := token
	if token == "" {
		token, password = "$TOKEN", "*"
	}
	url := base + "/dav/"
	_, rest, _ := strings.Cut(url, "://")
	gio, windows := "dav://", "Windows sends passwords over https only (registry: BasicAuthLevel)."
	if strings.HasPrefix(url, "https:") {
		gio, windows = "davs://", "Or in Explorer: This PC, Map network drive, with the address in the command."
	}
	return []Mount{
		{"macOS Finder", url, "Go, Connect to Server (⌘K). Any name; the token is the password, at most 255 characters."},
		{"Windows Explorer", "net use V: " + url + " /user:varve " + password, windows},
		{"GNOME Files", gio + rest, "Other Locations, Connect to Server. Any name; the token is the password."},
		{"davfs2", "sudo mount -t davfs -o uid=$(id -u) " + url + " /mnt/varve",
			"Any name; the token is the password, at most 255 characters. The directory must exist. If ls says Invalid argument (davfs2 1.6, Linux 6), put buf_size 64 into /etc/davfs2/davfs2.conf."},
		{"rclone", "rclone mount :webdav: ~/varve --vfs-cache-mode writes --webdav-vendor owncloud --webdav-url " + url +
			" --webdav-bearer-token " + token, "The directory must exist. Also copy, sync and check in place of mount."},
		{"curl", `curl -H "Authorization: Bearer ` + token + `" -T notes.txt ` + url, ""},
	}
}
