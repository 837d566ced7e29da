package reverter

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
)

// Undoes tells whether findings of a rule are undone: of what no commit ever declared,
// and, where commits are rolled out, of what the deployer has not carried out yet.
func Undoes(r finding.Rule, rollOut bool) bool {
	switch r {
	case finding.DriftModified, finding.DriftRemoved, finding.DriftAdded, finding.DriftMissing:
		return true
	case finding.DriftPending, finding.DriftReleased:
		return rollOut
	}
	return false
}

// Prunes tells whether rogue objects of a kind are deleted: not those with which more
// goes than themselves, or data.
func Prunes(id object.ID) bool {
	return !slices.Contains([]string{
		"Namespace", "PersistentVolume", "PersistentVolumeClaim", "CustomResourceDefinition.apiextensions.k8s.io", "APIService.apiregistration.k8s.io",
	}, kindOf(id))
}

func kindOf(id object.ID) string { return strings.TrimSuffix(id.Kind+"."+id.Group, ".") }

// first are the kinds that others need, in the order in which they are created; last are
// those that get in the way of others that are not ready.
var (
	first = []string{
		"Namespace", "CustomResourceDefinition.apiextensions.k8s.io", "PriorityClass.scheduling.k8s.io", "StorageClass.storage.k8s.io",
		"ResourceQuota", "LimitRange", "NetworkPolicy.networking.k8s.io", "ServiceAccount", "Secret", "ConfigMap", "PersistentVolume", "PersistentVolumeClaim",
		"ClusterRole.rbac.authorization.k8s.io", "Role.rbac.authorization.k8s.io", "ClusterRoleBinding.rbac.authorization.k8s.io", "RoleBinding.rbac.authorization.k8s.io",
		"Service",
	}
	last = []string{
		"APIService.apiregistration.k8s.io",
		"ValidatingAdmissionPolicy.admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding.admissionregistration.k8s.io",
		"MutatingWebhookConfiguration.admissionregistration.k8s.io", "ValidatingWebhookConfiguration.admissionregistration.k8s.io",
	}
)

// Compare orders objects in the order in which they are written: what others need goes
// first.
func Compare(a, b object.ID) int { return cmp.Or(rank(a)-rank(b), a.Compare(b)) }

func rank(id object.ID) int {
	kind := kindOf(id)
	if i := slices.Index(first, kind); i >= 0 {
		return i
	}
	return len(first) + 1 + slices.Index(last, kind)
}

// dependsOn is the annotation by which an object waits for others, of the form that
// kubectl's and Flux's appliers read: "GROUP/namespaces/NAMESPACE/KIND/NAME", or
// "GROUP/KIND/NAME" for what is in no namespace, with commas.
const dependsOn = "config.kubernetes.io/depends-on"

// Dependencies are the objects for which a declared one waits, without their versions.
func Dependencies(o object.Object) ([]object.ID, error) {
	text := object.Text(object.Map(object.Map(o.Content, "metadata"), "annotations"), dependsOn)
	if text == "" {
		return nil, nil
	}
	var all []object.ID
	for part := range strings.SplitSeq(text, ",") {
		switch f := strings.Split(strings.TrimSpace(part), "/"); {
		case len(f) == 5 && f[1] == "namespaces":
			all = append(all, object.ID{Group: f[0], Namespace: f[2], Kind: f[3], Name: f[4]})
		case len(f) == 3:
			all = append(all, object.ID{Group: f[0], Kind: f[1], Name: f[2]})
		default:
			return nil, fmt.Errorf("%s: the annotation %s has %q: write GROUP/namespaces/NAMESPACE/KIND/NAME or GROUP/KIND/NAME", o.Origin, dependsOn, part)
		}
	}
	return all, nil
}

// Healthy returns why a live object is not ready for what depends on it; nil where it is.
func Healthy(live object.Object) error {
	result, err := status.Compute(&unstructured.Unstructured{Object: live.Content})
	switch {
	case err != nil:
		return err
	case result.Status != status.CurrentStatus:
		return errors.New(cmp.Or(result.Message, string(result.Status)))
	}
	return nil
}
