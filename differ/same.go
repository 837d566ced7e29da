package differ

// equal tells whether two JSON values are the same; 1 and 1.0 are.
func equal(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k, v := range a {
			other, ok := b[k]
			if !ok || !equal(v, other) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !equal(a[i], b[i]) {
				return false
			}
		}
		return true
	case int64:
		if f, ok := b.(float64); ok {
			return float64(a) == f
		}
		return b == any(a)
	case float64:
		if i, ok := b.(int64); ok {
			return a == float64(i)
		}
		return b == any(a)
	case string:
		b, ok := b.(string)
		return ok && a == b
	case bool:
		b, ok := b.(bool)
		return ok && a == b
	default:
		return a == nil && b == nil
	}
}

// blank tells whether v leaves a place to be filled in: null, "", {} or []. Zero
// and false are values.
func blank(v any) bool {
	switch v.(type) {
	case bool, int64, float64:
		return false
	}
	return empty(v)
}

// empty tells whether v says nothing: null, "", false, 0, {} or [].
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case bool:
		return !v
	case int64:
		return v == 0
	case float64:
		return v == 0
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	case omitted:
		return true
	default:
		return false
	}
}
