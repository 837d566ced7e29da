package v1alpha1

// Sources says where what runs may come from. What is left empty is not checked.
type Sources struct {
	// Registries are the registries and repositories from which images may come:
	// "registry.example.com" or "registry.example.com/shop", by whole path segments.
	// +kubebuilder:validation:items:Pattern=`^[^/@*?\s]+(/[^/:@*?\s]+)*$`
	Registries []string `json:"registries,omitempty"`
	// Tags says which tags an image may have: Fixed (neither none nor latest) or Any.
	// Empty is Fixed where Registries are given, else Any.
	// +kubebuilder:validation:Enum=Fixed;Any
	Tags string `json:"tags,omitempty"`
	// Digests says whether images must be pinned by digest: Required or Optional.
	// Empty is Optional.
	// +kubebuilder:validation:Enum=Required;Optional
	Digests string `json:"digests,omitempty"`
	// Images are the fields of custom resources that hold images, on top of those
	// of Kubernetes' own kinds.
	Images []ImageField `json:"images,omitempty"`
	// Charts are the repositories from which Helm charts may come, as URLs without a
	// scheme: "charts.example.com" or "registry.example.com/charts", by whole path
	// segments. Charts in the configuration repository itself are always ours.
	// +kubebuilder:validation:items:Pattern=`^[^/@*?\s]+(/[^/*?\s]+)*$`
	Charts []string `json:"charts,omitempty"`
	// Releases says whether the releases that Helm keeps in Secrets and ConfigMaps are
	// read: Read or Ignore. They may hold secrets, so that empty is Ignore; then only
	// the labels of objects tell of charts.
	// +kubebuilder:validation:Enum=Read;Ignore
	Releases string `json:"releases,omitempty"`
	// Repositories are the places from which kustomizations, Flux, Argo CD and others
	// may take configuration, as Charts. The repository of spec.git is always ours.
	// +kubebuilder:validation:items:Pattern=`^[^/@*?\s]+(/[^/*?\s]+)*$`
	Repositories []string `json:"repositories,omitempty"`
	// Signatures says how images must be signed. Nil means that they need not be.
	Signatures *Signatures `json:"signatures,omitempty"`
}

// The values of fields that are one of a few words.
const (
	Fixed    = "Fixed"
	Any      = "Any"
	Required = "Required"
	Optional = "Optional"
	Read     = "Read"
	Unread   = "Ignore" // of releases; Ignore is a type
	None     = "None"
)

// ImageField is a field of a custom resource that holds an image.
type ImageField struct {
	// Group is the API group of the custom resource.
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$`
	Group string `json:"group"`
	// Kind is that of the custom resource.
	// +kubebuilder:validation:Pattern=`^[A-Z][A-Za-z0-9]*$`
	Kind string `json:"kind"`
	// Path is a JSONPath to the image or images: "$.spec.image".
	// +kubebuilder:validation:Pattern=`^\$`
	Path string `json:"path"`
}

// Signatures says who must have signed images, and who must have built them.
type Signatures struct {
	// Keys are public keys in PEM, of which one must have signed each image.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:items:Pattern=`-----BEGIN PUBLIC KEY-----`
	Keys []string `json:"keys"`
	// Builders are the ids of SLSA builders, of which one must have built each image:
	// predicate.runDetails.builder.id of its provenance. Empty means that no
	// provenance is needed.
	// +kubebuilder:validation:items:MinLength=1
	Builders []string `json:"builders,omitempty"`
	// Repositories are those from whose source images must have been built, as their
	// provenance names them. Empty means any.
	Repositories []string `json:"repositories,omitempty"`
}

// Verify says whose commits count.
//
// +kubebuilder:validation:XValidation:rule="has(self.allowedSigners) || has(self.openpgp)",message="has neither allowedSigners nor openpgp: write the public keys of those whose commits count"
type Verify struct {
	// Commits are those that must be signed: Head, or All since what was last compared
	// (of the command line: all of the history that is looked at for what lags behind).
	// Empty is Head.
	// +kubebuilder:validation:Enum=Head;All
	Commits string `json:"commits,omitempty"`
	// AllowedSigners is a list of SSH keys in the format of git's
	// gpg.ssh.allowedSignersFile (ssh-keygen(1), ALLOWED SIGNERS).
	AllowedSigners string `json:"allowedSigners,omitempty"`
	// OpenPGP is a list of armored OpenPGP public keys.
	// +kubebuilder:validation:Pattern=`-----BEGIN PGP PUBLIC KEY BLOCK-----`
	OpenPGP string `json:"openpgp,omitempty"`
}

// The values of spec.verify.commits.
const (
	Head = "Head"
	All  = "All"
)
