// Tests of the routes: the gate, limits of requests, refusals, processes.

package server

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"pyro/guest/internal/files"
	"pyro/guest/internal/process"
	"pyro/guest/internal/resume"
)

func code(answer map[string]any) string {
	text, _ := answer["code"].(string)
	return text
}

func TestNothingIsAnsweredBeforeResume(t *testing.T) {
	h := startAgent(t, nil)
	h.resumed()
	s := h.hello()
	for _, route := range [][2]string{
		{"GET", "/v1/status"}, {"GET", "/v1/processes"}, {"POST", "/v1/processes"}, {"POST", "/v1/activate"},
		{"POST", "/v1/sync"}, {"POST", "/v1/poweroff"}, {"GET", "/v1/nothing"}, {"GET", "/v1/resume"},
	} {
		if status, answer := s.call(t, route[0], route[1], "{}"); status != http.StatusTooEarly || code(answer) != "not_resumed" {
			t.Errorf("%v: %d %v", route, status, answer)
		}
	}
}

func TestResumeTellsAndChecks(t *testing.T) {
	s := startAgent(t, nil).hello()
	status, answer := s.call(t, "POST", "/v1/resume", validResume())
	if status != 200 || answer["protocol"] != 1.0 || answer["version"] != "test" || answer["activated"] != true || answer["boot_ms"].(float64) <= 0 {
		t.Fatalf("%d %v", status, answer)
	}
	for field, value := range map[string]any{
		"unix_ms": -1, "entropy": make([]byte, 31), "hostname": strings.Repeat("x", 64), "machine_id": "XYZ", "magic": make([]byte, 15), "extra": 1,
	} {
		request := validResume()
		request[field] = value
		if status, answer := s.call(t, "POST", "/v1/resume", request); status != 400 || code(answer) != "invalid_request" {
			t.Errorf("%s: %d %v", field, status, answer)
		}
	}
	for _, name := range []string{"", "-x", "a b", "a\nb", "a/b"} {
		request := validResume()
		request["hostname"] = name
		if status, _ := s.call(t, "POST", "/v1/resume", request); status != 400 {
			t.Errorf("host name %q is taken", name)
		}
	}
}

func TestBodiesAreBoundedAndStrict(t *testing.T) {
	s := startAgent(t, nil).resumed()
	for what, body := range map[string]string{
		"empty": "", "no object": "[]", "broken": `{"argv":`, "unknown field": `{"argv":["true"],"overflow":"block","color":1}`,
		"two values": `{"argv":["true"],"overflow":"block"} {}`, "too long": `{"argv":["` + strings.Repeat("x", 1<<20) + `"]}`,
		"wrong type": `{"argv":"true"}`, "number out of range": `{"argv":["true"],"timeout_ms":1e40}`,
	} {
		if status, answer := s.call(t, "POST", "/v1/processes", body); status != 400 || code(answer) != "invalid_request" {
			t.Errorf("%s: %d %v", what, status, answer)
		}
	}
}

func TestRefusalsHaveTheirStatus(t *testing.T) {
	s := startAgent(t, nil).resumed()
	id, stream := s.startProcess(t, process.Request{Argv: []string{"sleep", "1000"}, Overflow: "block"})
	defer stream.Close()
	start := func(text string) string { return fmt.Sprintf(`{"argv":["true"],"overflow":"block"%s}`, text) }
	for _, c := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"POST", "/v1/activate", `{"project":false}`, 409, "already_activated"},
		{"POST", "/v1/processes", `{"argv":["no-such-command"],"overflow":"block"}`, 400, "command_not_found"},
		{"POST", "/v1/processes", `{"argv":["/"],"overflow":"block"}`, 400, "command_not_executable"},
		{"POST", "/v1/processes", start(`,"cwd":"/no/such/folder"`), 400, "cwd_missing"},
		{"POST", "/v1/processes", start(`,"user":"no-such-user"`), 400, "user_unknown"},
		{"GET", "/v1/processes/none", "", 404, "process_missing"},
		{"GET", "/v1/processes/none/attach", "", 404, "process_missing"},
		{"DELETE", "/v1/processes/none", "", 404, "process_missing"},
		{"GET", "/v1/nothing", "", 404, "not_found"},
		{"PUT", "/v1/status", "", 404, "not_found"},
		{"POST", "/v1/processes/" + id + "/input", "x", 409, "stdin_closed"},
		{"POST", "/v1/processes/" + id + "/input?eof=2", "x", 400, "invalid_request"},
		{"POST", "/v1/processes/" + id + "/resize", `{"cols":80,"rows":24}`, 400, "invalid_request"},
		{"POST", "/v1/processes/" + id + "/signal", `{"signal":"NOPE","scope":"all"}`, 400, "invalid_request"},
		{"POST", "/v1/probe", `{"tcp":":1","file":"/a"}`, 400, "invalid_request"},
		{"GET", "/v1/processes/" + id + "/attach?stdout=1", "", 400, "invalid_request"},
		{"GET", "/v1/processes/" + id + "/attach?stdout=-1", "", 400, "invalid_request"},
	} {
		if status, answer := s.call(t, c.method, c.path, c.body); status != c.status || code(answer) != c.code {
			t.Errorf("%s %s: %d %v", c.method, c.path, status, answer)
		}
	}
}

