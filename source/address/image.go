package address

import (
	_ "crypto/sha256" // the digests that are known must not depend on who else is linked
	_ "crypto/sha512" // as above
	"errors"
	"fmt"
	"strings"

	"github.com/distribution/reference"
)

// Image is what an image reference names.
type Image struct {
	// Place is the registry and the repository in it.
	Place
	// Tag is empty where the reference has none; then a registry's "latest" is meant,
	// unless there is a Digest.
	Tag string
	// Digest is "sha256:…", or empty.
	Digest string
}

// String returns the reference in full, with what it has of tag and digest.
func (i Image) String() string {
	text := i.Place.String()
	if i.Tag != "" {
		text += ":" + i.Tag
	}
	if i.Digest != "" {
		text += "@" + i.Digest
	}
	return text
}

// Pinned says whether the reference always names the same image.
func (i Image) Pinned() bool { return i.Digest != "" }

// ParseImage reads an image reference as container runtimes do: what names no host
// is of Docker Hub. Docker Hub's other names are folded into docker.io, and what the
// library reads but means nothing certain is an error, such as a digest alone.
//
// An error does not repeat the text.
func ParseImage(text string) (Image, error) {
	algorithm, encoded, ok := strings.Cut(text, ":")
	switch {
	case text == "":
		return Image{}, errors.New("it is empty")
	case ok && len(encoded) >= 32 && !strings.ContainsAny(text, "/@.") && strings.HasPrefix(algorithm, "sha"):
		return Image{}, errors.New("it is a digest alone, which names no registry")
	case strings.Contains(text, "://"):
		return Image{}, fmt.Errorf("it begins with %s://, and an image has no scheme", short(text[:strings.Index(text, "://")]))
	}
	named, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		return Image{}, explain(err)
	}
	name, err := host(reference.Domain(named), "443")
	if err != nil {
		return Image{}, err
	}
	image := Image{Place: Place{Host: name, Path: reference.Path(named)}}
	if name == hub && !strings.Contains(image.Path, "/") {
		image.Path = "library/" + image.Path
	}
	if tagged, ok := named.(reference.Tagged); ok {
		image.Tag = tagged.Tag()
	}
	if digested, ok := named.(reference.Digested); ok {
		image.Digest = digested.Digest().String()
	}
	return image, nil
}

// explain says in a few words why the library refuses a reference.
func explain(err error) error {
	switch {
	case errors.Is(err, reference.ErrNameTooLong):
		return errors.New("its name is too long")
	case errors.Is(err, reference.ErrReferenceInvalidFormat):
		return errors.New("it has not the form of an image reference")
	case strings.Contains(err.Error(), "must be lowercase"):
		return errors.New("its path has capital letters")
	case strings.Contains(err.Error(), "digest"):
		return errors.New("its digest has not the form or the length of one")
	case strings.Contains(err.Error(), "hexadecimal"):
		return errors.New("it is a digest alone, which names no registry")
	}
	return errors.New("it is no image reference")
}

// validPath says whether a path is one that an image can have.
func validPath(path string) bool {
	_, err := reference.ParseNormalizedNamed("registry.example.com/" + path)
	return err == nil
}

// short bounds what is repeated of a foreign text.
func short(text string) string {
	if len(text) > 40 {
		return text[:40] + "…"
	}
	return text
}
