// Tests of signals, input and terminals.

package process

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// isRunning tells whether a process lives; a zombie does not.
func isRunning(pid string) bool {
	text, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return false
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	return len(fields) > 0 && fields[0] != "Z"
}

// onceSaid runs then when the process has written text.
func onceSaid(text string, then func() error) *collector {
	isDone := false
	return &collector{onBytes: func(stdout string) error {
		if isDone || !strings.Contains(stdout, text) {
			return nil
		}
		isDone = true
		return then()
	}}
}

func TestSignalReachesTheGroup(t *testing.T) {
	p := start(t, shell("trap 'echo caught; exit 3' USR1; echo ready; while :; do sleep 0.05; done"))
	c := onceSaid("ready", func() error { return p.Signal("USR1", "group") })
	exit := followInto(t, p, 0, 0, c)
	if *exit.ExitCode != 3 || !strings.Contains(c.stdout.String(), "caught") {
		t.Fatalf("exit %+v, stdout %q", exit, c.stdout.String())
	}
}

func TestSignalsOfUnknownNameOrScopeAreRefused(t *testing.T) {
	p := start(t, shell("sleep 1000"))
	for _, pair := range [][2]string{{"NOPE", "group"}, {"", "all"}, {"TERM", "world"}, {"SIGTERM", "group"}} {
		var r *Refusal
		if err := p.Signal(pair[0], pair[1]); !errors.As(err, &r) || r.Code != "invalid_request" {
			t.Fatalf("%v: %v", pair, err)
		}
	}
	if !p.Info().Running {
		t.Fatal("a refused signal was sent")
	}
}

