package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// rcloneCopy is rclone copy of small files to a server and back.
func rcloneCopy(files int) workload {
	text := fmt.Sprintf("rclone copy of %s x 4 KiB ", humanize.Comma(int64(files)))
	return workload{
		rows:  []row{{text + "up", "s", true}, {text + "down", "s", true}},
		slow:  true,
		lacks: noRclone,
		measure: func(ctx context.Context, s *server, round int) ([]float64, error) {
			program, err := find([]string{"rclone"})
			if err != nil {
				return nil, err
			}
			dir, err := os.MkdirTemp(s.dir, "rclone-")
			if err != nil {
				return nil, err
			}
			defer os.RemoveAll(dir)
			return s.upAndDown(ctx, program, dir, fmt.Sprintf(":webdav:rclone-%d", round), files)
		},
	}
}

// noRclone says why there is no rclone to copy with.
func noRclone(ctx context.Context) error {
	program, err := find([]string{"rclone"})
	if err != nil {
		return err
	}
	flags, err := output(ctx, program, "help", "flags")
	if err == nil && !strings.Contains(flags, "--webdav-pacer-min-sleep") {
		err = errors.New("this rclone waits 10 ms before each request, whatever the server does; from 1.63 on it need not")
	}
	return err
}

// upAndDown copies files to remote and from there into another directory, and
// returns the seconds each took.
func (s *server) upAndDown(ctx context.Context, program, dir, remote string, files int) ([]float64, error) {
	up, down := filepath.Join(dir, "up"), filepath.Join(dir, "down")
	if err := s.writeFiles(up, files); err != nil {
		return nil, err
	}
	if err := writeBack(dir); err != nil {
		return nil, err
	}
	var took []float64
	for _, copied := range [][2]string{{up, remote}, {remote, down}} {
		cmd, err := s.rcloneCommand(ctx, program, dir, "copy", copied[0], copied[1], "--transfers", "16")
		if err != nil {
			return nil, err
		}
		began := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("rclone: %w: %s", err, tail(out))
		}
		took = append(took, time.Since(began).Seconds())
	}
	return took, sameFiles(up, down)
}

// rcloneCommand is rclone with s as its remote :webdav:.
func (s *server) rcloneCommand(ctx context.Context, program, dir string, args ...string) (*exec.Cmd, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	env := []string{"RCLONE_WEBDAV_URL=http://" + s.address + s.base, "RCLONE_WEBDAV_VENDOR=other", "RCLONE_WEBDAV_PACER_MIN_SLEEP=0s"}
	if s.login.bearer != "" {
		env = append(env, "RCLONE_WEBDAV_BEARER_TOKEN="+s.login.bearer)
	} else {
		obscure := exec.CommandContext(ctx, program, "obscure", "-")
		obscure.Stdin = strings.NewReader(s.login.password)
		if err := rcloneEnv(obscure, dir); err != nil {
			return nil, err
		}
		obscured, err := obscure.Output()
		if err != nil {
			return nil, fmt.Errorf("rclone obscure: %w", err)
		}
		env = append(env, "RCLONE_WEBDAV_USER="+s.login.user, "RCLONE_WEBDAV_PASS="+string(bytes.TrimSpace(obscured)))
	}
	return cmd, rcloneEnv(cmd, dir, env...)
}

// writeFiles writes small files into branches of a directory.
func (s *server) writeFiles(dir string, files int) error {
	b := newBody(smallSize)
	for n := range files {
		branch := filepath.Join(dir, fmt.Sprintf("branch-%d", n%branches))
		if n < branches {
			if err := os.MkdirAll(branch, 0o755); err != nil {
				return err
			}
		}
		if err := os.WriteFile(filepath.Join(branch, fileName(n)), b.stamped(s), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// sameFiles checks that two directories of branches hold the same files.
func sameFiles(a, b string) error {
	names, err := filepath.Glob(filepath.Join(a, "*", "*"))
	if err != nil {
		return err
	}
	for _, name := range names {
		want, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(a, name)
		if err != nil {
			return err
		}
		got, err := os.ReadFile(filepath.Join(b, rel))
		if err != nil {
			return err
		}
		if !bytes.Equal(got, want) {
			return fmt.Errorf("%s came back changed", rel)
		}
	}
	return nil
}
