package layers

import "strings"

// covers tells whether a lock at root with the given depth applies to name.
func covers(root string, infinite bool, name string) bool {
	return root == name || infinite && (root == "." || strings.HasPrefix(name, root+"/"))
}