func TestSignalAfterTheEndIsNoError(t *testing.T) {
	p := start(t, shell("true"))
	waitUntil(t, "the process is over", p.isDone)
	for _, scope := range []string{"group", "all"} {
		if err := p.Signal("KILL", scope); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhatALeaderLeavesIsWaitedFor(t *testing.T) {
	p := start(t, shell("sleep 0.5 & exit 0"))
	waitUntil(t, "the leader is over", p.isDone)
	began := time.Now()
	p.WaitEmpty(t.Context(), 50*time.Millisecond)
	if took := time.Since(began); took < 50*time.Millisecond || !p.hasMembers() {
		t.Fatalf("did not wait as long as it may: %v", took)
	}
	p.WaitEmpty(t.Context(), deadline)
	if took := time.Since(began); p.hasMembers() || took > deadline/2 {
		t.Fatalf("still there after %v", took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	began = time.Now()
	start(t, shell("sleep 1000")).WaitEmpty(ctx, deadline)
	if took := time.Since(began); took > deadline/2 {
		t.Fatalf("waited %v for nobody", took)
	}
}

func TestInputIsTakenAtTheProcessPace(t *testing.T) {
	request := Request{Argv: []string{"wc", "-c"}, Stdin: true, Overflow: "block"}
	p := start(t, request)
	n, err := p.Feed(t.Context(), strings.NewReader(strings.Repeat("x", 3_000_000)), true)
	if err != nil || n != 3_000_000 {
		t.Fatalf("%d bytes taken: %v", n, err)
	}
	c, _ := follow(t, p, 0, 0)
	if strings.TrimSpace(c.stdout.String()) != "3000000" {
		t.Fatalf("stdout %q", c.stdout.String())
	}
	if _, err := p.Feed(t.Context(), strings.NewReader("late"), false); codeOf(err) != "stdin_closed" {
		t.Fatalf("after the end: %v", err)
	}
}

func TestInputThatNobodyReadsEndsWithItsRequest(t *testing.T) {
	request := shell("sleep 1000")
	request.Stdin = true
	p := start(t, request)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	body := strings.NewReader(strings.Repeat("x", 1_000_000))
	if _, err := p.Feed(ctx, body, false); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("feed: %v", err)
	}
	// The next request takes its turn and is stuck in its own right, not by the one before.
	ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := p.Feed(ctx, strings.NewReader("x"), false); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("feed again: %v", err)
	}
}

func TestInputOfAProcessThatClosedItIsRefused(t *testing.T) {
	request := shell("exec 0<&-; echo closed; sleep 1000")
	request.Stdin = true
	p := start(t, request)
	stop := errors.New("enough")
	attachment, err := p.Attach(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer attachment.Detach()
	if err := attachment.Follow(t.Context(), onceSaid("closed", func() error { return stop }), true); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	if _, err := p.Feed(t.Context(), strings.NewReader("x"), false); codeOf(err) != "stdin_closed" {
		t.Fatalf("feed: %v", err)
	}
	without := start(t, shell("sleep 1000"))
	if _, err := without.Feed(t.Context(), strings.NewReader("x"), false); codeOf(err) != "stdin_closed" {
		t.Fatalf("feed without input: %v", err)
	}
}

func codeOf(err error) string {
	var r *Refusal
	if errors.As(err, &r) {
		return r.Code
	}
	return ""
}

func TestTerminalHasItsSizeAndName(t *testing.T) {
	request := shell("stty size; echo $TERM; test -t 0 && test -t 2 && echo tty; echo err >&2")
	request.Terminal = &Size{Cols: 123, Rows: 45}
	c, exit := run(t, request)
	want := "45 123\r\nxterm-256color\r\ntty\r\nerr\r\n"
	if c.stdout.String() != want || *exit.StderrBytes != 0 || *exit.ExitCode != 0 {
		t.Fatalf("stdout %q, exit %+v", c.stdout.String(), exit)
	}
}

func TestTerminalLosesNothingAtTheEnd(t *testing.T) {
	for range 20 {
		request := shell("i=0; while [ $i -lt 200 ]; do echo line $i; i=$((i+1)); done")
		request.Terminal = &Size{Cols: 80, Rows: 24}
		if c, _ := run(t, request); !strings.HasSuffix(c.stdout.String(), "line 199\r\n") {
			t.Fatalf("the end is %q", tail(c.stdout.String()))
		}
	}
}

func TestTerminalResizeAndEndOfFile(t *testing.T) {
	request := shell("echo ready; read line; stty size; echo got $line; read line || echo over")
	request.Terminal = &Size{Cols: 80, Rows: 24}
	p := start(t, request)
	c := onceSaid("ready", func() error {
		if err := p.Resize(Size{Cols: 100, Rows: 50}); err != nil {
			return err
		}
		_, err := p.Feed(t.Context(), strings.NewReader("word\n"), true)
		return err
	})
	exit := followInto(t, p, 0, 0, c)
	for _, want := range []string{"50 100\r\n", "got word\r\n", "over\r\n"} {
		if !strings.Contains(c.stdout.String(), want) {
			t.Fatalf("%q is missing in %q", want, c.stdout.String())
		}
	}
	if *exit.ExitCode != 0 {
		t.Fatalf("exit %+v", exit)
	}
	without := start(t, shell("sleep 1000"))
	if err := without.Resize(Size{Cols: 80, Rows: 24}); codeOf(err) != "invalid_request" {
		t.Fatalf("resize without a terminal: %v", err)
	}
}

func TestTerminalOfUnknownSizeIsTaken(t *testing.T) {
	request := shell("stty size")
	request.Terminal = &Size{}
	if c, _ := run(t, request); c.stdout.String() != "0 0\r\n" {
		t.Fatalf("stdout %q", c.stdout.String())
	}
}

func TestTerminalSignalGoesToTheForeground(t *testing.T) {
	needsProgram(t, "bash")
	// An interactive shell gives each command a group of its own; the shell itself outlives the interrupt.
	request := Request{Argv: []string{"bash", "--norc", "-i"}, Terminal: &Size{Cols: 80, Rows: 24}, Overflow: "block"}
	p := start(t, request)
	if _, err := p.Feed(t.Context(), strings.NewReader("echo be''gun; sleep 1000; echo code $?; exit 5\n"), false); err != nil {
		t.Fatal(err)
	}
	c := onceSaid("begun", func() error {
		time.Sleep(200 * time.Millisecond)
		return p.Signal("INT", "group")
	})
	go func() {
		// bash drops the rest of the line after an interrupt.
		time.Sleep(time.Second)
		_, _ = p.Feed(context.Background(), strings.NewReader("exit 6\n"), false)
	}()
	if exit := followInto(t, p, 0, 0, c); *exit.ExitCode != 6 && *exit.ExitCode != 5 {
		t.Fatalf("exit %+v, stdout %q", exit, c.stdout.String())
	}
}
