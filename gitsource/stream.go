package gitsource

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// stream is a session over a pair of pipes: SSH, the git daemon, a local
// process. It ends when its context does, because open ties the pipes to it.
type stream struct {
	in     io.Writer
	out    io.Reader
	end    func() error
	stderr *stderrText // nil where there is none
	// drain waits until stderr is complete; the output is at its end then.
	drain func()

	packed bool
	failed error
}

// AdvertisedReferencesContext reads the refs that the server sends first.
func (s *stream) AdvertisedReferencesContext(context.Context) (*packp.AdvRefs, error) {
	refs := packp.NewAdvRefs()
	err := refs.Decode(s.out)
	if errors.Is(err, packp.ErrEmptyAdvRefs) || err == nil && refs.IsEmpty() {
		return nil, transport.ErrEmptyRemoteRepository
	}
	if err != nil {
		s.fail(err)
		return nil, err
	}
	return refs, nil
}

// UploadPack asks for objects.
func (s *stream) UploadPack(_ context.Context, req *packp.UploadPackRequest) (*packp.UploadPackResponse, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	s.packed = true
	if err := s.ask(req); err != nil {
		s.fail(err)
		return nil, err
	}
	resp := packp.NewUploadPackResponse(req)
	if err := resp.Decode(io.NopCloser(s.out)); err != nil {
		s.fail(err)
		return nil, err
	}
	return resp, nil
}

func (s *stream) ask(req *packp.UploadPackRequest) error {
	var message bytes.Buffer
	if err := req.UploadRequest.Encode(&message); err != nil {
		return err
	}
	if err := pktline.NewEncoder(&message).EncodeString("done\n"); err != nil {
		return err
	}
	_, err := s.in.Write(message.Bytes())
	return err
}

// fail remembers what the server wrote to standard error, where it has one: that
// says more than the end of the stream does.
func (s *stream) fail(err error) {
	var line *pktline.ErrorLine
	if errors.As(err, &line) {
		s.failed = errors.New(line.Text)
		return
	}
	if s.stderr == nil {
		return
	}
	s.drain()
	if text := s.stderr.String(); text != "" {
		s.failed = errors.New(text)
	}
}

func (s *stream) hint() error { return s.failed }

// Close says goodbye if no pack was asked for, and ends the connection.
func (s *stream) Close() error {
	if !s.packed {
		_, _ = s.in.Write(pktline.FlushPkt)
	}
	return s.end()
}

// stderrText keeps the beginning of what is written to it, up to a bound.
type stderrText struct {
	mu  sync.Mutex
	buf []byte
}

// Write implements io.Writer and never fails.
func (t *stderrText) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if room := errorBody - len(t.buf); room > 0 {
		t.buf = append(t.buf, p[:min(room, len(p))]...)
	}
	return len(p), nil
}

func (t *stderrText) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}
