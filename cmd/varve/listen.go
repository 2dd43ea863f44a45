package main

import (
	"context"
	"errors"
	stdlog "log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"
)

// newServer makes a server of h. Nothing bounds the time of a whole request or
// answer, for both may be a large file on a slow line.
func newServer(h http.Handler, log zerolog.Logger) *http.Server {
	return &http.Server{
		Handler:                      h,
		ReadHeaderTimeout:            20 * time.Second,
		IdleTimeout:                  2 * time.Minute,
		MaxHeaderBytes:               64 << 10,
		DisableGeneralOptionsHandler: true, // OPTIONS * is the handler's: it says DAV: 1, 2, 3
		ErrorLog:                     newErrorLog(log),
	}
}

// serveUntil serves s on l in g until ctx ends; then it takes no more requests
// and gives those that run the time drain to end.
func serveUntil(ctx context.Context, g *errgroup.Group, s *http.Server, l net.Listener, drain time.Duration) {
	g.Go(func() error {
		serve := s.Serve
		if s.TLSConfig != nil {
			serve = func(l net.Listener) error { return s.ServeTLS(l, "", "") }
		}
		if err := serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
		defer cancel()
		if err := s.Shutdown(wait); err != nil {
			return s.Close()
		}
		return nil
	})
}

// newErrorLog is where net/http reports broken handshakes and the like: the
// doing of clients, so a matter for debugging.
func newErrorLog(log zerolog.Logger) *stdlog.Logger {
	return stdlog.New(errorLog{log}, "", 0)
}

type errorLog struct{ log zerolog.Logger }

// Write logs one line of net/http's.
func (l errorLog) Write(line []byte) (int, error) {
	l.log.Debug().Msg(strings.TrimSpace(string(line)))
	return len(line), nil
}
