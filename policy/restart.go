package policy

import (
	"slices"
	"time"

	"plumbline.dev/plumbline/differ"
)

// restartMarks are the annotations that tools give to a pod template, with the
// time as their value, for no other end than to have the pods made anew.
var restartMarks = []string{
	"kubectl.kubernetes.io/restartedAt", // kubectl rollout restart, k9s, consoles
	"cattle.io/timestamp",               // Rancher
}

var templateAnnotations = differ.Path{"spec", "template", "metadata", "annotations"}

// restarts tells whether a change is a restart of a workload's pods and nothing
// else: a mark with a time for its value, alone or in annotations of its own.
func restarts(c differ.Change) bool {
	if len(c.Path) < len(templateAnnotations) || c.Path[:len(templateAnnotations)].Compare(templateAnnotations) != 0 {
		return false
	}
	switch rest := c.Path[len(templateAnnotations):]; len(rest) {
	case 0:
		return allMarks(c.Live)
	case 1:
		name, _ := rest[0].(string)
		return isMark(name, c.Live)
	}
	return false
}

func allMarks(annotations any) bool {
	fields, _ := annotations.(map[string]any)
	for name, v := range fields {
		if !isMark(name, v) {
			return false
		}
	}
	return len(fields) > 0
}

func isMark(name string, value any) bool {
	text, _ := value.(string)
	_, err := time.Parse(time.RFC3339, text)
	return err == nil && slices.Contains(restartMarks, name)
}
