package differ

import (
	"encoding/json"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// quantityNode is the structure of an amount in a custom resource. Kubernetes' own
// kinds are spelled anew by their Go types and need none.
var quantityNode = &node{quantity: true}

// quantitySuffixes is what the pattern of a quantity has in every version of the
// generators that write it into a custom resource's schema.
const quantitySuffixes = "(([KMGTPE]i)|[numkMGTPE]|"

// isQuantity tells whether a schema says that its values are amounts.
func isQuantity(s *spec.Schema) bool {
	if s == nil {
		return false
	}
	free, _ := s.Extensions.GetBool("x-kubernetes-int-or-string")
	return free && strings.Contains(s.Pattern, quantitySuffixes)
}

// sameQuantity tells whether two spellings are of one amount, where the type says
// that they are amounts.
func (n *node) sameQuantity(declared, live any) bool {
	if n == nil || !n.quantity {
		return false
	}
	d, known := amount(declared)
	l, also := amount(live)
	return known && also && d.Cmp(l) == 0
}

func amount(v any) (resource.Quantity, bool) {
	text, ok := v.(string)
	if !ok {
		number, err := json.Marshal(v)
		if err != nil {
			return resource.Quantity{}, false
		}
		text = string(number)
	}
	q, err := resource.ParseQuantity(text)
	return q, err == nil
}

func propertyOf(s *spec.Schema, name string) *spec.Schema {
	if s == nil {
		return nil
	}
	property, ok := s.Properties[name]
	if !ok {
		return nil
	}
	return &property
}

func valuesOf(s *spec.Schema) *spec.Schema {
	if s == nil || s.AdditionalProperties == nil {
		return nil
	}
	return s.AdditionalProperties.Schema
}

func itemsOf(s *spec.Schema) *spec.Schema {
	if s == nil || s.Items == nil {
		return nil
	}
	return s.Items.Schema
}
