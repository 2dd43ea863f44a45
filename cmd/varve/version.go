package main

import (
	"fmt"
	"runtime/debug"

	"github.com/alecthomas/kong"
)

type versionCmd struct{}

// Run prints what the build knows of itself.
func (versionCmd) Run(c *console) error {
	_, err := fmt.Fprintln(c.out, "varve", version())
	return err
}

// versionFlag prints the version instead of running a command.
type versionFlag bool

// BeforeReset is called by kong when the flag was given.
func (versionFlag) BeforeReset(k *kong.Context) error {
	if err := (versionCmd{}).Run(&console{out: k.Stdout}); err != nil {
		return err
	}
	return errHelped
}

// version is the module's version, or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	if v == "" || v == "(devel)" {
		v = "devel"
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				v += " " + s.Value[:12]
			}
		}
	}
	return v + " " + info.GoVersion
}
