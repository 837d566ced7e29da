// Package v1alpha1 is the Baseline: a git repository at a ref and path, plus the
// rules that hold for what it governs; and the Finding, what does not hold.
//
// +kubebuilder:object:generate=true
// +groupName=plumbline.dev
package v1alpha1

//go:generate go tool -modfile=../../tools/go.mod controller-gen object crd paths=. output:object:dir=. output:crd:dir=../../manifests/crd
//go:generate go run ../../test/schema

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// APIVersion and Kind identify a Baseline's file.
const (
	APIVersion = "plumbline.dev/v1alpha1"
	Kind       = "Baseline"
)

// The values of a Baseline's spec.confirm.
const (
	// ConfirmNone asks nothing of the API server but what it has.
	ConfirmNone = "None"
	// ConfirmDryRun asks it what it would store of a declared object, by a
	// server-side apply with dryRun.
	ConfirmDryRun = "DryRun"
)

// The values of a Baseline's spec.mode.
const (
	// ModeReport tells what was found, and writes nothing.
	ModeReport = "Report"
	// ModeRevert undoes what no commit ever declared, and leaves it to the deployer to roll
	// a new commit out.
	ModeRevert = "Revert"
	// ModeSync rolls commits out as well.
	ModeSync = "Sync"
)

// Baseline is the file that "plumbline diff -f" reads, and the custom resource of
// the same form.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Namespaced,singular=baseline,path=baselines
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name=Ready,type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name=Drifted,type=string,JSONPath=`.status.conditions[?(@.type=="Drifted")].status`
// +kubebuilder:printcolumn:name=Findings,type=integer,JSONPath=`.status.findings`
// +kubebuilder:printcolumn:name=Commit,type=string,JSONPath=`.status.commit`
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name=Reason,type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type Baseline struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`

	Spec BaselineSpec `json:"spec,omitzero"`
	// Status is what the controller last found; a file has none.
	Status BaselineStatus `json:"status,omitzero"`
}

// BaselineList is what the API server lists Baselines as.
//
// +kubebuilder:object:root=true
type BaselineList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	Items []Baseline `json:"items"`
}

// BaselineSpec says what is governed and by which rules.
//
// +kubebuilder:validation:XValidation:rule="!has(self.prune) || !self.prune || has(self.mode) && self.mode in ['Revert', 'Sync']",message="prune deletes, and mode is Report, which writes nothing: write Revert or Sync"
// +kubebuilder:validation:XValidation:rule="!has(self.quarantine) || !self.quarantine || has(self.mode) && self.mode in ['Revert', 'Sync']",message="quarantine writes, and mode is Report, which writes nothing: write Revert or Sync"
// +kubebuilder:validation:XValidation:rule="!has(self.quarantine) || !self.quarantine || !has(self.prune) || !self.prune",message="prune deletes what quarantine keeps: choose one of them"
type BaselineSpec struct {
	// Git is where the configuration is declared; it may be left out where a
	// directory is compared.
	Git Git `json:"git,omitzero"`
	// Suspend stops the controller from looking, until it is taken away. What was found
	// before stays in the status.
	Suspend bool `json:"suspend,omitempty"`
	// Mode says what the controller does about what it finds: Report tells of it, Revert
	// undoes what no commit ever declared, and Sync rolls commits out as well. Empty is
	// Report.
	// +kubebuilder:validation:Enum=Report;Revert;Sync
	Mode string `json:"mode,omitempty"`
	// Prune has the controller delete the objects of rogue/object, Pods by eviction, but for
	// Namespaces, definitions of custom resources and volumes with their claims.
	Prune bool `json:"prune,omitempty"`
	// Quarantine has the controller keep the workloads of rogue/object apart instead, by a
	// NetworkPolicy that denies their Pods all traffic and by taking labels away by which
	// Services choose them. It does not go with prune.
	Quarantine bool `json:"quarantine,omitempty"`
	// ServiceAccountName names a ServiceAccount beside the Baseline with whose rights the
	// controller writes to what the Baseline governs; with its own where it is empty.
	// +kubebuilder:validation:MaxLength=253
	ServiceAccountName string `json:"serviceAccountName,omitempty"`
	// WritesPerMinute bounds how many objects the controller writes to in a minute; 60 where
	// it is zero.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=6000
	WritesPerMinute int32 `json:"writesPerMinute,omitempty"`
	// Scope restricts what is governed.
	Scope Scope `json:"scope,omitzero"`
	// Deployer is the identity whose writes carry out what git says.
	Deployer Deployer `json:"deployer,omitzero"`
	// Controllers are field managers that own fields by right, on top of the
	// built-in list. A trailing * matches any ending.
	// +kubebuilder:validation:items:Pattern=`[^*]`
	Controllers []string `json:"controllers,omitempty"`
	// Confirm says whether the API server is asked about what differs, with requests
	// that write nothing but take the rights to write. Empty is None.
	// +kubebuilder:validation:Enum=None;DryRun
	Confirm string `json:"confirm,omitempty"`
	// Ignore are the rules that leave differences out of what is found.
	// +kubebuilder:validation:MaxItems=1000
	Ignore []Ignore `json:"ignore,omitempty"`
	// Verify says whose commits count as declared. Nil means anybody's.
	Verify *Verify `json:"verify,omitempty"`
	// Sources says where what runs may come from.
	Sources Sources `json:"sources,omitzero"`
	// Posture says what namespaces must hold to.
	Posture Posture `json:"posture,omitzero"`
	// Runtime says what running Pods must hold to.
	Runtime Runtime `json:"runtime,omitzero"`
	// Rules says how much rules and groups of rules matter: "source/tag: Report",
	// "posture: Off". A rule's own entry goes before its group's.
	// +kubebuilder:validation:MaxProperties=100
	// +kubebuilder:validation:XValidation:rule="self.all(key, key.matches('^[a-z]+(/[a-z]+(-[a-z]+)*)?$'))",message="a key is no rule: write one such as source/tag, or a group such as posture"
	Rules map[string]Level `json:"rules,omitempty"`
}

// Level is how much a rule matters.
//
// +kubebuilder:validation:Enum=Off;Report;Fail
type Level string

const (
	// Off: the rule is not evaluated.
	Off Level = "Off"
	// Report: what it finds is told and is no deviation.
	Report Level = "Report"
	// Fail: what it finds is a deviation.
	Fail Level = "Fail"
)

// Git names a repository, a ref and a path in it.
type Git struct {
	// URL is an https, ssh, git or file URL, or a directory. It holds no
	// credentials.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="!self.matches('^[a-z+]+://[^/@]*:[^/@]*@')",message="holds a password: put it into a Secret, and name that in secretRef"
	URL string `json:"url"`
	// Ref is a branch, a tag, a commit or a semver range of tags; the
	// repository's default branch where it is empty.
	Ref string `json:"ref,omitempty"`
	// Path is the directory to render, relative to the repository's root.
	// +kubebuilder:validation:Pattern=`^([^/].*)?$`
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="!self.matches('(^|/)[.][.](/|$)')",message="leaves the repository: write a directory beneath its root, such as shop/prod"
	Path string `json:"path,omitempty"`
	// Interval is how often the controller asks the repository for news; 1m where it is
	// empty, and at least 10s.
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('10s')",message="is too short: write how often to ask for news, at least 10s, such as 1m"
	Interval metav1.Duration `json:"interval,omitzero"`
	// SecretRef names a Secret beside the Baseline with what opens the repository to the
	// controller: username and password, or token, or sshKey and sshPassphrase, and
	// knownHosts and caBundle. The command line takes flags for that. Its key webhook holds
	// what the forge signs its pushes with.
	SecretRef *SecretReference `json:"secretRef,omitempty"`
}

// SecretReference names a Secret in the Baseline's own namespace.
type SecretReference struct {
	// +kubebuilder:validation:MinLength=1
	Name string `json:"name"`
}

// Deployer is the CI/CD identity.
type Deployer struct {
	// Managers are the field managers under which it writes; empty means the
	// built-in list of deployment tools.
	// +kubebuilder:validation:items:MinLength=1
	Managers []string `json:"managers,omitempty"`
	// Users are the user names that it authenticates with, for witnesses who see them.
	// +kubebuilder:validation:items:MinLength=1
	Users []string `json:"users,omitempty"`
}
