package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// settings answers for the flags the command line does not give: from the
// environment, then from the config file. kong has both, but lets a file win
// over the environment, reads the process's own environment only, and ignores
// keys that are no flags.
type settings struct {
	getenv  func(string) string
	read    bool
	file    map[string]any // flags by name
	issuers []issuer
}

// variable is the environment variable of a flag.
func variable(flag string) string {
	return "VARVE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// configError is a config file that makes no sense. kong puts the flag it was
// asking for before it, which is not to blame.
type configError struct{ error }

func (c configError) Unwrap() error { return c.error }

// Resolve is called by kong for each flag the command line does not give. An
// empty variable is as good as none. What only shows something is for the
// command line: VARVE_VERSION may well mean something else.
func (s *settings) Resolve(k *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if flag.Name == "help" || flag.Name == "version" {
		return nil, nil
	}
	if err := s.load(k); err != nil {
		return nil, configError{err}
	}
	if v := s.getenv(variable(flag.Name)); v != "" {
		return v, nil
	}
	return s.file[flag.Name], nil
}

// Validate is called by kong before Resolve; load checks what there is to check.
func (s *settings) Validate(*kong.Application) error { return nil }

// load reads the config file once, if --config or VARVE_CONFIG names one.
func (s *settings) load(k *kong.Context) error {
	if s.read {
		return nil
	}
	s.read = true
	path := s.getenv(variable("config"))
	for _, flag := range k.Model.Flags {
		if v, ok := k.FlagValue(flag).(string); ok && flag.Name == "config" && v != "" {
			path = v
		}
	}
	if path == "" {
		return nil
	}
	if err := s.parse(path); err != nil {
		return fmt.Errorf("config file %s: %w", path, err)
	}
	known := flagNames(k.Model.Node)
	for key := range s.file {
		if !slices.Contains(known, key) {
			return fmt.Errorf("config file %s: unknown key %q", path, key)
		}
	}
	return nil
}

// parse reads one JSON object: flags by name, and "issuers".
func (s *settings) parse(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var raw map[string]json.RawMessage
	d := json.NewDecoder(f)
	if err := d.Decode(&raw); err != nil {
		return jsonError(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the object")
	}
	if list, ok := raw["issuers"]; ok {
		delete(raw, "issuers")
		d := json.NewDecoder(strings.NewReader(string(list)))
		d.DisallowUnknownFields()
		if err := d.Decode(&s.issuers); err != nil {
			return fmt.Errorf("issuers: %w", jsonError(err))
		}
	}
	s.file = make(map[string]any, len(raw))
	for key, value := range raw {
		if s.file[key], err = flagText(value); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}

// jsonError says in the words of JSON what encoding/json says in those of Go.
func jsonError(err error) error {
	mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("it is empty; want a JSON object")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it ends in the middle of the JSON object")
	case !ok:
		return err
	}
	want := map[reflect.Kind]string{reflect.Map: "an object", reflect.Struct: "an object", reflect.Slice: "a list", reflect.Bool: "true or false"}
	text := fmt.Sprintf("want %s, got: %s", cmp.Or(want[mismatch.Type.Kind()], "a text"), mismatch.Value)
	if mismatch.Field != "" {
		text = mismatch.Field + ": " + text
	}
	return errors.New(text)
}

// flagText is a JSON value as it would be written on the command line; a list
// is joined by commas as flags that take lists are. A nil is no setting.
func flagText(raw json.RawMessage) (any, error) {
	text := string(raw)
	switch text[0] {
	case 'n':
		return nil, nil
	case '"':
		err := json.Unmarshal(raw, &text)
		return text, err
	case '[':
		var list []string
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, errors.New("want a list of texts")
		}
		return strings.Join(list, ","), nil
	case '{':
		return nil, errors.New("want a text, number, true, false or list")
	}
	return text, nil
}

// flagNames are the flags of a command and everything below it.
func flagNames(n *kong.Node) []string {
	var names []string
	for _, flag := range n.Flags {
		names = append(names, flag.Name)
	}
	for _, child := range n.Children {
		names = append(names, flagNames(child)...)
	}
	return names
}
