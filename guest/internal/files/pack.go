// Packing: a file or a folder as a tar stream.

package files

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Pack is a tree that is about to be packed.
type Pack struct {
	store    *Store
	in       *folder
	top      *node
	excluded map[string]bool
	// leftOut are paths below the top.
	leftOut map[string]bool
	// names is set if the tar lists what stays behind by name.
	names bool
}

// PackRequest asks for a tree.
type PackRequest struct {
	// Path is absolute.
	Path          []byte   `json:"path"`
	ExcludedNames []string `json:"excluded_names,omitempty"`
	// LeftOut are paths below it that are not packed, nor what is below them.
	LeftOut [][]byte `json:"left_out,omitempty"`
	// NamesKept asks for an entry of its name alone for what has an excluded name, and for sockets, pipes and devices; the
	// latter two are packed as what they are otherwise.
	NamesKept bool `json:"names_kept,omitempty"`
}

// Pack finds what to pack, so that a refusal comes before the stream. The caller closes it.
func (r *Store) Pack(request PackRequest) (*Pack, error) {
	path, err := checkPath(string(request.Path))
	if err != nil {
		return nil, err
	}
	if len(request.LeftOut) > mostExplicit {
		return nil, refuse("invalid_request", "more than %d paths", mostExplicit)
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, explain(err, path)
	}
	file, err := os.Open(filepath.Dir(real))
	if err != nil {
		return nil, explain(err, path)
	}
	p := &Pack{store: r, in: &folder{File: file}, excluded: setOf(request.ExcludedNames), leftOut: setOf(request.LeftOut), names: request.NamesKept}
	name := filepath.Base(real)
	if real == "/" {
		name = "."
	}
	p.top, err = p.in.find(name)
	if kind := p.top.kind(); err == nil && kind != "file" && kind != "directory" {
		err = refuse("not_a_file", "%.500q is neither a file nor a directory", path)
	}
	if err != nil {
		p.Close()
		return nil, explain(err, path)
	}
	return p, nil
}

// Close ends it.
func (p *Pack) Close() { p.in.close() }

// Stream writes the tar. Names are relative to the top, which is "." itself.
func (p *Pack) Stream(ctx context.Context, to io.Writer) error {
	t := &packer{Pack: p, ctx: ctx, out: tar.NewWriter(to), first: map[inode]string{}}
	if err := t.add(p.top, "."); err != nil {
		return err
	}
	return t.out.Close()
}

// inode is a file's identity, which its hard links share.
type inode struct{ device, number uint64 }

type packer struct {
	*Pack
	ctx context.Context
	out *tar.Writer
	// first are the first names of files that have several.
	first map[inode]string
}

func (t *packer) add(n *node, name string) error {
	header := &tar.Header{
		Name: name, Mode: int64(n.status.Mode & 0o7777), Uid: int(n.status.Uid), Gid: int(n.status.Gid),
		// Whole seconds, as the lower layer has them: parts of one would double the headers.
		ModTime: time.Unix(n.status.Mtim.Sec, 0), Format: tar.FormatPAX,
	}
	switch n.kind() {
	case "directory":
		header.Typeflag = tar.TypeDir
		return t.addFolder(n, header)
	case "symlink":
		header.Typeflag = tar.TypeSymlink
		target, err := n.readlink()
		if err != nil {
			return gone(err)
		}
		header.Linkname = target
		return t.out.WriteHeader(header)
	case "file":
		return t.addFile(n, header)
	}
	return t.addSpecial(n, header)
}

// addSpecial keeps pipes and devices as what they are, or all by their names alone. A tar has no sockets.
func (t *packer) addSpecial(n *node, header *tar.Header) error {
	kind := n.status.Mode & unix.S_IFMT
	switch {
	case t.names || kind == unix.S_IFIFO:
		header.Typeflag = tar.TypeFifo
	case kind == unix.S_IFCHR:
		header.Typeflag = tar.TypeChar
	case kind == unix.S_IFBLK:
		header.Typeflag = tar.TypeBlock
	default:
		return nil
	}
	if header.Typeflag != tar.TypeFifo {
		header.Devmajor, header.Devminor = int64(unix.Major(n.status.Rdev)), int64(unix.Minor(n.status.Rdev))
	}
	return t.out.WriteHeader(header)
}

func (t *packer) addFile(n *node, header *tar.Header) error {
	header.Typeflag = tar.TypeReg
	if n.status.Nlink > 1 {
		id := inode{n.status.Dev, n.status.Ino}
		if first, ok := t.first[id]; ok {
			header.Typeflag, header.Linkname = tar.TypeLink, first
			return t.out.WriteHeader(header)
		}
		t.first[id] = header.Name
	}
	held, err := n.open()
	if err != nil {
		return gone(err)
	}
	defer held.Close()
	header.Size = held.size
	if err := t.out.WriteHeader(header); err != nil {
		return err
	}
	_, err = held.WriteTo(t.out)
	return err
}

func (t *packer) addFolder(n *node, header *tar.Header) error {
	if err := t.out.WriteHeader(header); err != nil {
		return err
	}
	if n.status.Dev != t.top.status.Dev {
		// Another file system is mounted there.
		return nil
	}
	here, err := n.openFolder()
	if here == nil || err != nil {
		return gone(err)
	}
	defer here.close()
	names, err := here.names()
	if err != nil {
		return gone(err)
	}
	for _, name := range names {
		if err := t.ctx.Err(); err != nil {
			return err
		}
		if t.store.isHidden(name) {
			continue
		}
		path := name
		if header.Name != "." {
			path = header.Name + "/" + name
		}
		if t.excluded[name] {
			if err := t.nameOnly(path); err != nil {
				return err
			}
			continue
		}
		if t.leftOut[path] {
			continue
		}
		entry, err := here.find(name)
		if err != nil {
			return err
		}
		if entry == nil {
			continue
		}
		if err := t.add(entry, path); err != nil {
			return err
		}
	}
	return nil
}

// nameOnly tells of an excluded path where that is asked for.
func (t *packer) nameOnly(path string) error {
	if !t.names {
		return nil
	}
	return t.out.WriteHeader(&tar.Header{Name: path, Typeflag: tar.TypeDir, Mode: folderMode, Format: tar.FormatPAX})
}

// gone ignores what vanished while the tree was walked.
func gone(err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ELOOP) {
		return nil
	}
	return err
}
