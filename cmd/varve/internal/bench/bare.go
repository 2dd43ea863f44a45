package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// ServeBare serves on address until ctx ends what net/http can do at most on
// this machine: answers it was taught, from memory, and PUTs of which it keeps
// nothing. It checks nothing and is of use to the benchmark only.
func ServeBare(ctx context.Context, address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	h := &bare{}
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// bare is the bare handler.
type bare struct {
	known sync.Map // canned by asked
}

// asked is what tells requests apart.
type asked struct{ method, depth, path string }

// canned is an answer: another server's.
type canned struct {
	status int
	header http.Header
	body   []byte
}

// teach is the method that teaches the bare handler: the path is that of the
// request, the body another server's answer to it.
const teach = "TEACH"

func (b *bare) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodPut:
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusCreated)
		return
	case "MKCOL":
		w.WriteHeader(http.StatusCreated)
		return
	case teach:
		b.learn(w, r)
		return
	}
	v, ok := b.known.Load(asked{r.Method, r.Header.Get("Depth"), r.URL.Path})
	if !ok {
		http.NotFound(w, r)
		return
	}
	c := v.(canned)
	h := w.Header()
	for name, values := range c.header {
		h[name] = values
	}
	w.WriteHeader(c.status)
	_, _ = w.Write(c.body) // the client will notice
}

// learn keeps an answer.
func (b *bare) learn(w http.ResponseWriter, r *http.Request) {
	method := r.Header.Get("Method")
	answer, err := http.ReadResponse(bufio.NewReader(r.Body), &http.Request{Method: method})
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if answer.ContentLength >= 0 {
		answer.Header.Set("Content-Length", strconv.FormatInt(answer.ContentLength, 10))
	}
	answer.Header.Del("Date") // net/http sets it
	b.known.Store(asked{method, r.Header.Get("Depth"), r.URL.Path}, canned{answer.StatusCode, answer.Header, body})
	w.WriteHeader(http.StatusNoContent)
}

// startBare starts the bare handler in a process of its own.
func startBare(ctx context.Context, cfg Config, dir string) (*server, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	cmd := exec.Command(cfg.Varve, Bare, address)
	p, err := startProcess(ctx, cmd, address, filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	return &server{name: "bare net/http", address: address, dir: dir, base: "/", authorization: "none", process: p, prepared: map[string]error{}}, nil
}

// learn teaches s, the bare handler, what from answers to requests.
func (s *server) learn(ctx context.Context, from *server, requests []request) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	theirs, err := from.dial(ctx)
	if err != nil {
		return err
	}
	defer theirs.Close()
	ours, err := s.dial(ctx)
	if err != nil {
		return err
	}
	defer ours.Close()
	theirs.keep = new(bytes.Buffer)
	for _, r := range requests {
		theirs.keep.Reset()
		if err := theirs.do(ctx, r); err != nil {
			return err
		}
		taught := request{method: teach, path: r.path, header: "Method: " + r.method + "\r\n" + r.header,
			body: theirs.keep.Bytes(), status: []int{http.StatusNoContent}}
		if err := ours.do(ctx, taught); err != nil {
			return err
		}
	}
	return nil
}
