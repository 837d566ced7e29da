package provenance

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
)

// disk remembers what was found, one file for each policy and image. Of a signed
// image it keeps the signature, which is checked again when it is read, so that
// who can write there can at most make images unsigned for a while. What cannot
// be written or read is not remembered, and no error: the registry knows it.
type disk struct{ dir string }

func (d disk) file(policy string, digest name.Digest) string {
	sum := sha256.Sum256([]byte(policy + "\x00" + digest.Name()))
	return filepath.Join(d.dir, hex.EncodeToString(sum[:])+".json")
}

func (d disk) read(policy string, digest name.Digest) (found, bool) {
	if d.dir == "" {
		return found{}, false
	}
	text, err := os.ReadFile(d.file(policy, digest))
	var f found
	if err != nil || json.Unmarshal(text, &f) != nil {
		return found{}, false
	}
	return f, f.Good != nil || f.Reason != ""
}

// write puts a whole file in its place or none.
func (d disk) write(policy string, digest name.Digest, f found) {
	if d.dir == "" {
		return
	}
	text, err := json.Marshal(f)
	if err != nil || os.MkdirAll(d.dir, 0o700) != nil {
		return
	}
	temp, err := os.CreateTemp(d.dir, "new-*")
	if err != nil {
		return
	}
	_, err = temp.Write(text)
	if closeErr := temp.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(temp.Name(), d.file(policy, digest))
	}
	if err != nil {
		_ = os.Remove(temp.Name())
	}
}
