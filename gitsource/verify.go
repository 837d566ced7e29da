package gitsource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"plumbline.dev/plumbline/gitsource/signature"
)

// Verification says whose commits count.
//
// A commit is signed by its committer. What a forge makes by itself, such as the
// merge of a pull request, it signs with a key of its own, if at all: that key,
// under the address that the forge commits as, has to be among the keys then.
//
// A commit's hash covers its files, the commits that its submodules are pinned
// to, and all that came before it, so that who signs the head answers for those
// as well; All asks for everybody's own word.
type Verification struct {
	// All asks for a signature on every commit that came since Since, by whatever
	// branch it was merged, besides the head. Where Since is empty it is the commit
	// of the last Snapshot, if that was verified by the same keys; without one it is
	// every commit of the history that Options.Depth fetches.
	All bool
	// AllowedSigners and OpenPGP are the keys, as in signature.Keys.
	AllowedSigners, OpenPGP string
	// Since is the hash of a commit that was verified earlier. If the head does not
	// lead back to it, all of the head's history has to be signed.
	Since string
}

func (v *Verification) validate() error {
	if v == nil {
		return nil
	}
	_, err := signature.New(v.keys())
	if v.Since != "" && !fullHash.MatchString(v.Since) {
		err = errors.Join(err, fmt.Errorf("%q is not a commit's full hash, since which commits have to be signed", v.Since))
	}
	return err
}

func (v *Verification) keys() signature.Keys {
	return signature.Keys{AllowedSigners: v.AllowedSigners, OpenPGP: v.OpenPGP}
}

// since returns v with Since filled in from the last Snapshot.
func (v *Verification) since(last *Snapshot, opts Options) *Verification {
	if v == nil || v.Since != "" || last == nil || last.Signer == "" || last.key.url != opts.key().url || last.key.verify != v.key() {
		return v
	}
	filled := *v
	filled.Since = last.Commit
	return &filled
}

// key is equal where the same signatures are asked for.
func (v *Verification) key() (key verificationKey) {
	if v != nil {
		key = verificationKey{true, v.All, v.keys()}
	}
	return key
}

type verificationKey struct {
	asked, all bool
	keys       signature.Keys
}

// UnverifiedError is returned by Fetch for a commit or tag that nobody known has
// signed. Nothing of it is returned then.
type UnverifiedError struct {
	// Commit is its hash, and Tag the name of the tag that leads to it, if that is
	// what nobody known has signed.
	Commit, Tag string
	// Author and Email are who wrote it, by its own account.
	Author, Email string
	// Reason says what is wrong and what to do.
	Reason error
}

func (u *UnverifiedError) Error() string {
	what := "commit " + u.Commit
	if u.Tag != "" {
		what = fmt.Sprintf("tag %s of commit %s", quoted(u.Tag), u.Commit)
	}
	text := fmt.Sprintf("%s by %s <%s>: %s", what, oneLine(u.Author), oneLine(u.Email), oneLine(u.Reason.Error()))
	if errors.Is(u.Reason, signature.ErrNotSigned) {
		text += ": sign it with one of the known keys (git commit -S, git tag -s) and push it again, or take it back"
	}
	return text
}

func (u *UnverifiedError) Unwrap() error { return u.Reason }

// errTooShallow is returned where it takes more history to tell what has to be
// signed.
var errTooShallow = errors.New("the history at hand is too short to tell which commits have to be signed")

// verifier checks signatures of one Fetch.
type verifier struct {
	*signature.Verifier
	fetch *fetch
}

// verify returns who signed what head stands for, or "" where nobody asks.
func (f *fetch) verify(ctx context.Context, head Head, commit *object.Commit) (string, error) {
	asked := f.opts.Verify
	if asked == nil {
		return "", nil
	}
	keys, err := signature.New(asked.keys())
	if err != nil {
		return "", err
	}
	v := verifier{keys, f}
	signer, err := v.commit(commit)
	if err != nil {
		return "", err
	}
	if err := v.tags(head, commit); err != nil {
		return "", err
	}
	if !asked.All {
		return signer, nil
	}
	return signer, v.between(ctx, asked.Since, commit)
}

func (v verifier) commit(c *object.Commit) (string, error) {
	signer, err := v.signed(c)
	if err != nil {
		return "", &UnverifiedError{Commit: c.Hash.String(), Author: c.Author.Name, Email: c.Author.Email, Reason: err}
	}
	return signer, nil
}

