// Tests of what boot works out without a machine: the command line, devices by name, files to mount over.

package boot

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParameterIsFoundAsAWholeWord(t *testing.T) {
	line := "console=ttyS0 xpyro.magic=no quiet pyro.magic=00ff=x panic=-1\n"
	for name, want := range map[string]string{"pyro.magic": "00ff=x", "panic": "-1", "quiet": "", "magic": ""} {
		if got := parameterIn(line, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestDeviceIsFoundByItsName(t *testing.T) {
	folder := t.TempDir()
	for device, name := range map[string]string{"vport1p1": "agent\n", "vport1p2": "net\n"} {
		if err := os.Mkdir(filepath.Join(folder, device), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, device, "name"), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"agent": "/dev/vport1p1", "net": "/dev/vport1p2", "age": ""} {
		if got := deviceWith(folder+"/*/name", name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestWaitForADeviceEndsOnceItIsThere(t *testing.T) {
	folder := t.TempDir()
	if err := os.MkdirAll(folder+"/vda", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(folder+"/vda/serial", []byte("disk"), 0o644); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if got, err := waitFor("disk", folder+"/*/serial", "disk"); err != nil || got != "/dev/vda" {
		t.Fatalf("%q, %v", got, err)
	}
	if took := time.Since(began); took > deviceWait/2 {
		t.Fatalf("took %v", took)
	}
}

func TestTargetsAreMadeWhereTheImageHasNone(t *testing.T) {
	folder := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(folder+"/file", []byte("kept"), 0o644))
	must(os.Symlink("file", folder+"/link"))
	must(os.Symlink("../"+filepath.Base(folder)+"/run/deep/file", folder+"/dangling"))
	must(os.Symlink("loop", folder+"/loop"))
	must(os.Mkdir(folder+"/directory", 0o755))
	for _, name := range []string{"file", "link", "dangling", "directory", "absent/below"} {
		if err := makeTarget(filepath.Join(folder, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if info, err := os.Stat(filepath.Join(folder, name)); err != nil || !info.Mode().IsRegular() {
			t.Errorf("%s is no file: %v", name, err)
		}
	}
	if text, _ := os.ReadFile(folder + "/link"); string(text) != "kept" {
		t.Errorf("the file became %q", text)
	}
	if info, err := os.Lstat(folder + "/dangling"); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced")
	}
	if err := makeTarget(folder + "/loop"); err == nil {
		t.Error("a loop of links was taken")
	}
}

func TestWorkspaceOfAnImageIsAFolderInsideOfIt(t *testing.T) {
	outside := t.TempDir()
	for _, c := range []struct {
		what, target string
		want         string
	}{
		{"nothing", "", ""},
		{"a file", "file", ""},
		{"a folder", "folder", "workspace"},
		{"a link", "srv/a,b:c", "srv/a,b:c"},
		{"an absolute link", "/srv/a,b:c", "srv/a,b:c"},
		{"a link that climbs", "../../../srv/a,b:c", "srv/a,b:c"},
		{"a link to a link", "/other", "srv/a,b:c"},
		{"a link out of the image", outside, ""},
		{"a link to the image", "/", ""},
		{"a link to itself", "workspace", ""},
		{"a link to a file", "srv/file", ""},
		{"a link to nothing", "/no/such", ""},
	} {
		image := t.TempDir()
		must := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		must(os.MkdirAll(image+"/srv/a,b:c", 0o755))
		must(os.WriteFile(image+"/srv/file", nil, 0o600))
		must(os.Symlink("srv/a,b:c", image+"/other"))
		switch c.target {
		case "":
		case "file":
			must(os.WriteFile(image+"/workspace", nil, 0o600))
		case "folder":
			must(os.Mkdir(image+"/workspace", 0o755))
		default:
			must(os.Symlink(c.target, image+"/workspace"))
		}
		root, err := os.Open(image)
		must(err)
		found, err := openWorkspaceOf(root)
		must(err)
		got := ""
		if found != nil {
			path, err := os.Readlink(descriptorPath(found))
			must(err)
			got, _ = strings.CutPrefix(path, image+"/")
			must(found.Close())
		}
		must(root.Close())
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}

func TestPlaceIsClearedForAFolder(t *testing.T) {
	folder := t.TempDir()
	target := folder + "/target"
	if err := errors.Join(os.Mkdir(target, 0o755), os.WriteFile(target+"/kept", nil, 0o600), os.Symlink("target", folder+"/link"),
		os.Symlink("nowhere", folder+"/dangling"), os.WriteFile(folder+"/file", nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"link", "dangling", "file", "new", "target"} {
		if err := clearWay(folder + "/" + name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		info, err := os.Lstat(folder + "/" + name)
		if err != nil || info.IsDir() == (name == "link") {
			t.Errorf("%s is %v, %v", name, info, err)
		}
	}
	if err := makePlain(folder + "/link"); err != nil {
		t.Error(err)
	}
	if info, err := os.Lstat(folder + "/link"); err != nil || !info.IsDir() {
		t.Errorf("the link is %v, %v", info, err)
	}
	if _, err := os.Stat(target + "/kept"); err != nil {
		t.Error(err)
	}
}
