// Tests of whole processes: output, exit, limits, grandchildren, terminals.

package process

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestOutputAndExitCodeArrive(t *testing.T) {
	c, exit := run(t, shell("echo out; echo err >&2; exit 7"))
	if c.stdout.String() != "out\n" || c.stderr.String() != "err\n" {
		t.Fatalf("stdout %q, stderr %q", c.stdout.String(), c.stderr.String())
	}
	if *exit.ExitCode != 7 || exit.Signal != "" || *exit.TimedOut || *exit.StdoutBytes != 4 || *exit.StderrBytes != 4 {
		t.Fatalf("exit %+v", exit)
	}
}

func TestExitBySignalIsNamed(t *testing.T) {
	_, exit := run(t, shell("kill -TERM $$"))
	if *exit.ExitCode != 143 || exit.Signal != "TERM" {
		t.Fatalf("exit %d %q", *exit.ExitCode, exit.Signal)
	}
}

func TestManyShortProcessesKeepTheirOwnStatus(t *testing.T) {
	for code := range 40 {
		_, exit := run(t, shell(fmt.Sprintf("exit %d", code)))
		if *exit.ExitCode != code {
			t.Fatalf("exit code %d, want %d", *exit.ExitCode, code)
		}
	}
}

func TestMuchOutputComesWholeAndInBoundedFrames(t *testing.T) {
	request := shell("head -c 20000000 /dev/zero; printf end")
	request.BufferBytes = leastBuffer
	c, exit := run(t, request)
	if *exit.StdoutBytes != 20_000_003 || c.stdout.Len() != 20_000_003 || !strings.HasSuffix(c.stdout.String(), "\x00end") {
		t.Fatalf("%d bytes told, %d received", *exit.StdoutBytes, c.stdout.Len())
	}
	if c.longest > 65536 {
		t.Fatalf("a payload of %d bytes", c.longest)
	}
}

func TestDropTellsOfTheGap(t *testing.T) {
	request := shell("head -c 1000000 /dev/zero; printf end")
	request.BufferBytes, request.Overflow = leastBuffer, "drop"
	p := start(t, request)
	waitUntil(t, "the process ends", p.isDone)
	c, exit := follow(t, p, 0, 0)
	gap := c.events[1]
	if gap.Event != "gap" || gap.Stream != "stdout" || *gap.From != 0 || *gap.To != *exit.StdoutBytes-int64(c.stdout.Len()) {
		t.Fatalf("events %+v", c.events)
	}
	if c.stdout.Len() != leastBuffer || !strings.HasSuffix(c.stdout.String(), "end") {
		t.Fatalf("%d bytes are left", c.stdout.Len())
	}
}

func TestAttachAgainAtAnOffset(t *testing.T) {
	request := shell("printf 0123456789; cat")
	request.Stdin = true
	p := start(t, request)
	stop := errors.New("connection cut")
	first := &collector{onBytes: func(stdout string) error {
		if len(stdout) == 10 {
			return stop
		}
		return nil
	}}
	attachment, err := p.Attach(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := attachment.Follow(t.Context(), first, true); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	attachment.Detach()
	if _, err := p.Feed(t.Context(), strings.NewReader("abc"), true); err != nil {
		t.Fatal(err)
	}
	c, exit := follow(t, p, 4, 0)
	if c.stdout.String() != "456789abc" || *exit.ExitCode != 0 {
		t.Fatalf("stdout %q", c.stdout.String())
	}
	if _, err := p.Attach(14, 0); err == nil {
		t.Fatal("attached ahead of the output")
	}
}

func TestTimeoutKillsGrandchildrenToo(t *testing.T) {
	request := shell("sleep 1000 & echo $!; wait")
	request.TimeoutMs = 300
	c, exit := run(t, request)
	if *exit.ExitCode != 137 || exit.Signal != "KILL" || !*exit.TimedOut {
		t.Fatalf("exit %+v", exit)
	}
	grandchild := strings.TrimSpace(c.stdout.String())
	waitUntil(t, "the grandchild is gone", func() bool { return !isRunning(grandchild) })
}

func TestKillReachesADetachedGrandchild(t *testing.T) {
	needsCgroups(t)
	needsProgram(t, "setsid")
	p := start(t, shell("setsid sh -c 'echo $$; sleep 1000' & wait"))
	told := make(chan string, 1)
	go func() {
		attachment, err := p.Attach(0, 0)
		if err != nil {
			return
		}
		defer attachment.Detach()
		_ = attachment.Follow(t.Context(), &collector{onBytes: func(stdout string) error {
			if strings.HasSuffix(stdout, "\n") {
				told <- strings.TrimSpace(stdout)
				return errors.New("enough")
			}
			return nil
		}}, true)
	}()
	grandchild := <-told
	if err := p.Signal("KILL", "all"); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "the grandchild is gone", func() bool { return !isRunning(grandchild) })
}

