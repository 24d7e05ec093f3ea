// The manifest of a tree: where it goes, what is removed for it, and what it must not replace.

package files

import (
	"archive/tar"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
)

const (
	manifestName = "pyro.json"
	mostManifest = 64 << 20
)

// Manifest is the first entry of a tree to unpack.
type Manifest struct {
	// Destination is an absolute folder, made when missing.
	Destination []byte `json:"destination"`
	// Deleted are paths below it to remove.
	Deleted [][]byte `json:"deleted"`
	// File is the name of the only entry: a link there is followed to its target.
	File []byte `json:"file,omitempty"`
	// KeepsKinds refuses to replace a folder or a device with a file, or anything else with a folder.
	KeepsKinds bool `json:"keeps_kinds,omitempty"`
	// Expected is what must still be below the destination; type "none" means what must not.
	Expected []Item `json:"expected,omitempty"`
}

func readManifest(in *tar.Reader) (*Manifest, error) {
	header, err := in.Next()
	if err != nil || header.Name != manifestName || header.Typeflag != tar.TypeReg || header.Size > mostManifest {
		return nil, refuse("invalid_request", "the tree does not begin with its manifest")
	}
	manifest := &Manifest{}
	decoder := json.NewDecoder(in)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(manifest); err != nil {
		return nil, refuse("invalid_request", "the manifest does not parse: %v", err)
	}
	for _, path := range manifest.Deleted {
		if !isInside(string(path)) {
			return nil, refuse("invalid_path", "%.500q is not a path below the destination", path)
		}
	}
	for _, item := range manifest.Expected {
		if !isInside(string(item.Path)) {
			return nil, refuse("invalid_path", "%.500q is not a path below the destination", item.Path)
		}
	}
	return manifest, nil
}

// place returns the folder to put things in, made when missing, and the name of the one file, with links resolved.
func (m *Manifest) place() (folder, file string, err error) {
	file = string(m.File)
	if file == "" {
		folder, err = makeDestination(string(m.Destination))
		return folder, "", err
	}
	if !isInside(file) || strings.Contains(file, "/") {
		return "", "", refuse("invalid_path", "%.500q is not a file name", file)
	}
	folder, err = checkPath(string(m.Destination))
	if err != nil {
		return "", "", err
	}
	target, err := followLinks(filepath.Join(folder, file))
	if err != nil {
		return "", "", err
	}
	folder, err = makeDestination(filepath.Dir(target))
	return folder, filepath.Base(target), err
}

// makeDestination returns the folder without links on the way.
func makeDestination(path string) (string, error) {
	path, err := checkPath(path)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(path, folderMode); err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(path)
}
