package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// The conditions of a Baseline.
const (
	// ConditionReady is True while what is declared is compared with what is live, False
	// where that cannot be done, and then says why.
	ConditionReady = "Ready"
	// ConditionDrifted is True where anything was found that is a deviation, False where
	// all was compared and nothing was, and Unknown where something could not be compared.
	ConditionDrifted = "Drifted"
	// ConditionStalled is True where trying again will not help: the Baseline itself has
	// to be changed.
	ConditionStalled = "Stalled"
	// ConditionReverting is True while what the mode says to undo is undone, False while
	// there is nothing, or while that cannot be done or has been given up, and then says
	// why. In mode Report there is none.
	ConditionReverting = "Reverting"
)

// The reasons of these conditions.
const (
	ReasonCompared    = "Compared"
	ReasonSuspended   = "Suspended"
	ReasonInvalid     = "InvalidSpec"
	ReasonGit         = "GitFailed"
	ReasonRender      = "RenderFailed"
	ReasonCluster     = "ClusterFailed"
	ReasonInSync      = "InSync"
	ReasonDrifted     = "Drifted"
	ReasonNotCompared = "NotCompared"
	ReasonReverting   = "Reverting"
	ReasonReverted    = "Reverted"
	ReasonFailed      = "RevertFailed"
	ReasonFight       = "Fight"
)

// AnnotationRequested has the controller look at once when its value changes; any value
// will do, such as the time.
const AnnotationRequested = "plumbline.dev/requested"

// BaselineStatus is what was last found. Numbers are of the commit that it names, which
// is the last that could be compared.
type BaselineStatus struct {
	// ObservedGeneration is the generation of the spec that this is about.
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Requested is the value of the annotation plumbline.dev/requested that was last
	// obeyed.
	Requested string `json:"requested,omitempty"`
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Commit was compared last.
	Commit string `json:"commit,omitempty"`
	// Objects are how many objects the commit declares in the scope, Verdicts how many
	// are how, with rogues among them.
	Objects  int32            `json:"objects,omitempty"`
	Verdicts map[string]int32 `json:"verdicts,omitempty"`
	// Findings are how many deviations there are, and NotCompared of how much nothing is
	// known.
	Findings    int32 `json:"findings"`
	NotCompared int32 `json:"notCompared,omitempty"`
}
