package lag

import (
	"slices"
	"strings"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
)

// deployersOf names the deployers whose writes to the object show anything. Where
// nobody has named any it may be all that are known; but if one of them that
// people do not use by hand has written the object, kubectl has not deployed it:
// an old manifest that somebody applies is no lag.
func deployersOf(live object.Object, o differ.Options) []string {
	if len(o.Deployers) > 0 {
		return o.Deployers
	}
	machines := slices.DeleteFunc(slices.Clone(differ.KnownDeployers), func(name string) bool {
		manager, _, _ := strings.Cut(name, "/")
		return manager == beforeApply || slices.Contains(differ.KnownHumanTools, manager)
	})
	if slices.ContainsFunc(managersOf(live), func(manager string) bool { return among(machines, manager) }) {
		return machines
	}
	return differ.KnownDeployers
}

// beforeApply is the API server's name for whoever wrote an object of which it
// kept no records at first.
const beforeApply = "before-first-apply"

func managersOf(live object.Object) []string {
	metadata, _ := live.Content["metadata"].(map[string]any)
	records, _ := metadata["managedFields"].([]any)
	var managers []string
	for _, r := range records {
		record, _ := r.(map[string]any)
		if manager, _ := record["manager"].(string); manager != "" {
			managers = append(managers, manager)
		}
	}
	return managers
}

// among tells whether one of names stands for a manager; a trailing * matches any
// ending.
func among(names []string, manager string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		prefix, wild := strings.CutSuffix(name, "*")
		return name == manager || wild && strings.HasPrefix(manager, prefix)
	})
}
