// Command varve serves files over WebDAV and HTTP: every agent session works in
// its own private layer over the shared files, and every change is recorded.
//
// # What lies here
//
// The commands, and nothing that another program could want: flags, the config
// file, wiring, listeners, goroutines, signals. Each command is a file, with its
// help inside. What the commands do with a store they do through the packages
// below (see the table in the README); a command that needs a running server
// talks to it as any other client does, over DIR/control.sock or a URL.
//
// # Settings
//
// A flag --some-flag is also the variable VARVE_SOME_FLAG and the key
// "some-flag" of the config file; the first of these three that speaks wins,
// then the default. See settings.
//
// # Conventions
//
// Results go to standard output, everything else to standard error; errors as
// "varve: message" with perhaps a line "hint: what to do". Exit status 0 is
// success, 1 an error, 2 a command line or setting that makes no sense. Nothing
// below main knows os.Args, os.Stdout or the environment: run is given them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks for an orderly end; with the default handling back, a
	// second one ends the process at once.
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv)
	os.Exit(report(os.Stderr, err))
}

// run is varve: it parses args and runs the command they name.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, getenv func(string) string) error {
	c := &console{in: stdin, out: stdout, err: stderr, getenv: getenv}
	command, err := parse(c, args)
	if errors.Is(err, errHelped) {
		return nil
	}
	if err != nil {
		return err
	}
	return command(ctx)
}

// console is what a command talks to.
type console struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string
	issuers  []issuer // of the config file
}

// hinted is an error with a line that says what to do about it.
type hinted struct {
	error
	hint string
}

func (h *hinted) Unwrap() error { return h.error }

// hint adds what to do about err, for people.
func hint(err error, format string, args ...any) error {
	return &hinted{error: err, hint: fmt.Sprintf(format, args...)}
}

// usageError is a command line, environment or config file that makes no sense.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

// usagef makes a usageError.
func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// report tells w about err and returns the exit status.
func report(w io.Writer, err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintf(w, "varve: %v\n", err)
	var h *hinted
	if errors.As(err, &h) {
		fmt.Fprintf(w, "hint: %s\n", h.hint)
	}
	var usage usageError
	if errors.As(err, &usage) {
		return 2
	}
	return 1
}
