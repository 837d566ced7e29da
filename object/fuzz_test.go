package object_test

import (
	"strings"
	"testing"

	"plumbline.dev/plumbline/object"
)

// FuzzDecodeSecret damages a Secret's file beside its values: no error quotes one.
func FuzzDecodeSecret(f *testing.F) {
	for _, c := range []struct{ before, after, tail string }{
		{"", "", ""}, {"!!int ", "", ""}, {"!!binary ", "", ""}, {"*", "", ""}, {"&", "", ""}, {"&a [*", "]", ""}, {"\"", "", ""}, {"\"\\x", "\"", ""}, {"'", "", ""},
		{"|\n", "", ""}, {"{a: ", "", ""}, {"[", "", ""}, {"!", "", ""}, {"! ", "", ""}, {"!<", ">", ""}, {"%", "", ""}, {"@", "", ""}, {"`", "", ""},
		{"a: ", "", ""}, {"\t", "", ""}, {"- ", "", ""}, {"<<: ", "", ""}, {"? ", "", ""}, {"", ": b", ""}, {"", "\n\t", ""}, {"", "\n---\n[", ""}, {"", "\xff", ""},
		{"", "", "\nstringData: *b"}, {"!!float ", "", ""}, {"!!map ", "", ""}, {"!!timestamp ", "", ""}, {"", "", "\ndata: {}\nkind: Secret"}, {"{? ", "", ""},
	} {
		f.Add(c.before, c.after, c.tail)
	}
	const secret = "s3cr3t-7f3a9c"
	f.Fuzz(func(t *testing.T, before, after, tail string) {
		if strings.Contains(before+after+tail, "s3cr") {
			return
		}
		text := "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData:\n  a: " + before + secret + after + "\n  b: " + secret + tail + "\n"
		if _, err := object.Decode("f.yaml", []byte(text)); err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the error quotes the value: %v\n%s", err, text)
		}
		text = `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"},"stringData":{"a":` + before + `"` + secret + `"` + after + `,"b":"` + secret + tail + `"}}`
		if _, err := object.Decode("f.json", []byte(text)); err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the error quotes the value: %v\n%s", err, text)
		}
	})
}
