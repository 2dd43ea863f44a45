package history

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"varve/history/sql"
)

// maxBatch is how many commits share one transaction.
const maxBatch = 128

// request is one commit waiting for its turn.
type request struct {
	ctx  context.Context
	plan func(*Tx) (*Change, error)

	lead chan struct{} // closed when this caller is to lead the next batch
	done chan struct{} // closed when change and err are set

	change *Change
	err    error
}

// Commit runs plan and appends the change it returns; a nil change appends
// nothing (statements queued with Tx.Do are still executed). It returns the
// change as written, after it is durable. Uploads of the change are kept
// (made durable) by the caller with Keep before Commit; Commit discards the
// files of those whose content was already stored, and the caller discards
// them when Commit fails. ErrInDoubt: the change may come back after a crash, and
// the files stay for it.
//
// Commit looks at ctx until its plan starts, never later.
//
// There is no writing goroutine: of those who wait, one leads, runs the plans
// of all and commits them together, and hands over to one of those who came
// meanwhile.
func (l *Log) Commit(ctx context.Context, plan func(*Tx) (*Change, error)) (*Change, error) {
	if l.lock == nil {
		return nil, errReadOnly
	}
	r := &request{ctx: ctx, plan: plan, lead: make(chan struct{}), done: make(chan struct{})}
	l.mu.Lock()
	if err := l.refusal(); err != nil {
		l.mu.Unlock()
		return nil, err
	}
	l.running.Add(1)
	defer l.running.Done()
	l.queue = append(l.queue, r)
	lead := !l.leading
	l.leading = true
	l.mu.Unlock()
	if !lead {
		select {
		case <-r.done:
			return r.change, r.err
		case <-r.lead:
		}
	}
	l.leadBatch()
	<-r.done
	return r.change, r.err
}

// Writable is nil, or why there can be no commits any more: ErrInDoubt.
func (l *Log) Writable() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refusal()
}

// refusal is why there can be no commits any more; the caller holds mu.
func (l *Log) refusal() error {
	if l.closed {
		return sql.ErrClosed
	}
	return l.inDoubt
}

// doubt has the log refuse all further commits, and returns why.
func (l *Log) doubt(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inDoubt = err
	return err
}

// leadBatch answers the first requests of the queue, the leader's own among
// them, and passes the lead on, whatever happens.
func (l *Log) leadBatch() {
	l.mu.Lock()
	n := min(len(l.queue), maxBatch)
	batch := l.queue[:n:n]
	l.queue = l.queue[n:]
	l.mu.Unlock()

	defer func() {
		if p := recover(); p != nil {
			// It was not in the transaction, so that nobody knows how far the
			// log's memory is behind the database.
			err := l.doubt(fmt.Errorf("%w: %w", ErrInDoubt, panicked(p)))
			for _, r := range batch {
				r.change, r.err = nil, err
			}
		}
		for _, r := range batch {
			close(r.done)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.leading = len(l.queue) > 0; l.leading {
			close(l.queue[0].lead)
		}
	}()
	l.answer(batch)
}

func panicked(p any) error { return fmt.Errorf("panic: %v\n%s", p, debug.Stack()) }

// answer commits requests together, or if that fails each alone, so that
// nobody pays for what another asked for.
func (l *Log) answer(requests []*request) {
	err := l.commit(requests)
	if err == nil {
		return
	}
	if errors.Is(err, ErrInDoubt) {
		leaveInDoubt(requests, err)
		return
	}
	if len(requests) == 1 {
		requests[0].change, requests[0].err = nil, noRoom(err)
		return
	}
	for _, r := range requests {
		l.answer([]*request{r})
	}
}

// leaveInDoubt answers requests whose transaction may come back: their files
// have to be there then.
func leaveInDoubt(requests []*request, err error) {
	for _, r := range requests {
		if r.change != nil {
			for _, u := range r.change.Uploads {
				u.Commit()
			}
		}
		if r.change = nil; r.err == nil {
			r.err = err
		}
	}
}

// commit runs the plans of requests in one transaction. A plan's own error is
// that request's alone; an error of commit means that nothing was written, if it
// is not ErrInDoubt.
func (l *Log) commit(requests []*request) error {
	for _, r := range requests {
		r.change, r.err = nil, nil
	}
	if l.inDoubt != nil { // only the leader, who is here, sets it
		return l.inDoubt
	}
	var b *batch
	err := l.db.Write(func(c *sql.Conn) (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = panicked(p)
			}
		}()
		b = newBatch(l, c)
		for _, r := range requests {
			if r.err = r.ctx.Err(); r.err != nil {
				continue
			}
			r.change, r.err = b.run(r.plan)
			if b.err != nil {
				return b.err
			}
		}
		return b.flush()
	})
	if errors.Is(err, ErrInDoubt) {
		return l.doubt(err)
	}
	if err != nil {
		return err
	}
	b.publish()
	return nil
}

// run runs one plan and takes its change into the batch. After an error that
// leaves the transaction in doubt b.err is set.
func (b *batch) run(plan func(*Tx) (*Change, error)) (*Change, error) {
	tx := &Tx{c: b.c, b: b, now: fromNanos(max(b.end.time, nanos(b.l.now())))}
	defer tx.end()
	change, err := call(plan, tx)
	if err == nil {
		err = b.err
	}
	if err == nil && change != nil {
		change, err = b.append(tx, change)
	}
	if err != nil {
		return nil, err
	}
	for _, w := range tx.queue {
		if _, err := b.c.Exec(w.query, w.args...); err != nil {
			b.err = err
			return nil, err
		}
	}
	return change, nil
}

// call keeps a plan that panics from taking those with it who wait for the
// leader.
func call(plan func(*Tx) (*Change, error), tx *Tx) (c *Change, err error) {
	defer func() {
		if p := recover(); p != nil {
			c, err = nil, panicked(p)
		}
	}()
	return plan(tx)
}

// publish makes the end of a committed batch the end of the log.
func (b *batch) publish() {
	l := b.l
	l.last = b.end
	for a, id := range b.actors {
		l.remember(a, id)
	}
	for _, u := range b.stored {
		u.Commit()
	}
	for _, u := range b.surplus {
		l.blobs.Discard(u)
	}
	l.seq.Store(int64(l.last.seq))
}

// remember keeps the id of an actor, and not of more of them than are at work.
func (l *Log) remember(a Actor, id int64) {
	const most = 4096
	if len(l.actors) >= most {
		clear(l.actors)
	}
	l.actors[a] = id
}
