package ignore

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/ext"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
)

// condition is a compiled CEL expression over object, declared and change.
type condition struct{ program cel.Program }

// Change is what an expression sees as change.
type Change struct {
	// Path is as reports print it; "" for the object as a whole.
	Path string `cel:"path"`
	// Op is a differ.Op.
	Op string `cel:"op"`
	// Declared and Live are null where there is none.
	Declared any `cel:"declared"`
	Live     any `cel:"live"`
	// Manager and Operation are "" where no record tells who it was.
	Manager     string `cel:"manager"`
	Operation   string `cel:"operation"`
	Subresource string `cel:"subresource"`
	// Time is null where none is recorded: an unknown time is neither early nor
	// late.
	Time any `cel:"time"`
}

// costLimit bounds one evaluation: some tenths of a second at most.
const costLimit = 1_000_000

var environment = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		cel.OptionalTypes(), ext.Strings(),
		ext.NativeTypes(ext.ParseStructTags(true), reflect.TypeFor[Change]()),
		cel.Variable("object", cel.DynType),
		cel.Variable("declared", cel.DynType),
		cel.Variable("change", cel.ObjectType("ignore.Change")),
	)
})

func compile(text string) (*condition, error) {
	env, err := environment()
	if err != nil {
		return nil, fmt.Errorf("preparing CEL: %w", err)
	}
	ast, issues := env.Compile(text)
	if issues.Err() != nil {
		var all []string
		for _, e := range issues.Errors() {
			all = append(all, fmt.Sprintf("%d:%d: %s", e.Location.Line(), e.Location.Column()+1, e.Message))
		}
		return nil, fmt.Errorf("%q is no CEL expression: %s", text, strings.Join(all, "; "))
	}
	if !ast.OutputType().IsExactType(cel.BoolType) {
		return nil, fmt.Errorf("%q does not say true or false: compare it with something, such as %s == true", text, text)
	}
	program, err := env.Program(ast, cel.CostLimit(costLimit))
	if err != nil {
		return nil, fmt.Errorf("%q cannot be evaluated: %w", text, err)
	}
	return &condition{program}, nil
}

// on returns the condition for one object. What cannot be evaluated does not
// hold, and the first such error is handed to failed. The expression never sees
// what the report may not show.
func (c *condition) on(declared, live object.Object, failed func(differ.Change, error)) func(differ.Change) bool {
	objects := sync.OnceValue(func() map[string]any {
		objects := map[string]any{"declared": differ.Masked(declared), "object": nil}
		if live.Content != nil {
			objects["object"] = differ.Masked(live)
		}
		return objects
	})
	var report sync.Once
	return func(change differ.Change) bool {
		values := objects()
		holds, err := c.eval(map[string]any{"declared": values["declared"], "object": values["object"], "change": changeOf(change)})
		if err != nil {
			report.Do(func() { failed(change, err) })
		}
		return holds
	}
}

func (c *condition) eval(values map[string]any) (bool, error) {
	result, _, err := c.program.Eval(values)
	if err != nil {
		return false, err
	}
	holds, ok := result.Value().(bool)
	if !ok {
		return false, errors.New("it is neither true nor false")
	}
	return holds, nil
}

func changeOf(c differ.Change) Change {
	change := Change{
		Path: c.Path.String(), Op: string(c.Op), Declared: c.Declared, Live: c.Live,
		Manager: c.Writer.Manager, Operation: c.Writer.Operation, Subresource: c.Writer.Subresource,
	}
	if at := c.Writer.Time; at != (time.Time{}) {
		change.Time = at
	}
	return change
}
