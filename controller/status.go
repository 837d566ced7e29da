package controller

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/inspect"
	"plumbline.dev/plumbline/report"
)

// maxMessage bounds the message of a condition, in characters.
const maxMessage = 1000

// status is what an outcome makes of a Baseline's status. It says nothing of when the
// look was, so that nothing is written while nothing changes.
func (o outcome) status(b *v1alpha1.Baseline) v1alpha1.BaselineStatus {
	s := *b.Status.DeepCopy()
	s.ObservedGeneration = b.Generation
	s.Requested = b.Annotations[v1alpha1.AnnotationRequested]
	if o.report != nil {
		count(&s, *o.report)
	}
	conditions := []metav1.Condition{o.ready(s), o.drifted(s)}
	if o.stalled {
		conditions = append(conditions, metav1.Condition{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue, Reason: o.reason, Message: message(o.failure)})
	} else {
		meta.RemoveStatusCondition(&s.Conditions, v1alpha1.ConditionStalled)
	}
	if c, ok := o.reverting.condition(); ok {
		conditions = append(conditions, c)
	} else if o.reverting.mode != "" || o.suspended {
		meta.RemoveStatusCondition(&s.Conditions, v1alpha1.ConditionReverting)
	}
	for _, c := range conditions {
		c.ObservedGeneration = b.Generation
		meta.SetStatusCondition(&s.Conditions, c)
	}
	return s
}

// count fills in the numbers of a report.
func count(s *v1alpha1.BaselineStatus, r report.Report) {
	s.Commit = r.Source.Commit
	s.Objects = int32(r.Objects())
	s.Verdicts = map[string]int32{}
	for verdict, n := range r.Verdicts {
		if n > 0 {
			s.Verdicts[string(verdict)] = int32(n)
		}
	}
	s.Findings = int32(len(deviations(r)))
	s.NotCompared = int32(len(r.Unknown) + len(r.Errors))
}

// deviations are the findings that are more than worth knowing.
func deviations(r report.Report) []finding.Finding {
	return slices.DeleteFunc(slices.Clone(r.Findings), func(f finding.Finding) bool { return f.Severity < finding.Warning })
}

func (o outcome) ready(s v1alpha1.BaselineStatus) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse}
	switch {
	case o.suspended:
		c.Reason, c.Message = v1alpha1.ReasonSuspended, "spec.suspend is true: nobody looks"
	case o.failure != nil:
		c.Reason, c.Message = o.reason, message(o.failure)
	default:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, v1alpha1.ReasonCompared, fmt.Sprintf("%d objects of commit %s were compared", s.Objects, s.Commit)
	}
	return c
}

func (o outcome) drifted(s v1alpha1.BaselineStatus) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionDrifted, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonNotCompared}
	switch {
	case o.suspended:
		c.Reason, c.Message = v1alpha1.ReasonSuspended, "spec.suspend is true: nobody looks"
	case o.report == nil:
		c.Message = "nothing could be compared: see Ready"
	case s.Findings > 0:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, v1alpha1.ReasonDrifted, fmt.Sprintf("findings: %s", rules(*o.report))
		if s.NotCompared > 0 {
			c.Message += fmt.Sprintf("; not compared: %d, such as %s", s.NotCompared, unknown(*o.report))
		}
	case s.NotCompared > 0:
		c.Message = fmt.Sprintf("nothing was found, and %d could not be compared, such as %s", s.NotCompared, unknown(*o.report))
	default:
		c.Status, c.Reason, c.Message = metav1.ConditionFalse, v1alpha1.ReasonInSync, "everything that git declares is as it says"
	}
	c.Message = cut(c.Message)
	return c
}

// condition is how it stands with undoing; false where nothing is undone.
func (s undoing) condition() (metav1.Condition, bool) {
	c := metav1.Condition{Type: v1alpha1.ConditionReverting, Status: metav1.ConditionFalse}
	switch {
	case s.mode == "" || s.mode == v1alpha1.ModeReport:
		return c, false
	case s.failure != nil:
		c.Reason, c.Message = v1alpha1.ReasonFailed, message(s.failure)
	case s.fights > 0:
		c.Reason, c.Message = v1alpha1.ReasonFight, fmt.Sprintf("%d fields are changed again each time they are put back: see drift/fight", s.fights)
	case s.waiting > 0:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, v1alpha1.ReasonReverting, fmt.Sprintf("%d objects are put back", s.waiting)
	default:
		c.Reason, c.Message = v1alpha1.ReasonReverted, "nothing is left to undo"
	}
	return c, true
}

// rules counts the deviations by rule: "2 drift/added, 1 rogue/object".
func rules(r report.Report) string {
	counts := map[finding.Rule]int{}
	var all []finding.Rule
	for _, f := range deviations(r) {
		if counts[f.Rule]++; counts[f.Rule] == 1 {
			all = append(all, f.Rule)
		}
	}
	slices.SortFunc(all, func(a, b finding.Rule) int {
		return cmp.Or(counts[b]-counts[a], strings.Compare(string(a), string(b)))
	})
	var parts []string
	for _, rule := range all {
		parts = append(parts, fmt.Sprintf("%d %s", counts[rule], rule))
	}
	return strings.Join(parts, ", ")
}

// unknown names one of what could not be compared.
func unknown(r report.Report) string {
	if len(r.Errors) > 0 {
		return r.Errors[0]
	}
	return strings.TrimSpace(r.Unknown[0].Object.String() + ": " + r.Unknown[0].Reason)
}

// message is an error as a condition tells it.
func message(err error) string { return cut(strings.Join(inspect.Lines(err), "; ")) }

func cut(text string) string {
	if runes := []rune(text); len(runes) > maxMessage {
		return string(runes[:maxMessage-1]) + "…"
	}
	return text
}

// news is a condition that has changed.
type news struct {
	reason, message string
	bad             bool
}

// changed tells which conditions have another status or reason than before.
func changed(before, after v1alpha1.BaselineStatus) []news {
	var all []news
	for _, c := range after.Conditions {
		was := meta.FindStatusCondition(before.Conditions, c.Type)
		if was != nil && was.Status == c.Status && was.Reason == c.Reason {
			continue
		}
		bad := c.Status != metav1.ConditionTrue
		if c.Type == v1alpha1.ConditionReverting {
			bad = c.Reason == v1alpha1.ReasonFailed || c.Reason == v1alpha1.ReasonFight
		}
		if c.Type == v1alpha1.ConditionDrifted || c.Type == v1alpha1.ConditionStalled {
			bad = c.Status != metav1.ConditionFalse
		}
		all = append(all, news{c.Reason, c.Message, bad})
	}
	return all
}

func same(a, b v1alpha1.BaselineStatus) bool { return reflect.DeepEqual(a, b) }
