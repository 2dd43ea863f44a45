package main

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// topics are longer texts, one file each; the first line is the title.
//
//go:embed topics/*.txt
var topics embed.FS

type helpCmd struct {
	Topic []string `arg:"" optional:"" help:"A command or a topic."`
}

// Help is shown by varve help --help.
func (helpCmd) Help() string {
	return "Without an argument: the commands and the topics. varve help serve is the same as varve serve --help."
}

// Run prints a topic, or what kong knows of a command.
func (h helpCmd) Run(c *console, k *kong.Kong) error {
	name := strings.Join(h.Topic, " ")
	text, err := fs.ReadFile(topics, "topics/"+name+".txt")
	if err == nil {
		_, err = c.out.Write(text)
		return err
	}
	if !isCommand(k.Model.Node, h.Topic) {
		return hint(usagef("no help on %q", name), "varve help lists the commands and topics")
	}
	if _, err := k.Parse(append(h.Topic, "--help")); err != nil && !errors.Is(err, errHelped) {
		return err
	}
	if name != "" {
		return nil
	}
	return listTopics(c)
}

// isCommand tells whether words name n or a command below it.
func isCommand(n *kong.Node, words []string) bool {
	if len(words) == 0 {
		return true
	}
	at := slices.IndexFunc(n.Children, func(n *kong.Node) bool { return n.Name == words[0] })
	return at >= 0 && isCommand(n.Children[at], words[1:])
}

// listTopics prints the topics with their titles.
func listTopics(c *console) error {
	files, err := fs.Glob(topics, "topics/*.txt")
	if err != nil {
		return err
	}
	fmt.Fprint(c.out, "\nTopics (varve help TOPIC):\n")
	for _, file := range files {
		text, err := fs.ReadFile(topics, file)
		if err != nil {
			return err
		}
		title, _, _ := strings.Cut(string(text), "\n")
		name := strings.TrimSuffix(strings.TrimPrefix(file, "topics/"), ".txt")
		fmt.Fprintf(c.out, "  %-15s %s\n", name, title)
	}
	return nil
}
