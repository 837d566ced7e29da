// Package gitsource turns a repository at a ref into a Snapshot: the commit, its
// files as an io/fs.FS that lives in memory, and who last wrote a line (blame).
//
// A remote repository is asked for its refs first; only when the ref moved are
// objects fetched, shallow unless history is asked for, and within Limits that
// hold while the bytes arrive. Nothing is written to disk, no hook or filter
// runs, and no credential reaches an error, a log line or a printed value.
//
// # Refs
//
// A ref is looked up in this order: empty or HEAD is the remote's HEAD; a name
// that begins with refs/ is taken as it stands; 40 hexadecimal digits are a
// commit; then a branch of that name, then a tag of that name, then a semver
// range over the tags, of which the highest wins. Where a branch and a tag share
// a name the branch wins, as in "git clone --branch"; refs/tags/NAME asks for the
// tag. Annotated tags are peeled to their commit.
package gitsource

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// Head is what a ref stands for at this moment.
type Head struct {
	// Ref is the full name the ref resolved to, such as refs/heads/main or
	// refs/tags/v1.2.0. It is empty for a commit that was named by its hash.
	Ref string
	// Commit is the commit's hash, 40 hexadecimal digits.
	Commit string

	// want is the hash to ask the server for: of an annotated tag its own.
	want plumbing.Hash
}

// Resolve asks the remote what opts.Ref stands for. It costs one round: over
// HTTP one request, and no objects. A commit named by its hash is returned
// unchecked, because a server's list of refs does not tell whether it exists.
func Resolve(ctx context.Context, opts Options) (Head, error) {
	r, ctx, cancel, err := prepare(ctx, opts)
	if err != nil {
		return Head{}, err
	}
	defer cancel()
	c, err := r.connect(ctx, opts.Ref)
	if err != nil {
		return Head{}, fmt.Errorf("resolving %s: %w", r.endpoint, err)
	}
	c.session.Close()
	return c.head, nil
}

// Fetch returns the Snapshot of opts.Ref. If last is not nil, was fetched with
// the same options, and the ref still stands for the same commit, last itself is
// returned, at the cost of a Resolve; for a ref that is a commit's hash, at no
// cost.
func Fetch(ctx context.Context, opts Options, last *Snapshot) (*Snapshot, error) {
	if last.pinned(opts) {
		return last, nil
	}
	r, ctx, cancel, err := prepare(ctx, opts)
	if err != nil {
		return nil, err
	}
	defer cancel()
	s, err := fetchSnapshot(ctx, r, opts, last)
	if err != nil {
		return nil, fmt.Errorf("fetching %s: %w", r.endpoint, err)
	}
	return s, nil
}

// prepare checks the options and sets the deadline of one call.
func prepare(ctx context.Context, opts Options) (remote, context.Context, context.CancelFunc, error) {
	if err := opts.Validate(); err != nil {
		return remote{}, nil, nil, err
	}
	e, err := parseEndpoint(opts.URL)
	if err != nil {
		return remote{}, nil, nil, err
	}
	limits := opts.Limits.withDefaults()
	ctx, cancel := context.WithTimeoutCause(ctx, limits.Timeout, &timeoutError{limits.Timeout})
	r := remote{endpoint: e, auth: opts.Auth.withUserinfo(e), meter: &meter{limit: limits.Bytes}}
	return r, ctx, cancel, nil
}

// timeoutError is the cause of a context that ran into Limits.Timeout.
type timeoutError struct{ after time.Duration }

func (t *timeoutError) Error() string {
	return fmt.Sprintf("not done within %s: the server is slow or does not answer; raise the timeout if that is expected", t.after)
}

func (t *timeoutError) Unwrap() error { return context.DeadlineExceeded }

func fetchSnapshot(ctx context.Context, r remote, opts Options, last *Snapshot) (*Snapshot, error) {
	c, err := r.connect(ctx, opts.Ref)
	if err != nil {
		return nil, err
	}
	if last.covers(opts, c.head) {
		c.session.Close()
		return last, nil
	}
	opts.Verify = opts.Verify.since(last, opts)
	got, err := obtain(ctx, c, opts)
	if err != nil {
		return nil, err
	}
	root, err := got.fetch.tree(ctx, r, got.commit, "")
	if err != nil {
		return nil, err
	}
	s := got.fetch.snapshot(got.commit, root)
	s.URL, s.Ref, s.key, s.head = r.endpoint.String(), got.head.Ref, opts.key(), got.head
	s.Signer = got.signer
	return s, nil
}

// obtained is a commit with the objects around it, verified if that was asked for.
type obtained struct {
	fetch  *fetch
	head   Head
	commit *object.Commit
	signer string
}

// obtain fetches the connection's commit, and closes the connection. Where it
// takes more history to tell what has to be signed, it connects again for that.
func obtain(ctx context.Context, c *connection, opts Options) (obtained, error) {
	depths := opts.depths(c.head)
	for i, depth := range depths {
		opts.Depth = depth
		got, err := receive(ctx, c, opts)
		c.session.Close()
		if !errors.Is(err, errTooShallow) || i == len(depths)-1 {
			return got, err
		}
		if c, err = c.remote.connect(ctx, opts.Ref); err != nil {
			return obtained{}, err
		}
	}
	return obtained{}, errTooShallow
}

func receive(ctx context.Context, c *connection, opts Options) (obtained, error) {
	f := &fetch{
		store:  newStore(),
		limits: opts.Limits.withDefaults(),
		opts:   opts,
		lost:   map[plumbing.Hash]int64{},
	}
	commit, err := f.receive(ctx, c)
	if err != nil {
		return obtained{}, err
	}
	signer, err := f.verify(ctx, c.head, commit)
	return obtained{f, c.head, commit, signer}, err
}

// fetch gathers the objects of one Fetch: those of the repository and of its
// submodules share a store and a budget.
type fetch struct {
	store  storer.EncodedObjectStorer
	limits Limits
	opts   Options

	// lost holds the blobs that were over the limit and whose content was
	// dropped unread, with their sizes; lostDeltas counts those whose hash
	// never became known.
	lost       map[plumbing.Hash]int64
	lostDeltas int

	charged int64 // bytes that were unpacked
	entries int   // tree entries seen so far
	nested  int   // submodules around the tree at hand
	shallow bool  // some history was left behind
	mounts  []mount
	later   *node // the tree of a later commit, for what both have in common
}

// mount is a commit whose tree stands at a directory of the snapshot.
type mount struct {
	dir    string // "" is the root
	commit *object.Commit
}

// snapshot returns what is known of the commit itself.
func (f *fetch) snapshot(commit *object.Commit, root *node) *Snapshot {
	kept := *f
	kept.opts, kept.later = Options{}, nil // a Snapshot holds no credentials
	return &Snapshot{
		Commit: commit.Hash.String(),
		Time:   commit.Committer.When,
		Author: commit.Author.Name,
		Email:  commit.Author.Email,
		Path:   ".",
		source: &repositorySource{
			files: &treeFS{root: root, store: f.store, time: commit.Committer.When},
			fetch: &kept,
		},
		blames: newBlames(),
	}
}

// errNoCommit is the cause where a hash names something else, or nothing.
var errNoCommit = errors.New("no such commit")

// commitOf follows annotated tags from h to their commit.
func commitOf(store storer.EncodedObjectStorer, h plumbing.Hash) (*object.Commit, error) {
	const maxTags = 10
	for range maxTags {
		tag, err := object.GetTag(store, h)
		if err != nil {
			break
		}
		h = tag.Target
	}
	commit, err := object.GetCommit(store, h)
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return nil, errNoCommit
	}
	return commit, err
}
