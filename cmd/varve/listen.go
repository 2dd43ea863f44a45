package main

import (
	"context"
	"errors"
	stdlog "log"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"
)

// httpServer serves HTTP and knows how many requests it is serving.
type httpServer struct {
	http.Server
	log     zerolog.Logger
	running atomic.Int64
}

// newServer makes a server of h. Nothing bounds the time of a whole request or
// answer, for both may be a large file on a slow line.
func newServer(h http.Handler, log zerolog.Logger) *httpServer {
	s := &httpServer{log: log}
	s.Server = http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.running.Add(1)
			defer s.running.Add(-1)
			h.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout:            20 * time.Second,
		IdleTimeout:                  2 * time.Minute,
		MaxHeaderBytes:               64 << 10,
		DisableGeneralOptionsHandler: true, // OPTIONS * is the handler's: it says DAV: 1, 2, 3
		ErrorLog:                     newErrorLog(log),
	}
	return s
}

// serveUntil serves s on l in g until ctx ends; then it takes no more requests
// and gives those that run the time drain to end.
func serveUntil(ctx context.Context, g *errgroup.Group, s *httpServer, l net.Listener, drain time.Duration) {
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
		return s.end(context.WithoutCancel(ctx), drain)
	})
}

// end waits for the requests that run, and cuts off what runs longer than drain.
func (s *httpServer) end(ctx context.Context, drain time.Duration) error {
	if n := s.running.Load(); n > 0 {
		s.log.Warn().Int64("requests", n).
			Msgf("waiting up to %v for running requests to end; a second signal ends them at once", drain)
	}
	ctx, cancel := context.WithTimeout(ctx, drain)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		s.log.Warn().Int64("requests", s.running.Load()).Msg("cut off what still ran")
		return s.Close()
	}
	return nil
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
