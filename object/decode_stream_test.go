package object

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

// FuzzDecodeList holds a list that is read while it comes in, byte by byte, to what the
// same text says as a whole.
func FuzzDecodeList(f *testing.F) {
	for _, text := range []string{
		``, `{`, `[]`, `7`, `{}`, `{"items":null}`, `{"items":[]}`, `{"items":[{}]}`, `{"items":[7]}`, `{"items":[{"a":1},null]}`, `{"items":{}}`,
		`{"kind":"PodList","items":[{"metadata":{"name":"a"}},{"metadata":{"name":"a"}}],"metadata":{"continue":"x"}}`,
		`{"items":[{"a":1}],"items":[{"b":"\u00e4"}]}`, `{"items":[{"a":1,"a":2}]} `, `{"items":[]}{}`, `{"items":[{}]`, `{"a":1,}`, "{\"a\":\"\xff\"}",
		`{"items":[{"a":1}],"items":null}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		items, rest, err := DecodeList(iotest.OneByteReader(strings.NewReader(text)))
		whole, wrong := DecodeJSON([]byte(text))
		if wrong != nil {
			if !errors.Is(err, ErrNotJSON) {
				t.Fatalf("%v, and of the whole: %v", err, wrong)
			}
			return
		}
		list, isList := whole["items"].([]any)
		if whole["items"] != nil && (!isList || !onlyObjects(list)) {
			return // refused, or a later one counted
		}
		if err != nil {
			if strings.Count(text, `items`) > 1 || strings.Contains(text, `\u`) {
				return // one that does not count was refused
			}
			t.Fatalf("%v, and as a whole it is %v", err, whole)
		}
		delete(whole, "items")
		if !reflect.DeepEqual(rest, whole) {
			t.Errorf("%v beside the items, and as a whole %v", rest, whole)
		}
		if len(items) != len(list) || isList != (items != nil) {
			t.Fatalf("%d items, and as a whole %d", len(items), len(list))
		}
		for i, item := range items {
			if !reflect.DeepEqual(any(item), list[i]) {
				t.Errorf("item %d is %v, and as a whole %v", i, item, list[i])
			}
		}
	})
}

func onlyObjects(list []any) bool {
	for _, v := range list {
		if _, ok := v.(map[string]any); !ok {
			return false
		}
	}
	return true
}

// TestDecodeListBroken wants an answer that breaks off to be no list, with the reason why
// it did, and never a shorter one.
func TestDecodeListBroken(t *testing.T) {
	t.Parallel()
	text := `{"kind":"PodList","items":[{"metadata":{"name":"a"}},{"metadata":{"name":"b"}}]}`
	lost := errors.New("connection lost")
	for n := range len(text) {
		items, rest, err := DecodeList(io.MultiReader(strings.NewReader(text[:n]), iotest.ErrReader(lost)))
		if !errors.Is(err, lost) || items != nil || rest != nil {
			t.Errorf("after %q: %v and %v, error %v", text[:n], items, rest, err)
		}
		if items, _, err := DecodeList(strings.NewReader(text[:n])); !errors.Is(err, ErrNotJSON) || items != nil {
			t.Errorf("%q: %v, error %v", text[:n], items, err)
		}
	}
}

// TestDecodeListOwn wants the objects of a list to be each its own, even where they are
// spelled alike: who reads them fills in what a list leaves out.
func TestDecodeListOwn(t *testing.T) {
	t.Parallel()
	items, _, err := DecodeList(strings.NewReader(`{"items":[{"a":1},{"a":1}]}`))
	if err != nil || len(items) != 2 {
		t.Fatalf("%v, %v", items, err)
	}
	items[0]["kind"] = "changed"
	if items[1]["kind"] != nil {
		t.Errorf("the second is %v", items[1])
	}
}

// TestRoom wants a small object to take little, however large the last of its name was.
func TestRoom(t *testing.T) {
	decode := newTextDecoder(t)
	large := make([]string, 100_000)
	for i := range large {
		large[i] = fmt.Sprintf(`"%d":1`, i)
	}
	decode(`{"data":{` + strings.Join(large, ",") + `},"list":[` + strings.Repeat("1,", len(large)) + `1]}`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	decode(`{"data":{"a":1},"list":[1]}`)
	runtime.ReadMemStats(&after)
	if taken := after.TotalAlloc - before.TotalAlloc; taken > 16<<10 {
		t.Errorf("%d bytes for an object of two members", taken)
	}
}
