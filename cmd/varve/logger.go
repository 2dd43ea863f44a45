package main

import (
	"io"
	"os"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"
)

// logFlags say what is logged, and how.
type logFlags struct {
	LogLevel  string `help:"Least level logged: ${enum}." enum:"debug,info,warn,error" default:"info" placeholder:"LEVEL"`
	LogFormat string `help:"Log as ${enum}; auto is console on a terminal, else json." enum:"auto,console,json" default:"auto" placeholder:"FORMAT"`
}

// logger writes to w as the flags say.
func (f logFlags) logger(w io.Writer) zerolog.Logger {
	if f.LogFormat == "console" || f.LogFormat == "auto" && isTerminal(w) {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly, NoColor: !isTerminal(w)}
	}
	level, err := zerolog.ParseLevel(f.LogLevel)
	if err != nil { // the enum lets nothing else through
		level = zerolog.InfoLevel
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger()
}

// isTerminal tells whether w is a person's screen.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