func (v verifier) signed(c *object.Commit) (string, error) {
	payload, raw, err := unsigned(c.EncodeWithoutSignature)
	if err != nil {
		return "", err
	}
	// What was signed must be what is read, however the object was put together.
	var same object.Commit
	if err := same.Decode(payload); err != nil || same.TreeHash != c.TreeHash || !slices.Equal(same.ParentHashes, c.ParentHashes) ||
		same.Committer.Email != c.Committer.Email || !same.Committer.When.Equal(c.Committer.When) {
		return "", errors.New("it is malformed: what is signed of it is not what it says")
	}
	return v.Verify(raw, c.PGPSignature, signature.Maker{Email: c.Committer.Email, Time: c.Committer.When})
}

// unsigned returns an object without its signature: what was signed.
func unsigned(encode func(plumbing.EncodedObject) error) (*plumbing.MemoryObject, []byte, error) {
	payload := &plumbing.MemoryObject{}
	if err := encode(payload); err != nil {
		return nil, nil, err
	}
	r, err := payload.Reader()
	if err != nil {
		return nil, nil, err
	}
	raw, err := io.ReadAll(r)
	return payload, raw, errors.Join(err, r.Close())
}

// tags checks the annotated tags through which head leads to its commit. A tag
// that is not signed adds nothing to its commit's signature and takes nothing
// from it, as a lightweight tag does; a tag that is signed must be by somebody
// known, and be the tag that was signed, not another one's copy.
func (v verifier) tags(head Head, commit *object.Commit) error {
	name, _ := strings.CutPrefix(head.Ref, tagPrefix)
	for h := head.want; h != commit.Hash; {
		tag, err := object.GetTag(v.fetch.store, h)
		if err != nil {
			return err
		}
		if err := v.tag(tag, name); err != nil {
			return &UnverifiedError{Commit: commit.Hash.String(), Tag: tag.Name, Author: tag.Tagger.Name, Email: tag.Tagger.Email, Reason: err}
		}
		h, name = tag.Target, ""
	}
	return nil
}

func (v verifier) tag(t *object.Tag, name string) error {
	if t.PGPSignature == "" {
		return nil
	}
	payload, raw, err := unsigned(t.EncodeWithoutSignature)
	if err != nil {
		return err
	}
	var same object.Tag
	if err := same.Decode(payload); err != nil || same.Target != t.Target || same.Name != t.Name ||
		same.Tagger.Email != t.Tagger.Email || !same.Tagger.When.Equal(t.Tagger.When) {
		return errors.New("it is malformed: what is signed of it is not what it says")
	}
	if _, err := v.Verify(raw, t.PGPSignature, signature.Maker{Email: t.Tagger.Email, Time: t.Tagger.When}); err != nil {
		return err
	}
	if name != "" && t.Name != name {
		return fmt.Errorf("it was signed as the tag %s and stands as %s: somebody copied or renamed it: make the tag anew", quoted(t.Name), quoted(name))
	}
	return nil
}

// between checks the commits that head leads to and since does not.
func (v verifier) between(ctx context.Context, since string, head *object.Commit) error {
	known, err := v.fetch.ancestors(since)
	if err != nil {
		return err
	}
	seen := map[plumbing.Hash]bool{head.Hash: true}
	for queue := []*object.Commit{head}; len(queue) > 0; queue = queue[1:] {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if known[queue[0].Hash] {
			continue
		}
		if _, err := v.commit(queue[0]); err != nil {
			return err
		}
		for _, h := range queue[0].ParentHashes {
			parent, err := v.fetch.ancestor(h, since != "")
			if err != nil {
				return err
			}
			if parent != nil && !seen[h] {
				seen[h] = true
				queue = append(queue, parent)
			}
		}
	}
	return nil
}

// ancestor returns a commit, or nil where the history at hand ends before it. must
// says that it may not end there.
func (f *fetch) ancestor(h plumbing.Hash, must bool) (*object.Commit, error) {
	commit, err := object.GetCommit(f.store, h)
	switch {
	case err == nil:
		return commit, nil
	case !errors.Is(err, plumbing.ErrObjectNotFound) || !f.shallow:
		return nil, fmt.Errorf("reading commit %s: %w", h, err)
	case must:
		return nil, errTooShallow
	}
	return nil, nil
}

// ancestors returns the commit since and what is at hand of all before it. A
// commit that the complete history does not have is none of it.
func (f *fetch) ancestors(since string) (map[plumbing.Hash]bool, error) {
	known := map[plumbing.Hash]bool{}
	if since == "" {
		return known, nil
	}
	first, err := object.GetCommit(f.store, plumbing.NewHash(since))
	if err != nil {
		if f.shallow {
			return nil, errTooShallow
		}
		return known, nil
	}
	for queue := []*object.Commit{first}; len(queue) > 0; queue = queue[1:] {
		if known[queue[0].Hash] {
			continue
		}
		known[queue[0].Hash] = true
		for _, h := range queue[0].ParentHashes {
			if parent, err := object.GetCommit(f.store, h); err == nil {
				queue = append(queue, parent)
			}
		}
	}
	return known, nil
}