func TestProcessFromStartToForgotten(t *testing.T) {
	s := startAgent(t, nil).resumed()
	id, stream := s.startProcess(t, process.Request{Argv: []string{"sh", "-c", "cat; exit 3"}, Stdin: true, Overflow: "block"})
	if status, answer := s.call(t, "POST", "/v1/processes/"+id+"/input?eof=1", "typed"); status != 200 || answer["bytes"] != 5.0 {
		t.Fatalf("input: %d %v", status, answer)
	}
	if stdout, exit := untilExit(t, stream); stdout != "typed" || *exit.ExitCode != 3 {
		t.Fatalf("stdout %q, exit %+v", stdout, exit)
	}
	status, info := s.call(t, "GET", "/v1/processes/"+id, nil)
	if status != 200 || info["running"] != false || info["exit_code"] != 3.0 || info["stdout_bytes"] != 5.0 {
		t.Fatalf("%d %v", status, info)
	}
	if status, _ := s.call(t, "DELETE", "/v1/processes/"+id, nil); status != 200 {
		t.Fatalf("forget: %d", status)
	}
	if status, _ := s.call(t, "GET", "/v1/processes/"+id, nil); status != 404 {
		t.Fatalf("still known: %d", status)
	}
}

func TestStatusCountsRunningProcesses(t *testing.T) {
	s := startAgent(t, nil).resumed()
	_, before := s.call(t, "GET", "/v1/status", nil)
	_, stream := s.startProcess(t, process.Request{Argv: []string{"sleep", "1000"}, Overflow: "block"})
	defer stream.Close()
	_, after := s.call(t, "GET", "/v1/status", nil)
	if after["processes"].(float64) != before["processes"].(float64)+1 {
		t.Fatalf("before %v, after %v", before, after)
	}
	if after["memory_total_bytes"].(float64) < after["memory_available_bytes"].(float64) || after["memory_available_bytes"].(float64) <= 0 {
		t.Fatalf("%v", after)
	}
}

func TestResumeChangesTheMagic(t *testing.T) {
	h := startAgent(t, nil)
	request := validResume()
	next := strings.Repeat("m", 16)
	request["magic"] = []byte(next)
	if status, answer := h.hello().call(t, "POST", "/v1/resume", request); status != 200 {
		t.Fatal(answer)
	}
	h.magic = [16]byte([]byte(next))
	h.resumed()
}

// fakeMachine stands for a guest.
type fakeMachine struct {
	mu      sync.Mutex
	applied []resume.Identity
	failure error
	off     chan struct{}
}

func (m *fakeMachine) Apply(identity resume.Identity) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.applied = append(m.applied, identity)
	return m.failure
}

func (m *fakeMachine) Activate(hasProject bool) error {
	if hasProject {
		panic("a bug")
	}
	return nil
}

func (m *fakeMachine) MountProject() error { return nil }
func (m *fakeMachine) Freeze() error {
	return &files.Refusal{Code: "already_frozen", Message: "the disk is already frozen"}
}
func (m *fakeMachine) Thaw() (bool, error)  { return true, nil }
func (m *fakeMachine) Grow() (int64, error) { return 16 << 30, nil }

func (m *fakeMachine) PowerOff() { close(m.off) }

func TestMachineIsResumedActivatedAndSwitchedOff(t *testing.T) {
	machine := &fakeMachine{off: make(chan struct{})}
	s := startAgent(t, machine).resumed()
	machine.mu.Lock()
	defer machine.mu.Unlock()
	if len(machine.applied) != 1 || machine.applied[0].Hostname != "box" || machine.applied[0].Now.UnixMilli() != 1793500000000 {
		t.Fatalf("%+v", machine.applied)
	}
	if status, answer := s.call(t, "POST", "/v1/processes", `{"argv":["true"],"overflow":"block"}`); status != 409 || code(answer) != "not_activated" {
		t.Fatalf("%d %v", status, answer)
	}
	if status, answer := s.call(t, "POST", "/v1/activate", `{"project":false}`); status != 200 || answer["mounts_ms"] == nil {
		t.Fatalf("%d %v", status, answer)
	}
	if status, answer := s.call(t, "POST", "/v1/activate", `{"project":false}`); status != 409 || code(answer) != "already_activated" {
		t.Fatalf("%d %v", status, answer)
	}
	if status, _ := s.call(t, "POST", "/v1/poweroff", `{}`); status != 200 {
		t.Fatal(status)
	}
	<-machine.off
}

func TestFailureToResumeKeepsTheGateShut(t *testing.T) {
	machine := &fakeMachine{failure: errors.New("no clock")}
	s := startAgent(t, machine).hello()
	if status, answer := s.call(t, "POST", "/v1/resume", validResume()); status != 500 || code(answer) != "resume_failed" {
		t.Fatalf("%d %v", status, answer)
	}
	if status, _ := s.call(t, "GET", "/v1/status", nil); status != http.StatusTooEarly {
		t.Fatalf("%d", status)
	}
}

func TestPanicBecomesAnAnswerWithoutDetails(t *testing.T) {
	s := startAgent(t, &fakeMachine{}).resumed()
	status, answer := s.call(t, "POST", "/v1/activate", `{"project":true}`)
	if status != 500 || code(answer) != "internal" || strings.Contains(fmt.Sprint(answer), "a bug") {
		t.Fatalf("%d %v", status, answer)
	}
	if status, _ := s.call(t, "GET", "/v1/status", nil); status != 200 {
		t.Fatalf("the session did not survive: %d", status)
	}
}

func TestASizedBodyEndsWithItsLastByte(t *testing.T) {
	read, write := io.Pipe()
	defer read.Close()
	go func() { _, _ = write.Write([]byte("abc")) }()
	// The other end stays open: whoever reads on would wait for ever.
	body := &sizedReader{read, 3}
	buffer := make([]byte, 10)
	if n, err := body.Read(buffer[:2]); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	if n, err := body.Read(buffer); n != 1 || err != io.EOF {
		t.Fatal(n, err)
	}
}
