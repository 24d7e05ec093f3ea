// Tests of resume: the files that carry a guest's names.

package resume

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNamesAreWrittenWholeEachTime(t *testing.T) {
	folder := t.TempDir()
	files := map[string]*os.File{}
	for _, name := range []string{"hostname", "hosts", "machine-id", "resolv.conf"} {
		file, err := os.OpenFile(filepath.Join(folder, name), os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		files[name] = file
	}
	r := &Resumer{identity: Identity{Hostname: "a-rather-long-name", MachineID: strings.Repeat("1", 32)}}
	if err := r.UseFiles(files); err != nil {
		t.Fatal(err)
	}
	r.identity = Identity{Hostname: "short", MachineID: strings.Repeat("2", 32)}
	if err := r.writeNames(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"hostname": "short\n", "machine-id": strings.Repeat("2", 32) + "\n", "resolv.conf": "",
		"hosts": "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\tshort\n",
	} {
		if text, err := os.ReadFile(filepath.Join(folder, name)); err != nil || string(text) != want {
			t.Errorf("%s is %q, %v", name, text, err)
		}
	}
}

func TestEntropyIsTakenByTheKernel(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to credit entropy")
	}
	r, err := New()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.addEntropy(make([]byte, 64)); err != nil {
		t.Fatal(err)
	}
}
