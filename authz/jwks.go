package authz

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"
)

// How a JWK Set is kept. A set is read again when a token needs it, not by a
// goroutine: no traffic for an issuer nobody uses, and nothing to be ended.
const (
	setFresh  = 15 * time.Minute // read again after that
	setUsable = 24 * time.Hour   // and still used that long when it cannot be
	setPause  = 30 * time.Second // at least, between two attempts
	setWait   = 10 * time.Second // at most, for an answer
	maxSet    = 1 << 20          // bytes of a document
)

// keySet is the JWK Set of an issuer, a file or behind a URL. jwkset reads the
// keys; its own way to fetch them has no bound for what it reads, starts a
// goroutine, and cannot tell an unknown key from a set that is not there.
type keySet struct {
	load func(context.Context) ([]byte, error)
	now  func() time.Time
	turn chan struct{} // holds a value while somebody loads

	mu     sync.Mutex // guards what follows: the last set loaded, and the last attempt
	keys   []key
	loaded time.Time
	tried  time.Time
	failed error // of the last attempt
}

// newKeySet reads a set from a file now, from a URL when it is first needed.
func newKeySet(ctx context.Context, place string, client *http.Client, now func() time.Time) (*keySet, error) {
	s := &keySet{now: now, turn: make(chan struct{}, 1)}
	if !strings.Contains(place, "://") {
		s.load = func(context.Context) ([]byte, error) { return readFile(place) }
		return s, s.reload(ctx)
	}
	u, err := url.Parse(place)
	if err != nil {
		return nil, err
	}
	// A client of the operator's own may have reasons to go without TLS.
	if u.Host == "" || u.Scheme != "https" && (client == nil || u.Scheme != "http") {
		return nil, fmt.Errorf("JWKS %q is neither a file nor an https URL: %w", place, fs.ErrInvalid)
	}
	if client == nil {
		client = publicClient()
	}
	s.load = func(ctx context.Context) ([]byte, error) { return fetch(ctx, client, place) }
	return s, nil
}

// find returns the keys that a token naming kid may mean, perhaps none. An
// error means that there is no set to tell from.
func (s *keySet) find(ctx context.Context, kid string) ([]key, error) {
	keys, fresh, _ := s.known(kid)
	if len(keys) > 0 && fresh {
		return keys, nil
	}
	select {
	case s.turn <- struct{}{}:
	default:
		if len(keys) > 0 {
			return keys, nil // somebody else is at it
		}
		select {
		case s.turn <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	defer func() { <-s.turn }()
	if s.due() {
		s.reload(ctx) // its error is part of what is known now
	}
	keys, _, err := s.known(kid)
	if len(keys) > 0 {
		return keys, nil
	}
	return nil, err
}

// known is what the last set says about kid, whether that is fresh, and why it
// could not be read again.
func (s *keySet) known(kid string) (keys []key, fresh bool, failed error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	age := s.now().Sub(s.loaded)
	if age >= setUsable {
		return nil, false, s.failed
	}
	return matching(s.keys, kid), age < setFresh, s.failed
}

// due tells whether to try again, which those who send unknown kids must not
// be able to make us do all the time.
func (s *keySet) due() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now().Sub(s.tried) >= setPause
}

// reload replaces the set, or keeps the old one and the error.
func (s *keySet) reload(ctx context.Context) error {
	// Whoever asked may go away; those who wait for the answer have not.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), setWait)
	defer cancel()
	text, err := s.load(ctx)
	var keys []key
	if err == nil {
		keys, err = parseSet(text)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tried, s.failed = s.now(), err
	if err == nil {
		s.keys, s.loaded = keys, s.tried
	}
	return err
}

// parseSet reads the keys of a JWK Set that count, passing over those for
// encryption and of other kinds (RFC 7517, section 5). A symmetric key in a
// document that is there to be published is nobody's secret.
func parseSet(text []byte) ([]key, error) {
	var set jwkset.JWKSMarshal
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, fmt.Errorf("reading a JWK Set: %w", err)
	}
	var keys []key
	for _, one := range set.Keys {
		if one.USE != "" && one.USE != jwkset.UseSig {
			continue
		}
		// Certificates say nothing that the key does not, and x5u is a URL.
		one.X5C, one.X5T, one.X5TS256, one.X5U = nil, "", "", ""
		parsed, err := jwkset.NewJWKFromMarshal(one, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
		if err != nil {
			continue
		}
		pinned, err := pin(parsed.Key())
		if err != nil || one.ALG != "" && one.ALG.String() != pinned.alg {
			continue
		}
		pinned.id = one.KID
		keys = append(keys, pinned)
	}
	if len(keys) == 0 {
		return nil, errors.New("reading a JWK Set: no key of a kind that counts")
	}
	return keys, nil
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readSet(f)
}

func fetch(ctx context.Context, client *http.Client, place string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s", place, resp.Status)
	}
	return readSet(resp.Body)
}

func readSet(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxSet+1))
	if err == nil && len(text) > maxSet {
		err = fmt.Errorf("reading a JWK Set: more than %d bytes", maxSet)
	}
	return text, err
}
