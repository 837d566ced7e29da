package object

import "reflect"

// Map returns a field that holds a mapping; nil where it is missing or of another type.
// It may be read all the same, so that paths can be followed without asking at each step.
func Map(m map[string]any, field string) map[string]any {
	value, _ := m[field].(map[string]any)
	return value
}

// List returns a field that holds a list; nil where it is missing or of another type.
func List(m map[string]any, field string) []any {
	value, _ := m[field].([]any)
	return value
}

// Text returns a field that holds a string; "" where it is missing or of another type.
func Text(m map[string]any, field string) string {
	value, _ := m[field].(string)
	return value
}

// Controller returns the reference to the owner that the object calls its controller;
// nil where it names none. Anyone can write that: whether it is true takes a look at
// the owner.
func (o Object) Controller() map[string]any {
	for _, item := range List(Map(o.Content, "metadata"), "ownerReferences") {
		if reference, _ := item.(map[string]any); reference["controller"] == true {
			return reference
		}
	}
	return nil
}

// Records returns the object's ownership records, metadata.managedFields, as they are.
func (o Object) Records() []any { return List(Map(o.Content, "metadata"), "managedFields") }

// IsOne tells whether two values are one and the same mapping or list, which objects may
// share. It is quicker than comparing them; of those that are two it tells nothing.
func IsOne(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && reflect.ValueOf(a).UnsafePointer() == reflect.ValueOf(b).UnsafePointer()
	case []any:
		b, ok := b.([]any)
		return ok && len(a) == len(b) && len(a) > 0 && &a[0] == &b[0]
	}
	return false
}
