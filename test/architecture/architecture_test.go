// Package architecture holds the import table of ARCHITECTURE.md against the
// code.
package architecture

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"plumbline.dev/plumbline/test/testenv"
)

const module = "plumbline.dev/plumbline/"

// row is one package of the table.
type row struct {
	may  []string // packages of ours
	sole []string // prefixes of libraries
}

func TestImportsFollowTheTable(t *testing.T) {
	root, err := testenv.Root()
	if err != nil {
		t.Fatal(err)
	}
	table := readTable(t, filepath.Join(root, "ARCHITECTURE.md"))
	imports := readImports(t, root)
	for pkg, imported := range imports {
		r, ok := table[pkg]
		if !ok {
			t.Errorf("%s has no row in ARCHITECTURE.md", pkg)
			continue
		}
		for _, i := range imported {
			if ours, ok := strings.CutPrefix(i, module); ok && !slices.Contains(r.may, ours) {
				t.Errorf("%s imports %s, which its row does not allow", pkg, ours)
			}
			checkSole(t, table, pkg, i)
		}
	}
	for pkg, r := range table {
		imported, ok := imports[pkg]
		if !ok {
			t.Errorf("ARCHITECTURE.md has a row for %s, which does not exist", pkg)
		}
		for _, may := range r.may {
			if !slices.Contains(imported, module+may) {
				t.Errorf("%s may import %s and does not: take it out of its row", pkg, may)
			}
		}
	}
}

// checkSole fails if a library that other rows claim is imported by pkg.
func checkSole(t *testing.T, table map[string]row, pkg, library string) {
	t.Helper()
	for owner, r := range table {
		for _, prefix := range r.sole {
			if !strings.HasPrefix(library, prefix) || owner == pkg || claims(table[pkg], library) {
				continue
			}
			t.Errorf("%s imports %s, which belongs to %s alone", pkg, library, owner)
		}
	}
}

func claims(r row, library string) bool {
	return slices.ContainsFunc(r.sole, func(prefix string) bool { return strings.HasPrefix(library, prefix) })
}

var code = regexp.MustCompile("`([^`]+)`")

func readTable(t *testing.T, file string) map[string]row {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	table := map[string]row{}
	for _, line := range strings.Split(string(text), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) != 6 || !strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
			continue
		}
		table[names(cells[1])[0]] = row{may: names(cells[3]), sole: names(cells[4])}
	}
	if len(table) == 0 {
		t.Fatalf("%s has no table", file)
	}
	return table
}

func names(cell string) []string {
	var found []string
	for _, m := range code.FindAllStringSubmatch(cell, -1) {
		found = append(found, m[1])
	}
	return found
}

// readImports returns what each package of the module imports, without its
// tests.
func readImports(t *testing.T, root string) map[string][]string {
	t.Helper()
	imports := map[string][]string{}
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skipDir(root, file)
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		pkg := path.Clean(filepath.ToSlash(relative))
		for _, i := range parsed.Imports {
			name, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			imports[pkg] = append(imports[pkg], name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return imports
}

// skipDir leaves out hidden directories, built things and other modules.
func skipDir(root, dir string) error {
	if dir == root {
		return nil
	}
	name := filepath.Base(dir)
	if strings.HasPrefix(name, ".") || name == "bin" || name == "testdata" {
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}
