package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	startTime = 20 * time.Second // a server may take to listen
	stopTime  = 10 * time.Second // and to end
)

// process is a running server, which is ended by stop and by nothing else.
type process struct {
	cmd   *exec.Cmd
	log   string        // file of what it prints
	ended chan struct{} // closed when it has ended
	err   error         // how; once ended
}

// startProcess starts cmd, which is to listen on address, and waits until it
// does. What it prints goes into a file, for errors.
func startProcess(ctx context.Context, cmd *exec.Cmd, address, log string) (*process, error) {
	out, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	// A group of its own: what ends the benchmark from the terminal must not end
	// the servers before their time, and with a server its workers go.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, log: log, ended: make(chan struct{})}
	go func() { // ends with the process
		p.err = cmd.Wait()
		close(p.ended)
	}()
	if err := p.wait(ctx, address); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

// wait returns once somebody listens on address.
func (p *process) wait(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-p.ended:
			return fmt.Errorf("it ended: %w%s", p.err, p.said())
		case <-ctx.Done():
			return fmt.Errorf("it does not listen: %w%s", ctx.Err(), p.said())
		case <-again.C:
		}
	}
}

// stop asks the process to end, and ends it if it does not. How it ended is of
// no interest: not every server ends a SIGTERM with status 0.
func (p *process) stop() error {
	select {
	case <-p.ended:
		return nil
	default:
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	late := time.NewTimer(stopTime)
	defer late.Stop()
	select {
	case <-p.ended:
		return nil
	case <-late.C:
	}
	if err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	<-p.ended
	return nil
}

// said is the end of what the process printed.
func (p *process) said() string {
	text, err := os.ReadFile(p.log)
	if err != nil || len(text) == 0 {
		return ""
	}
	return ": " + tail(text)
}

// tail is the end of what a program printed, where errors stand.
func tail(text []byte) string {
	text = bytes.TrimSpace(text)
	return string(text[max(0, len(text)-500):])
}

// peak is the most memory the process has had resident, in bytes.
func (p *process) peak() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, found := strings.Cut(string(text), "\nVmHWM:")
	fields := strings.Fields(rest)
	if !found || len(fields) == 0 {
		return 0, errors.New("the system does not tell")
	}
	kilobytes, err := strconv.ParseInt(fields[0], 10, 64)
	return kilobytes << 10, err
}

// freeAddress is a loopback address nobody listens on now.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
