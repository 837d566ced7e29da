package render

import (
	"context"
	"io/fs"
	"maps"
	"path"

	"plumbline.dev/plumbline/object"
)

// Trees is a file system that knows a hash of each of its directories, as git
// does: equal hashes mean equal content.
type Trees interface {
	FS() fs.FS
	TreeHash(dir string) (string, error)
}

// Rendering is what a Result has, and what it was made from.
type Rendering struct {
	// Objects are packed where Options.Pack asks for that.
	Objects []object.Packed
	Read    []string
	packers *object.Packers    // of the first rendering: so it shows what has not changed
	files   map[string]decoded // where objects are packed
	dir     string
	options Options
	trees   map[string]string // hashes by directory; nil where they are not known
}

// Update renders the directory dir of t, unless last was made from the same
// trees with the same options: then it returns last itself. last may be nil. An
// error is never taken for unchanged: what failed is rendered again, and so is a file
// system without hashes, such as a directory on disk.
func Update(ctx context.Context, last *Rendering, t Trees, dir string, o Options) (*Rendering, error) {
	if last != nil && last.trees != nil && last.dir == dir && last.options == o {
		now, err := hashes(t, last.Read)
		if err == nil && maps.Equal(now, last.trees) {
			return last, nil
		}
	}
	now := &Rendering{dir: dir, options: o}
	keep := keeping{pack: object.Loose}
	if o.Pack {
		now.packers, now.files = last.packing(), map[string]decoded{}
		keep = keeping{pack: now.packers.Pack, now: now.files}
		if last != nil {
			keep.before = last.files
		}
	}
	result, err := render(ctx, t.FS(), dir, o, keep)
	now.Objects, now.Read = result.objects, result.read
	if err != nil {
		return now, err
	}
	return now.from(t), nil
}

// Again renders the same directory of other trees, as Update does.
func (r *Rendering) Again(ctx context.Context, t Trees) (*Rendering, error) {
	return Update(ctx, r, t, r.dir, r.options)
}

// packing are the Packers of what follows a rendering.
func (r *Rendering) packing() *object.Packers {
	if r == nil || r.packers == nil {
		return &object.Packers{}
	}
	return r.packers
}

// from notes the hashes of what it was made from.
func (r *Rendering) from(t Trees) *Rendering {
	if trees, err := hashes(t, r.Read); err == nil {
		r.trees = trees
	}
	return r
}

// hashes returns the hashes of what a rendering has read.
func hashes(t Trees, read []string) (map[string]string, error) {
	trees := map[string]string{}
	for _, name := range read {
		dir := treeOf(t.FS(), name)
		if linked(t.FS(), dir) {
			dir = "." // a link may lead anywhere
		}
		if _, ok := trees[dir]; ok {
			continue
		}
		hash, err := t.TreeHash(dir)
		if err != nil {
			return nil, err
		}
		trees[dir] = hash
	}
	return trees, nil
}

// treeOf returns the directory that name is or is in.
func treeOf(fsys fs.FS, name string) string {
	if info, err := fs.Stat(fsys, name); err == nil && info.IsDir() {
		return name
	}
	return path.Dir(name)
}

// linked tells whether there is a symbolic link on the way to dir or below it,
// behind which the hash does not see.
func linked(fsys fs.FS, dir string) bool {
	for at := dir; at != "."; at = path.Dir(at) {
		if info, err := fs.Lstat(fsys, at); err != nil || info.Mode()&fs.ModeSymlink != 0 {
			return true
		}
	}
	found := false
	err := fs.WalkDir(fsys, dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.Type()&fs.ModeSymlink != 0 {
			found = true
			return fs.SkipAll
		}
		return nil
	})
	return found || err != nil
}
