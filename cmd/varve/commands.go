package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// commands is the whole command line; kong reads it from the tags.
type commands struct {
	Help    helpFlag    `help:"Show what a command does and its flags." short:"h"`
	Version versionFlag `help:"Print the version."`
	Config  string      `help:"Read settings from this JSON file; see varve help configuration." placeholder:"FILE"`

	Serve   serveCmd   `cmd:"" help:"Serve the files of a directory."`
	Token   tokenCmd   `cmd:"" help:"Make, list and revoke tokens."`
	Session sessionCmd `cmd:"" help:"Create, list, show and end sessions."`
	Verify  verifyCmd  `cmd:"" help:"Read a whole store and report what is damaged."`
	Bench   benchCmd   `cmd:"" help:"Measure varve against other WebDAV servers on this machine."`
	Bare    bareCmd    `cmd:"" name:"bench-bare" hidden:""`
	Topics  helpCmd    `cmd:"" name:"help" help:"Explain a command or a topic."`
	Build   versionCmd `cmd:"" name:"version" help:"Print the version."`
}

// dataFlag names the store; every command that needs one embeds it.
type dataFlag struct {
	Data string `help:"Directory of the store, made with mode 0700 if missing." default:"./varve-data" placeholder:"DIR"`
}

// defaultUser is who owns what nobody named an owner for.
const defaultUser = "user"

// errHelped says that help was asked for and shown.
var errHelped = errors.New("help was shown")

// helpFlag shows help instead of running the command.
type helpFlag bool

// BeforeReset is called by kong when the flag was given.
func (helpFlag) BeforeReset(k *kong.Context) error {
	if err := k.PrintUsage(false); err != nil {
		return err
	}
	return errHelped
}

// parse turns args into the command they name, ready to run.
func parse(c *console, args []string) (func(context.Context) error, error) {
	set := &settings{getenv: c.getenv}
	parser, err := newParser(&commands{}, set, c.out, c.err)
	if err != nil {
		return nil, err
	}
	k, err := parser.Parse(args)
	if errors.Is(err, errHelped) {
		return nil, err
	}
	if config, ok := errors.AsType[configError](err); ok {
		return nil, hint(usageError{config}, "varve help configuration says what a config file holds")
	}
	if err != nil {
		return nil, hint(usageError{inWords(err)}, "varve help lists the commands, varve COMMAND --help its flags")
	}
	c.issuers = set.issuers
	return func(ctx context.Context) error {
		k.BindTo(ctx, (*context.Context)(nil))
		return k.Run(c)
	}, nil
}

// inWords says what kong says of a flag, argument or command that is missing.
func inWords(err error) error {
	text := err.Error()
	if commands, ok := strings.CutPrefix(text, "expected one of "); ok {
		return fmt.Errorf("say which command: %s", commands)
	}
	if arguments, ok := strings.CutPrefix(text, "expected "); ok {
		return fmt.Errorf("an argument is missing: %s", strings.ToUpper(arguments))
	}
	if flag, _, ok := strings.Cut(text, ": expected "); ok && strings.HasSuffix(text, "(<EOL>)") {
		return fmt.Errorf("%s needs a value", flag)
	}
	return err
}

// newParser makes the parser of the whole command line.
func newParser(all *commands, set *settings, stdout, stderr io.Writer) (*kong.Kong, error) {
	return kong.New(all,
		kong.Name("varve"),
		kong.Description("A WebDAV server in which every agent session works in its own private layer over the shared files, and every change is recorded."),
		kong.NoDefaultHelp(),
		kong.Writers(stdout, stderr),
		kong.Resolvers(set),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true, WrapUpperBound: 96}),
		kong.ValueFormatter(describeFlag),
	)
}

// describeFlag is a flag's help with its default and its environment variable.
func describeFlag(v *kong.Value) string {
	if v.Flag == nil || v.Flag.Name == "help" || v.Flag.Name == "version" {
		return v.Help
	}
	notes := variable(v.Flag.Name)
	if v.HasDefault && v.Default != "0" {
		notes = "default " + v.Default + ", " + notes
	}
	return strings.TrimSuffix(v.Help, ".") + " (" + notes + ")."
}
