package gitsource

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// maxNesting bounds how deep submodules may hold submodules.
const maxNesting = 5

// submodules fetches each submodule of a tree at its pinned commit and hangs its
// files in the tree. root is the tree at dir of the snapshot.
func (f *fetch) submodules(ctx context.Context, parent remote, root *node, modules []module, dir string) error {
	declared, err := f.declared(root)
	if err != nil {
		return fmt.Errorf("reading %s: %w", path.Join(dir, ".gitmodules"), err)
	}
	for _, m := range declared {
		if err := checkModule(m, root); err != nil {
			return err
		}
	}
	if len(modules) > 0 && f.nested >= maxNesting {
		return refusef("submodule %s lies more than %d submodules deep", quoted(modules[0].path), maxNesting)
	}
	for _, m := range modules {
		relative := strings.TrimPrefix(strings.TrimPrefix(m.path, dir), "/")
		d, ok := declared[relative]
		if !ok {
			return refusef("submodule %s is not in .gitmodules, so its repository is unknown", quoted(m.path))
		}
		if err := f.submodule(ctx, parent, m, d.URL); err != nil {
			return fmt.Errorf("fetching submodule %s: %w", quoted(m.path), err)
		}
	}
	return nil
}

// declared returns what .gitmodules says, by path.
func (f *fetch) declared(root *node) (map[string]*config.Submodule, error) {
	file := root.child(".gitmodules")
	if file == nil {
		return nil, nil
	}
	if !file.mode.IsRegular() {
		return nil, refusef("it is not a regular file")
	}
	content, err := objectBytes(f.store, file.hash)
	if err != nil {
		return nil, err
	}
	modules := config.NewModules()
	if err := modules.Unmarshal(content); err != nil {
		return nil, refusef("%s", oneLine(err.Error()))
	}
	byPath := map[string]*config.Submodule{}
	for _, m := range modules.Submodules {
		if other, ok := byPath[m.Path]; ok {
			first, second := min(m.Name, other.Name), max(m.Name, other.Name)
			return nil, refusef("submodules %s and %s have the same path", quoted(first), quoted(second))
		}
		byPath[m.Path] = m
	}
	return byPath, nil
}

// checkModule refuses the tricks that .gitmodules has been used for: names and
// paths that climb out, paths through symbolic links, URLs that are options or
// commands.
func checkModule(m *config.Submodule, root *node) error {
	err := m.Validate()
	if err == nil && (!fs.ValidPath(m.Path) || m.Path == ".") {
		err = config.ErrModuleBadPath
	}
	if err != nil {
		return refusef("submodule %s with path %s is refused: %s", quoted(m.Name), quoted(m.Path), oneLine(err.Error()))
	}
	if strings.HasPrefix(m.URL, "-") || strings.HasPrefix(m.Path, "-") || helper.MatchString(m.URL) {
		return refusef("submodule %s is refused: its URL or path is an option or a command", quoted(m.Name))
	}
	at := root
	for part := range strings.SplitSeq(m.Path, "/") {
		if at = at.child(part); at == nil {
			return nil // declared and not there, which git permits
		}
		if at.mode&fs.ModeSymlink != 0 {
			return refusef("submodule %s is refused: its path %s goes through a symbolic link", quoted(m.Name), quoted(m.Path))
		}
	}
	return nil
}

func (f *fetch) submodule(ctx context.Context, parent remote, m module, url string) error {
	r, err := parent.submodule(url)
	if err != nil {
		return err
	}
	commit, err := f.pinned(ctx, r, m.node.hash)
	if err != nil {
		return fmt.Errorf("from %s: %w", r.endpoint, err)
	}
	f.nested++
	defer func() { f.nested-- }()
	root, err := f.tree(ctx, r, commit, m.path)
	if err != nil {
		return err
	}
	m.node.entries, m.node.hash, m.node.module = root.entries, root.hash, false
	return nil
}

// pinned fetches one commit of r, unless it is here already.
func (f *fetch) pinned(ctx context.Context, r remote, h plumbing.Hash) (*object.Commit, error) {
	commit, err := object.GetCommit(f.store, h)
	if err == nil {
		return commit, nil
	}
	c, err := r.connect(ctx, h.String())
	if err != nil {
		return nil, err
	}
	defer c.session.Close()
	return f.receive(ctx, c)
}

// submodule returns the remote of a submodule, whose URL comes from the
// repository and is not trusted: it gets the credentials only at the parent's
// own origin, and reaches local files or unencrypted servers only from a parent
// of the same kind.
func (r remote) submodule(url string) (remote, error) {
	var e endpoint
	var err error
	if strings.HasPrefix(url, "./") || strings.HasPrefix(url, "../") {
		e, err = r.endpoint.join(url)
	} else {
		e, err = parseEndpoint(url)
	}
	if err != nil {
		return remote{}, err
	}
	switch {
	case e.scheme != r.endpoint.scheme && e.scheme != "https" && e.scheme != "ssh":
		return remote{}, refusef("its URL has the scheme %s, which a repository read over %s may not lead to", e.scheme, r.endpoint.scheme)
	case e.scheme == "file" && !strings.Contains(url, "://") && !path.IsAbs(url) && !strings.HasPrefix(url, "."):
		return remote{}, errors.New("its URL is a relative path that does not begin with ./ or ../")
	}
	auth := r.auth
	if !e.sameOrigin(r.endpoint) {
		auth = r.auth.trustOnly()
	}
	return remote{endpoint: e, auth: auth.withUserinfo(e), meter: r.meter}, nil
}
