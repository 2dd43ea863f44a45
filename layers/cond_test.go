package layers

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestConditions(t *testing.T) {
	w := newWorld(t)
	ann := w.User("ann")
	ann.put("f", "1")
	tag := ann.stat("f").ETag
	l := ann.lock("f", LockOptions{})
	term := func(t IfTerm) Cond { return Cond{Tokens: []string{l.Token}, If: []IfList{{Terms: []IfTerm{t}}}} }
	for _, c := range []struct {
		what string
		cond Cond
		want error
	}{
		{"If-Match", Cond{IfMatch: []string{tag}}, nil},
		{"If-Match *", Cond{IfMatch: []string{"*"}}, nil},
		{"If-Match other", Cond{IfMatch: []string{`"x"`}}, ErrPrecondition},
		{"If-Match weak", Cond{IfMatch: []string{"W/" + tag}}, ErrPrecondition},
		{"If-None-Match *", Cond{IfNoneMatch: []string{"*"}}, ErrPrecondition},
		{"If-None-Match weak", Cond{IfNoneMatch: []string{"W/" + tag}}, ErrPrecondition},
		{"If-None-Match other", Cond{IfNoneMatch: []string{`"x"`}}, nil},
		{"If-Unmodified-Since long ago", Cond{IfUnmodifiedSince: time.Unix(1, 0)}, ErrPrecondition},
		{"If-Unmodified-Since later", Cond{IfUnmodifiedSince: time.Now().Add(time.Hour)}, nil},
		{"If token", term(IfTerm{Token: l.Token}), nil},
		{"If no-lock", term(IfTerm{Token: "DAV:no-lock"}), ErrPrecondition},
		{"If Not no-lock", term(IfTerm{Not: true, Token: "DAV:no-lock"}), nil},
		{"If tag", term(IfTerm{ETag: tag}), nil},
		{"If other tag", term(IfTerm{ETag: `"x"`}), ErrPrecondition},
		{"If tagged with another name", Cond{If: []IfList{{Name: "g", Terms: []IfTerm{{ETag: tag}}}}}, ErrPrecondition},
		{"If foreign Not", Cond{If: []IfList{{Foreign: true, Terms: []IfTerm{{Not: true, ETag: tag}}}}}, nil},
		{"If tagged in another view", Cond{If: []IfList{{View: w.Session("one").View, Name: "f", Terms: []IfTerm{{ETag: tag}}}}}, nil},
		{"If second list", Cond{If: []IfList{{Terms: []IfTerm{{ETag: `"x"`}}}, {Terms: []IfTerm{{ETag: tag}}}}}, nil},
	} {
		c.cond.Tokens = append(c.cond.Tokens, l.Token)
		_, err := ann.SetProps(t.Context(), "f", nil, time.Time{}, c.cond)
		ann.want(c.what, c.want, err)
	}
	ann.want("locked", ErrLocked, ann.tryPut("f", "2", Cond{}))
	ann.want("locked, and a condition fails", ErrPrecondition, ann.tryPut("f", "2", Cond{IfMatch: []string{`"x"`}}))
	ann.want("If-Match * on nothing", ErrPrecondition, ann.tryPut("g", "", Cond{IfMatch: []string{"*"}}))
	ann.want("If-None-Match * on nothing", nil, ann.tryPut("g", "", Cond{IfNoneMatch: []string{"*"}}))
}

// failing is a body that must not be read.
type failing struct{ t *testing.T }

func (f failing) Read([]byte) (int, error) {
	f.t.Error("the body was read although the request could not succeed")
	return 0, errors.New("read")
}

func TestConditionsAreCheckedBeforeTheBody(t *testing.T) {
	w := newWorld(t)
	ann := w.User("ann")
	ann.put("f", "1").mkdir("d").put("l", "1")
	ann.lock("l", LockOptions{})
	for name, c := range map[string]Cond{"f": {IfMatch: []string{`"x"`}}, "d": {}, "l": {}, "no/parent": {}} {
		if _, err := ann.Put(t.Context(), name, PutOptions{Body: failing{t}, Length: 3, Cond: c}); err == nil {
			t.Errorf("put %s succeeded", name)
		}
	}
}

func TestRacingIfMatch(t *testing.T) {
	w := newWorld(t)
	ann := w.User("ann")
	for round := range 20 {
		ann.put("f", fmt.Sprint("round ", round))
		tag := ann.stat("f").ETag
		var mu sync.Mutex
		var won, lost int
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				text := fmt.Sprint(round, " writer ", i)
				_, err := ann.Put(t.Context(), "f", PutOptions{
					Body: strings.NewReader(text), Length: int64(len(text)), Cond: Cond{IfMatch: []string{tag}},
				})
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					won++
				case errors.Is(err, ErrPrecondition):
					lost++
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won != 1 || lost != 7 {
			t.Fatalf("%d writers won and %d lost, want 1 and 7", won, lost)
		}
	}
}

func TestRacingMoves(t *testing.T) {
	w := newWorld(t)
	ann := w.User("ann")
	for round := range 10 {
		ann.mkdir("d").put("d/x", "1")
		var wg sync.WaitGroup
		errs := make([]error, 2)
		for i := range errs {
			wg.Go(func() {
				_, errs[i] = ann.Move(t.Context(), "d", fmt.Sprintf("to%d-%d", round, i), CopyOptions{})
			})
		}
		wg.Wait()
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Fatalf("two moves of one directory = %v", errs)
		}
	}
}

func TestETagFitsIntoClients(t *testing.T) {
	ann := newWorld(t).User("ann")
	ann.put("f", "1")
	if tag := ann.stat("f").ETag; len(tag) > 55 {
		t.Errorf("ETag = %s, %d characters; litmus 0.13 breaks off after 55", tag, len(tag))
	}
}
