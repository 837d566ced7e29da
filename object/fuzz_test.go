package object_test

import (
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"sigs.k8s.io/json"

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

// FuzzDecodeJSON holds the decoder of what API servers send against that of their own
// libraries.
func FuzzDecodeJSON(f *testing.F) {
	for _, text := range []string{
		`{}`, ` {"a":[1,-0,1.0,1e3,9223372036854775807,9223372036854775808,true,false,null,{}]} `, `{"a":"\u00e9\n\"\\","\u0061":"b"}`,
		`{"a":1,"a":{"b":2},"a":{"c":3}}`, `[]`, `7`, `{"a":}`, `{"a":1}}`, `{"a":1e999}`, `{"a":"\ud83d\ude00"}`, `{"a":[[],[[]],{"":""}]}`, `{"a":{"b":[1]},"c":[{"a":{"b":[1]}},{"a":{"b":[12]}}],"b":[1]}`, `{"a":"b","c":{"a":"b","d":{"a":"b\""}}}`, "{\"a\"\t:\n1 ,\r\"b\":2}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return
		}
		got, err := object.DecodeJSON([]byte(text))
		var want map[string]any
		wantErr := json.UnmarshalCaseSensitivePreserveInts([]byte(text), &want)
		switch {
		case wantErr == nil && want == nil: // null
		case err != nil && strings.Contains(text, `\u`): // half a surrogate pair is no text
		case (err != nil) != (wantErr != nil):
			t.Errorf("%v, and the library says %v", err, wantErr)
		case err == nil && !strings.Contains(text, `"a":1,"a"`) && !reflect.DeepEqual(got, want): // the library merges a name that comes twice
			t.Errorf("%#v, and the library has %#v", got, want)
		}
	})
}
