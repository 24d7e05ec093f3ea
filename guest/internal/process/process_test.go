// Tests of processes as the host sees them: frames, exits, limits, signals, terminals.

package process

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"
)

var manager = sync.OnceValue(func() *Manager { return NewManager("") })

type noFlush struct{}

func (noFlush) Flush() {}

type result struct {
	stdout, stderr string
	exit           Event
	gaps           int
}

func run(t *testing.T, request Request) result {
	t.Helper()
	if request.Overflow == "" {
		request.Overflow = "block"
	}
	p, err := manager().Start(request)
	if err != nil {
		t.Fatal(err)
	}
	defer manager().Forget(p.ID())
	return follow(t, p)
}

func follow(t *testing.T, p *Process) (r result) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var stream bytes.Buffer
	if err := p.Attach(ctx, &stream, noFlush{}, 0, 0); err != nil {
		t.Fatal(err)
	}
	for b := stream.Bytes(); len(b) > 0; {
		size := int(binary.BigEndian.Uint32(b[1:5]))
		payload := b[5 : 5+size]
		switch b[0] {
		case kindStdout:
			r.stdout += string(payload)
		case kindStderr:
			r.stderr += string(payload)
		default:
			var event Event
			if err := json.Unmarshal(payload, &event); err != nil {
				t.Fatal(err)
			}
			if event.Event == "gap" {
				r.gaps++
			}
			r.exit = event
		}
		b = b[5+size:]
	}
	return r
}

func TestOutputAndExitCode(t *testing.T) {
	r := run(t, Request{Argv: []string{"sh", "-c", "echo out; echo err >&2; exit 5"}})
	if r.stdout != "out\n" || r.stderr != "err\n" || *r.exit.ExitCode != 5 {
		t.Fatalf("%+v", r)
	}
}

func TestSignalledProcessReports128PlusItsNumber(t *testing.T) {
	r := run(t, Request{Argv: []string{"sh", "-c", "kill -TERM $$"}})
	if *r.exit.ExitCode != 143 || r.exit.Signal != "TERM" {
		t.Fatalf("%+v", r.exit)
	}
}

func TestBackgroundChildDoesNotHoldTheExit(t *testing.T) {
	started := time.Now()
	r := run(t, Request{Argv: []string{"sh", "-c", "sleep 30 & echo done"}})
	if r.stdout != "done\n" || time.Since(started) > 5*time.Second {
		t.Fatalf("%q after %v", r.stdout, time.Since(started))
	}
}

func TestTimeoutKeepsWhatWasWritten(t *testing.T) {
	r := run(t, Request{Argv: []string{"sh", "-c", "echo before; exec sleep 30"}, TimeoutMs: 300})
	if r.stdout != "before\n" || !*r.exit.TimedOut || r.exit.Signal != "KILL" {
		t.Fatalf("%q %+v", r.stdout, r.exit)
	}
}

func TestBlockedWriterLosesNothing(t *testing.T) {
	r := run(t, Request{Argv: []string{"sh", "-c", "head -c 3000000 /dev/zero"}, BufferBytes: leastBuffer})
	if len(r.stdout) != 3000000 || r.gaps != 0 {
		t.Fatalf("%d bytes, %d gaps", len(r.stdout), r.gaps)
	}
}

func TestDroppedOutputIsReportedAsAGap(t *testing.T) {
	p, err := manager().Start(Request{Argv: []string{"sh", "-c", "head -c 300000 /dev/zero"}, BufferBytes: leastBuffer, Overflow: "drop"})
	if err != nil {
		t.Fatal(err)
	}
	for !p.isDone() {
		<-p.watch()
	}
	r := follow(t, p)
	if len(r.stdout) != leastBuffer || r.gaps != 1 || *r.exit.StdoutBytes != 300000 {
		t.Fatalf("%d bytes, %d gaps, %+v", len(r.stdout), r.gaps, r.exit)
	}
}

func TestInputReachesTheProcess(t *testing.T) {
	p, err := manager().Start(Request{Argv: []string{"cat"}, Stdin: true, Overflow: "block"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Input().WriteString("through"); err != nil {
		t.Fatal(err)
	}
	_ = p.Input().Close()
	if r := follow(t, p); r.stdout != "through" {
		t.Fatalf("%q", r.stdout)
	}
}

func TestTerminalHasASizeAndIsOne(t *testing.T) {
	r := run(t, Request{Argv: []string{"sh", "-c", "stty size; test -t 0 && echo terminal"}, Terminal: &Size{Cols: 91, Rows: 17}})
	if !strings.Contains(r.stdout, "17 91") || !strings.Contains(r.stdout, "terminal") {
		t.Fatalf("%q", r.stdout)
	}
}

func TestSignalReachesTheWholeGroup(t *testing.T) {
	p, err := manager().Start(Request{Argv: []string{"sh", "-c", "sleep 30; echo not reached"}, Overflow: "block"})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	if err := p.Signal("INT", "group"); err != nil {
		t.Fatal(err)
	}
	if r := follow(t, p); r.stdout != "" || *r.exit.ExitCode != 130 {
		t.Fatalf("%q %+v", r.stdout, r.exit)
	}
}

func TestRefusals(t *testing.T) {
	for code, request := range map[string]Request{
		"command_not_found":      {Argv: []string{"no-such-command"}, Overflow: "block"},
		"command_not_executable": {Argv: []string{"/etc/passwd"}, Overflow: "block"},
		"cwd_missing":            {Argv: []string{"true"}, Cwd: "/no/such", Overflow: "block"},
		"user_unknown":           {Argv: []string{"true"}, User: "no-such-user", Overflow: "block"},
		"invalid_request":        {Argv: nil, Overflow: "block"},
	} {
		_, err := manager().Start(request)
		refusal, ok := err.(*Refusal)
		if !ok || refusal.Code != code {
			t.Errorf("%s: got %v", code, err)
		}
	}
}

func TestNumericUserNeedsNoAccount(t *testing.T) {
	who, err := findAccount("4242:77")
	if err != nil || who.credential.Uid != 4242 || who.credential.Gid != 77 {
		t.Fatalf("%+v %v", who, err)
	}
}
