// Tests of lookups: programs, folders, users, environment.

package process

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func script(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func TestProgramsAreFoundAsAShellDoes(t *testing.T) {
	folder := t.TempDir()
	script(t, folder+"/bin/tool", "#!/bin/sh\necho one\n", 0o755)
	script(t, folder+"/deny/tool", "#!/bin/sh\necho two\n", 0o644)
	script(t, folder+"/deny/only-here", "", 0o644)
	for _, c := range []struct{ name, path, want, code string }{
		{"tool", "bin", folder + "/bin/tool", ""},
		{"tool", "deny:bin", folder + "/bin/tool", ""},
		{"tool", "/nowhere:" + folder + "/bin", folder + "/bin/tool", ""},
		{"bin/tool", "", folder + "/bin/tool", ""},
		{"./bin/tool", "", folder + "/./bin/tool", ""},
		{folder + "/bin/tool", "", folder + "/bin/tool", ""},
		{"only-here", "bin:deny", "", "command_not_executable"},
		{"deny/tool", "", folder + "/deny/tool", "command_not_executable"},
		{"bin", folder, "", "command_not_executable"},
		{"missing", "bin", "", "command_not_found"},
		{"./missing", "bin", folder + "/./missing", "command_not_found"},
	} {
		got, err := findProgram(c.name, folder, c.path)
		if codeOf(err) != c.code || got != c.want {
			t.Errorf("%s in %s: %q, %v", c.name, c.path, got, err)
		}
	}
}

func TestProcessUsesItsOwnPathAndFolder(t *testing.T) {
	folder := t.TempDir()
	script(t, folder+"/bin/tool", "#!/bin/sh\necho tool in $PWD\n", 0o755)
	c, _ := run(t, Request{Argv: []string{"tool"}, Cwd: folder, Env: map[string]string{"PATH": "bin:/bin:/usr/bin"}, Overflow: "block"})
	if c.stdout.String() != "tool in "+folder+"\n" {
		t.Fatalf("stdout %q", c.stdout.String())
	}
}

func TestWhatCannotStartIsRefusedWithItsReason(t *testing.T) {
	folder := t.TempDir()
	script(t, folder+"/no-interpreter", "#!/nowhere/interpreter\n", 0o755)
	script(t, folder+"/not-a-program", "\x00\x01\x02", 0o755)
	base := func(change func(*Request)) Request {
		request := shell("true")
		change(&request)
		return request
	}
	for _, c := range []struct {
		what    string
		request Request
		code    string
	}{
		{"no argv", Request{Overflow: "block"}, "invalid_request"},
		{"empty name", Request{Argv: []string{""}, Overflow: "block"}, "invalid_request"},
		{"zero byte", Request{Argv: []string{"a\x00b"}, Overflow: "block"}, "invalid_request"},
		{"long word", Request{Argv: []string{"echo", strings.Repeat("x", longestArgument+1)}, Overflow: "block"}, "invalid_request"},
		{"too many words", Request{Argv: make([]string, mostArguments+1), Overflow: "block"}, "invalid_request"},
		{"key with =", base(func(r *Request) { r.Env = map[string]string{"A=B": ""} }), "invalid_request"},
		{"small buffer", base(func(r *Request) { r.BufferBytes = leastBuffer - 1 }), "invalid_request"},
		{"large buffer", base(func(r *Request) { r.BufferBytes = mostBuffer + 1 }), "invalid_request"},
		{"no overflow", base(func(r *Request) { r.Overflow = "" }), "invalid_request"},
		{"negative timeout", base(func(r *Request) { r.TimeoutMs = -1 }), "invalid_request"},
		{"relative folder", base(func(r *Request) { r.Cwd = "tmp" }), "invalid_request"},
		{"missing folder", base(func(r *Request) { r.Cwd = folder + "/none" }), "cwd_missing"},
		{"file as folder", base(func(r *Request) { r.Cwd = folder + "/not-a-program" }), "cwd_missing"},
		{"unknown user", base(func(r *Request) { r.User = "no-such-user" }), "user_unknown"},
		{"unknown group", base(func(r *Request) { r.User = "root:no-such-group" }), "user_unknown"},
		{"unknown command", Request{Argv: []string{"no-such-command"}, Overflow: "block"}, "command_not_found"},
		{"no interpreter", Request{Argv: []string{folder + "/no-interpreter"}, Overflow: "block"}, "command_not_executable"},
		{"no program", Request{Argv: []string{folder + "/not-a-program"}, Overflow: "block"}, "command_not_executable"},
	} {
		if got := refusal(t, c.request); got != c.code {
			t.Errorf("%s: %q, want %q", c.what, got, c.code)
		}
	}
}

func TestMissingFolderIsMadeWhereThatIsAsked(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(folder+"/file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c, _ := run(t, Request{Argv: []string{"pwd"}, Cwd: folder + "/a/b", MakeCwd: true, Overflow: "block"})
	if got := c.stdout.String(); got != folder+"/a/b\n" {
		t.Fatalf("pwd says %q", got)
	}
	for _, path := range []string{"/file", "/file/x"} {
		if got := refusal(t, Request{Argv: []string{"pwd"}, Cwd: folder + path, MakeCwd: true, Overflow: "block"}); got != "cwd_missing" {
			t.Errorf("%s: %q", path, got)
		}
	}
}

func TestEnvironmentHasDefaultsThatCanBeChanged(t *testing.T) {
	who := account{home: "/home/someone", name: "someone"}
	env, path := environment(Request{Env: map[string]string{"HOME": "/elsewhere", "A": "b=c"}}, who)
	want := []string{"A=b=c", "HOME=/elsewhere", "PATH=" + usualPath, "USER=someone"}
	if strings.Join(env, "\n") != strings.Join(want, "\n") || path != usualPath {
		t.Fatalf("env %q", env)
	}
	env, _ = environment(Request{Terminal: &Size{Cols: 1, Rows: 1}}, who)
	if !strings.Contains(strings.Join(env, "\n"), "TERM=xterm-256color") {
		t.Fatalf("env %q", env)
	}
}

func TestOtherUserHasItsOwnGroupsAndHome(t *testing.T) {
	needsRoot(t)
	request := shell("id -u; id -g; echo $HOME; cat /proc/self/status | grep ^Groups")
	request.User = "12345"
	c, _ := run(t, request)
	if got := strings.Fields(c.stdout.String()); len(got) < 4 || got[0] != "12345" || got[1] != "0" || got[2] != "/" || got[3] != "Groups:" {
		t.Fatalf("a number without a name: %q", c.stdout.String())
	}
	request.User = "daemon"
	c, _ = run(t, request)
	if got := strings.Fields(c.stdout.String()); len(got) < 5 || got[0] != "1" || got[1] != "1" || got[2] != "/usr/sbin" || got[4] != "1" {
		t.Fatalf("a named user: %q", c.stdout.String())
	}
	request.User = "1:12"
	c, _ = run(t, request)
	if got := strings.Fields(c.stdout.String()); len(got) < 2 || got[0] != "1" || got[1] != "12" {
		t.Fatalf("user and group by number: %q", c.stdout.String())
	}
}

func TestTerminalBelongsToItsUser(t *testing.T) {
	needsRoot(t)
	request := shell("stat -L -c %u /dev/fd/0 && echo fine >/proc/self/fd/1")
	request.User, request.Terminal = "12345", &Size{Cols: 80, Rows: 24}
	if c, _ := run(t, request); c.stdout.String() != "12345\r\nfine\r\n" {
		t.Fatalf("stdout %q", c.stdout.String())
	}
}
