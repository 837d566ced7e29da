package gitsource

import (
	"context"
	"io"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// remote is one repository to talk to, with the budget for what it sends.
type remote struct {
	endpoint endpoint
	auth     Auth
	meter    *meter
}

// session is one conversation with git-upload-pack.
type session interface {
	AdvertisedReferencesContext(context.Context) (*packp.AdvRefs, error)
	UploadPack(context.Context, *packp.UploadPackRequest) (*packp.UploadPackResponse, error)
	Close() error
	// hint returns the cause of the last failure where the layers between
	// lost it, or nil.
	hint() error
}

// connection is a session whose refs have been read.
type connection struct {
	remote  remote
	session session
	refs    *packp.AdvRefs
	head    Head
}

// connect opens a session and resolves ref. The caller closes the session.
func (r remote) connect(ctx context.Context, ref string) (*connection, error) {
	s, err := r.open(ctx)
	if err != nil {
		return nil, r.explain(ctx, err, nil)
	}
	refs, err := s.AdvertisedReferencesContext(ctx)
	if err != nil {
		s.Close()
		return nil, r.explain(ctx, err, s.hint())
	}
	transport.FilterUnsupportedCapabilities(refs.Capabilities)
	head, err := choose(refs, ref)
	if err != nil {
		s.Close()
		return nil, err
	}
	return &connection{remote: r, session: s, refs: refs, head: head}, nil
}

func (r remote) open(ctx context.Context) (session, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	switch r.endpoint.scheme {
	case "https", "http":
		return openHTTP(r)
	case "ssh":
		return openSSH(ctx, r)
	case "git":
		return openDaemon(ctx, r)
	}
	return openLocal(ctx, r)
}

// receive fetches the connection's commit into the store. Where the server does
// not hand out a commit by its hash, all branches and tags are fetched and the
// commit is looked for in them.
func (f *fetch) receive(ctx context.Context, c *connection) (*object.Commit, error) {
	wants, depth := []plumbing.Hash{c.head.want}, f.opts.depth()
	if !c.serves(c.head.want) {
		wants, depth = tips(c.refs), 0
	}
	if err := f.download(ctx, c, wants, depth); err != nil {
		return nil, err
	}
	commit, err := commitOf(f.store, c.head.want)
	switch {
	case err == nil:
		return commit, nil
	case c.head.Ref != "":
		return nil, refusef("%s names no commit", c.head.Ref)
	}
	return nil, refusef("no commit %s in the repository, or no branch or tag leads to it", c.head.Commit)
}

// serves reports whether the server can be asked for h directly.
func (c *connection) serves(h plumbing.Hash) bool {
	return isTip(c.refs, h) || c.refs.Capabilities.Supports(capability.AllowReachableSHA1InWant)
}

func (f *fetch) download(ctx context.Context, c *connection, wants []plumbing.Hash, depth int) error {
	if len(wants) == 0 {
		return nil
	}
	req := c.request(wants, depth)
	resp, err := c.session.UploadPack(ctx, req)
	if err != nil {
		return c.remote.explain(ctx, err, c.session.hint())
	}
	defer resp.Close()
	if len(resp.Shallows) > 0 {
		f.shallow = true
	}
	if err := f.unpack(ctx, packOf(resp, req)); err != nil {
		return c.remote.explain(ctx, err, nil)
	}
	return nil
}

func (c *connection) request(wants []plumbing.Hash, depth int) *packp.UploadPackRequest {
	caps := c.refs.Capabilities
	req := packp.NewUploadPackRequestFromCapabilities(caps)
	req.Wants = wants
	set := []capability.Capability{}
	if caps.Supports(capability.NoProgress) {
		set = append(set, capability.NoProgress)
	}
	if depth > 0 && caps.Supports(capability.Shallow) {
		req.Depth = packp.DepthCommits(depth)
		set = append(set, capability.Shallow)
	}
	if needsMultiACK(c.remote.endpoint.host) {
		set = append(set, capability.MultiACKDetailed)
	}
	for _, name := range set {
		// Set fails only for capabilities that take arguments.
		_ = req.Capabilities.Set(name)
	}
	return req
}

// needsMultiACK knows the forge that refuses clients without multi_ack. A fetch
// that has nothing yet gets the same answer with it as without.
func needsMultiACK(host string) bool {
	host = strings.ToLower(host)
	return host == "dev.azure.com" || host == "ssh.dev.azure.com" || strings.HasSuffix(host, ".visualstudio.com")
}

// packOf returns the pack in the response, without the progress around it.
func packOf(resp io.Reader, req *packp.UploadPackRequest) io.Reader {
	switch {
	case req.Capabilities.Supports(capability.Sideband64k):
		return sideband.NewDemuxer(sideband.Sideband64k, resp)
	case req.Capabilities.Supports(capability.Sideband):
		return sideband.NewDemuxer(sideband.Sideband, resp)
	}
	return resp
}
