// Package render turns a snapshot of a configuration repository into the
// objects that it declares, hermetically: nothing but the snapshot is read, no
// network, process, plugin, clock or environment. It is the only user of
// kustomize.
//
// A directory with a kustomization is built as that kustomization. A directory
// without one is read as its YAML and JSON files, recursively, as "kubectl apply
// -R -f" reads it, except that a directory below it that has a kustomization is
// built as one; hidden directories and files are passed over.
package render

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"time"

	"plumbline.dev/plumbline/object"
)

// Options bounds what one rendering may take. A zero field means its default.
type Options struct {
	MaxFiles     int           // files read and kustomizations built; 50,000
	MaxBytes     int64         // bytes read in all; 64 MiB
	MaxFileBytes int64         // bytes of one file; 5 MiB
	MaxObjects   int           // objects declared; 100,000
	Timeout      time.Duration // of the whole rendering; 60 s
	// Pack has Update pack what it keeps.
	Pack bool
}

// withDefaults fills in what was left zero.
func (o Options) withDefaults() Options {
	if o.MaxFiles == 0 {
		o.MaxFiles = 50_000
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 64 << 20
	}
	if o.MaxFileBytes == 0 {
		o.MaxFileBytes = 5 << 20
	}
	if o.MaxObjects == 0 {
		o.MaxObjects = 100_000
	}
	if o.Timeout == 0 {
		o.Timeout = 60 * time.Second
	}
	return o
}

// Validate refuses bounds that no rendering could keep.
func (o Options) Validate() error {
	if o.MaxFiles < 0 || o.MaxBytes < 0 || o.MaxFileBytes < 0 || o.MaxObjects < 0 || o.Timeout < 0 {
		return errors.New("a bound of the rendering is negative")
	}
	return nil
}

// ErrEmpty says that the directory declares nothing at all.
var ErrEmpty = errors.New("declares no objects: is this the right directory?")

// Result is what a directory declares.
type Result struct {
	// Objects are sorted by ID. Each carries the position of its document and
	// of the patches, generators and transformers that changed it.
	Objects []object.Object
	// Read lists, sorted, the directories (and single files outside of them)
	// that the result depends on, relative to the root of the file system. As
	// long as their git trees are the same, the result is the same.
	Read []string
	// Direct says that the tree was read without kustomize, which makes the
	// same of it.
	Direct bool
}

// Render renders the directory dir of fsys. One bad document, resource or
// nested kustomization does not hide the others: what could be rendered is
// returned together with the joined errors, each an *object.Error with file and
// line where these are known. A caller that judges absence must therefore look
// at the error first.
func Render(ctx context.Context, fsys fs.FS, dir string, o Options) (Result, error) {
	r, err := render(ctx, fsys, dir, o, keeping{pack: object.Loose})
	result := Result{Read: r.read, Direct: r.direct, Objects: make([]object.Object, len(r.objects))}
	for i, p := range r.objects {
		result.Objects[i] = p.Object()
	}
	return result, err
}

// rendered is a Result, with its objects packed by whoever wanted it.
type rendered struct {
	objects []object.Packed
	read    []string
	direct  bool
}

func render(ctx context.Context, fsys fs.FS, dir string, o Options, keep keeping) (rendered, error) {
	if err := o.Validate(); err != nil {
		return rendered{}, err
	}
	o = o.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	dir, err := cleanDir(dir)
	if err != nil {
		return rendered{}, err
	}
	src := newSource(ctx, fsys, o)
	src.keep = keep
	var result rendered
	err = recovered(func() error {
		var err error
		result, err = renderDir(src, dir)
		return err
	})
	slices.SortStableFunc(result.objects, object.Packed.Compare)
	result.read = src.dependencies()
	return result, err
}

func cleanDir(dir string) (string, error) {
	clean := path.Clean("./" + dir)
	if path.IsAbs(dir) || !fs.ValidPath(clean) {
		return "", fmt.Errorf("rendering %s: not a directory inside the repository", dir)
	}
	return clean, nil
}

// renderDir renders a directory by what it holds.
func renderDir(src *source, dir string) (rendered, error) {
	entries, err := src.readDir(dir)
	if err != nil {
		return rendered{}, object.At(dir, 0, err)
	}
	if len(kustomizationFiles(entries)) > 0 {
		return renderKustomization(src, dir)
	}
	return renderPlain(src, dir, entries)
}

// recovered calls f and turns a panic into an error, so that a fault of a parser
// costs one rendering and not the process.
func recovered(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("rendering panicked: %s", oneLine(fmt.Sprint(p)))
		}
	}()
	return f()
}