func TestBackgroundChildHoldsUpNothing(t *testing.T) {
	began := time.Now()
	c, exit := run(t, shell("sleep 1000 & echo started; echo $!"))
	if *exit.ExitCode != 0 || !strings.HasPrefix(c.stdout.String(), "started\n") {
		t.Fatalf("exit %+v, stdout %q", exit, c.stdout.String())
	}
	if took := time.Since(began); took > deadline/2 {
		t.Fatalf("took %v", took)
	}
	if !isRunning(strings.Fields(c.stdout.String())[1]) {
		t.Fatal("the background child did not live on")
	}
}

func TestBackgroundChildThatWritesForEverHoldsUpNothing(t *testing.T) {
	for _, overflow := range []string{"block", "drop"} {
		request := shell("yes & echo $! >&2")
		request.Overflow = overflow
		c, exit := run(t, request)
		if *exit.ExitCode != 0 || int64(c.stderr.Len()) != *exit.StderrBytes {
			t.Fatalf("%s: exit %+v", overflow, exit)
		}
		child := strings.TrimSpace(c.stderr.String())
		time.Sleep(50 * time.Millisecond)
		if !isRunning(child) {
			t.Fatalf("%s: the background child ended with its leader", overflow)
		}
	}
}

func TestExitIsKnownThoughNobodyReads(t *testing.T) {
	request := shell("head -c 200000 /dev/zero")
	request.BufferBytes = leastBuffer
	p := start(t, request)
	waitUntil(t, "the buffer is full", func() bool { return p.stdout.total() == leastBuffer })
	if !p.Info().Running {
		t.Fatal("a blocked process counts as over")
	}
	_ = p.Signal("KILL", "group")
	waitUntil(t, "the process is over", func() bool { return !p.Info().Running })
	c, exit := follow(t, p, 0, 0)
	if int64(c.stdout.Len()) != *exit.StdoutBytes || c.stdout.Len() < leastBuffer {
		t.Fatalf("%d bytes of %d", c.stdout.Len(), *exit.StdoutBytes)
	}
}

func TestForgetKillsAndForgets(t *testing.T) {
	p := start(t, shell("sleep 1000"))
	pid := fmt.Sprint(p.pid)
	if !manager(t).Forget(p.id) {
		t.Fatal("not known")
	}
	if _, known := manager(t).Get(p.id); known || manager(t).Forget(p.id) {
		t.Fatal("still known")
	}
	waitUntil(t, "the process is gone", func() bool { return !isRunning(pid) })
	if p.hasCgroup {
		waitUntil(t, "the cgroup is removed", func() bool {
			_, err := p.cgroups.root.Stat(p.id)
			return err != nil
		})
	}
}

func TestTooManyProcessesAreRefused(t *testing.T) {
	m := manager(t)
	m.mu.Lock()
	before := m.starting
	m.starting = mostProcesses - len(m.known)
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		m.starting = before
		m.mu.Unlock()
	}()
	if code := refusal(t, shell("true")); code != "too_many" {
		t.Fatalf("code %q", code)
	}
}

func TestListTellsOfLongCommandsInShort(t *testing.T) {
	request := Request{Argv: []string{"sh", "-c", "exit 0", strings.Repeat("ä", 60_000), "more"}, Overflow: "block"}
	p := start(t, request)
	for _, info := range manager(t).List() {
		if info.ID != p.id {
			continue
		}
		told := strings.Join(info.Argv, "")
		if len(told) > mostToldArgv+10 || info.Argv[0] != "sh" || !strings.HasSuffix(told, "…") {
			t.Fatalf("told %d bytes: %.60q", len(told), told)
		}
		return
	}
	t.Fatal("not listed")
}

func TestLeftProcessGoesOnAndIsForgotten(t *testing.T) {
	p := start(t, shell("(while :; do echo more; sleep 0.01; done) & echo $! >&2"))
	c, _ := follow(t, p, 0, 0)
	child := strings.TrimSpace(c.stderr.String())
	if !manager(t).Leave(p.id) {
		t.Fatal("not known")
	}
	if _, known := manager(t).Get(p.id); known || manager(t).Leave(p.id) {
		t.Fatal("still known")
	}
	time.Sleep(50 * time.Millisecond)
	if !isRunning(child) {
		t.Fatal("what was left did not go on")
	}
	pid, _ := strconv.Atoi(child)
	_ = syscall.Kill(pid, syscall.SIGKILL)
}

func TestLeaveKillsWhatHasNotEnded(t *testing.T) {
	p := start(t, shell("sleep 1000"))
	manager(t).Leave(p.id)
	waitUntil(t, "it is gone", func() bool { return !isRunning(strconv.Itoa(p.pid)) })
}
