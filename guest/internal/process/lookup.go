// Lookups that a process needs before it starts: its program, its user.

package process

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Refusal is an error with a code of the wire protocol.
type Refusal struct {
	Code    string
	Message string
}

func (r *Refusal) Error() string { return r.Message }

func refuse(code, message string) *Refusal { return &Refusal{Code: code, Message: message} }

// findProgram looks name up in path as a shell does; a name with a slash, and folders of path, are relative to cwd.
func findProgram(name, cwd, path string) (string, error) {
	if strings.Contains(name, "/") {
		full := absolute(name, cwd)
		return full, checkExecutable(full, name)
	}
	failure := error(refuse("command_not_found", fmt.Sprintf("command not found in the guest: %.200s", name)))
	for _, folder := range filepath.SplitList(path) {
		full := filepath.Join(absolute(folder, cwd), name)
		err := checkExecutable(full, name)
		if err == nil {
			return full, nil
		}
		if r, ok := err.(*Refusal); ok && r.Code == "command_not_executable" {
			failure = err
		}
	}
	return "", failure
}

func absolute(path, cwd string) string {
	if filepath.IsAbs(path) {
		return path
	}
	// Not cleaned: what .. means after a link is the kernel's to say.
	return cwd + "/" + path
}

func checkExecutable(path, name string) error {
	info, err := os.Stat(path)
	if err != nil {
		return refuse("command_not_found", fmt.Sprintf("command not found in the guest: %.200s", name))
	}
	if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return refuse("command_not_executable", fmt.Sprintf("not an executable file in the guest: %.200s", name))
	}
	return nil
}

// account is who a process runs as.
type account struct {
	// credential is nil for the agent's own user.
	credential *syscall.Credential
	home       string
	name       string
}

// findAccount understands NAME, UID, NAME:GROUP and UID:GID. A number need not be in /etc/passwd, nor need root:
// an image may have no such file. Empty is the agent's own user.
func findAccount(text string) (account, error) {
	if text == "" {
		return ownAccount(), nil
	}
	name, group, hasGroup := strings.Cut(text, ":")
	result := account{home: "/", name: name}
	credential := &syscall.Credential{}
	found, err := user.Lookup(name)
	if err != nil {
		found, err = user.LookupId(name)
	}
	uid, parseErr := parseID(name)
	switch {
	case err == nil:
		result.home, result.name = found.HomeDir, found.Username
		credential.Uid, _ = parseID(found.Uid)
		credential.Gid, _ = parseID(found.Gid)
		if !hasGroup {
			credential.Groups = supplementary(found)
		}
	case name == "root" || (parseErr == nil && uid == 0):
		result.home, result.name = "/root", "root"
	case parseErr == nil:
		credential.Uid = uid
	default:
		return account{}, refuse("user_unknown", fmt.Sprintf("no such user in the guest: %.100s", name))
	}
	if hasGroup {
		if credential.Gid, err = findGroup(group); err != nil {
			return account{}, err
		}
	}
	// Only root may change its user; anyone else can only name itself.
	if os.Geteuid() == 0 {
		result.credential = credential
	} else if int(credential.Uid) != os.Geteuid() {
		return account{}, refuse("user_unknown", fmt.Sprintf("the agent may not switch to the user %.100s", name))
	}
	return result, nil
}

func ownAccount() account {
	uid := os.Geteuid()
	if found, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return account{home: found.HomeDir, name: found.Username}
	}
	if uid == 0 {
		return account{home: "/root", name: "root"}
	}
	return account{home: "/", name: strconv.Itoa(uid)}
}

func supplementary(found *user.User) []uint32 {
	ids, err := found.GroupIds()
	if err != nil {
		return nil
	}
	var groups []uint32
	for _, text := range ids {
		if id, err := parseID(text); err == nil {
			groups = append(groups, id)
		}
	}
	return groups
}

func findGroup(name string) (uint32, error) {
	if found, err := user.LookupGroup(name); err == nil {
		return parseID(found.Gid)
	}
	id, err := parseID(name)
	if err != nil {
		return 0, refuse("user_unknown", fmt.Sprintf("no such group in the guest: %.100s", name))
	}
	return id, nil
}

func parseID(text string) (uint32, error) {
	id, err := strconv.ParseUint(text, 10, 32)
	return uint32(id), err
}
