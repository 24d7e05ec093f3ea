// Lookups that a process needs before it starts: its program, its user.

package process

import (
	"io/fs"
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

// findProgram looks name up in path as a shell does; a name with a slash is relative to cwd.
func findProgram(name, cwd, path string) (string, error) {
	if strings.Contains(name, "/") {
		full := name
		if !filepath.IsAbs(full) {
			full = filepath.Join(cwd, name)
		}
		return full, checkExecutable(full, name)
	}
	var denied error
	for _, folder := range filepath.SplitList(path) {
		if !filepath.IsAbs(folder) {
			folder = filepath.Join(cwd, folder)
		}
		full := filepath.Join(folder, name)
		err := checkExecutable(full, name)
		if err == nil {
			return full, nil
		}
		if r, ok := err.(*Refusal); ok && r.Code == "command_not_executable" {
			denied = err
		}
	}
	if denied != nil {
		return "", denied
	}
	return "", refuse("command_not_found", "command not found in the guest: "+name)
}

func checkExecutable(path, name string) error {
	info, err := os.Stat(path)
	if err != nil {
		return refuse("command_not_found", "command not found in the guest: "+name)
	}
	if info.IsDir() || info.Mode()&fs.FileMode(0o111) == 0 {
		return refuse("command_not_executable", "not an executable file in the guest: "+name)
	}
	return nil
}

// account is who a process runs as.
type account struct {
	credential *syscall.Credential
	home       string
	name       string
}

// findAccount understands NAME, UID, NAME:GROUP and UID:GID; a number need not be in /etc/passwd.
func findAccount(text string) (account, error) {
	name, group, hasGroup := strings.Cut(text, ":")
	result := account{credential: &syscall.Credential{}, home: "/", name: name}
	found, err := user.Lookup(name)
	if err != nil {
		found, err = user.LookupId(name)
	}
	if err == nil {
		result.home, result.name = found.HomeDir, found.Username
		result.credential.Uid, result.credential.Gid = number(found.Uid), number(found.Gid)
		if groups, err := found.GroupIds(); err == nil && !hasGroup {
			for _, id := range groups {
				result.credential.Groups = append(result.credential.Groups, number(id))
			}
		}
	} else {
		id, err := strconv.ParseUint(name, 10, 32)
		if err != nil {
			return account{}, refuse("user_unknown", "no such user in the guest: "+name)
		}
		result.credential.Uid = uint32(id)
	}
	if !hasGroup {
		return result, nil
	}
	if found, err := user.LookupGroup(group); err == nil {
		result.credential.Gid = number(found.Gid)
	} else if id, err := strconv.ParseUint(group, 10, 32); err == nil {
		result.credential.Gid = uint32(id)
	} else {
		return account{}, refuse("user_unknown", "no such group in the guest: "+group)
	}
	return result, nil
}

func number(text string) uint32 {
	value, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(value)
}
