package main

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

// schema is what the migrations of one dialect make.
type schema struct {
	files  []*file
	tables map[string]*table
}

// file is a migration.
type file struct {
	name, intro string
	tables      []*table // in the order of the text
}

type table struct {
	name, about string
	columns     []column
	primary     string // "a, b"
	uniques     []constraint
	foreign     []constraint
	checks      []constraint
	indexes     []index
	triggers    []trigger
	options     string // what follows the parentheses
	optionsNote string
}

type column struct {
	name, kind, preset string // preset is the default, "" for none
	required           bool   // NOT NULL
	about              string
}

// constraint has the text that follows UNIQUE, FOREIGN KEY or CHECK. name may be "".
type constraint struct{ name, text string }

type index struct {
	name, columns, where string // columns as "a, b"
	unique               bool
	about                string
}

type trigger struct{ name, on, does, about string }

// read understands the migrations in their order.
func read(migrations fs.FS) (*schema, error) {
	names, err := fs.Glob(migrations, "*.sql")
	if err != nil || len(names) == 0 {
		return nil, errors.Join(errors.New("there are no migrations"), err)
	}
	slices.Sort(names)
	s := &schema{tables: make(map[string]*table)}
	for _, name := range names {
		text, err := fs.ReadFile(migrations, name)
		if err != nil {
			return nil, err
		}
		if err := s.file(name, string(text)); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return s, nil
}

func (s *schema) file(name, text string) error {
	intro, statements, err := split(text)
	if err != nil {
		return err
	}
	f := &file{name: name, intro: intro}
	s.files = append(s.files, f)
	for _, st := range statements {
		if err := s.statement(f, st); err != nil {
			return err
		}
	}
	return nil
}

// The statements that say something about the schema.
var (
	createTable   = regexp.MustCompile(`^CREATE TABLE (\w+) \(`)
	createIndex   = regexp.MustCompile(`^CREATE (UNIQUE )?INDEX (\w+) ON (\w+) \(([^()]+)\)(?: WHERE (.+))?$`)
	createTrigger = regexp.MustCompile(`^CREATE TRIGGER (\w+) ((?:BEFORE|AFTER) [A-Z ]+?) ON (\w+) (.+)$`)
	addColumn     = regexp.MustCompile(`^ALTER TABLE (\w+) ADD COLUMN `)
	dropIndex     = regexp.MustCompile(`^DROP INDEX (\w+)$`)
	// otherwise matches what leaves the tables as they are.
	otherwise = regexp.MustCompile(`^(CREATE FUNCTION|CREATE OR REPLACE FUNCTION|INSERT|UPDATE|DELETE|WITH) `)
)

func (s *schema) statement(f *file, st statement) error {
	text := flat(st.text)
	if m := createTable.FindStringSubmatch(text); m != nil {
		t, err := newTable(m[1], st)
		if err != nil {
			return fmt.Errorf("%s: %w", m[1], err)
		}
		if s.tables[t.name] != nil {
			return fmt.Errorf("%s is made twice", t.name)
		}
		s.tables[t.name] = t
		f.tables = append(f.tables, t)
		return nil
	}
	if m := createIndex.FindStringSubmatch(text); m != nil {
		t, err := s.table(m[3])
		if err != nil {
			return err
		}
		t.indexes = append(t.indexes, index{name: m[2], unique: m[1] != "", columns: m[4], where: m[5], about: st.above})
		return nil
	}
	if m := createTrigger.FindStringSubmatch(text); m != nil {
		t, err := s.table(m[3])
		if err != nil {
			return err
		}
		t.triggers = append(t.triggers, trigger{name: m[1], on: m[2], does: m[4], about: st.above})
		return nil
	}
	if m := addColumn.FindStringSubmatch(text); m != nil {
		t, err := s.table(m[1])
		if err != nil {
			return err
		}
		about := strings.TrimSpace(st.after + " " + st.above)
		return t.part(part{text: strings.TrimPrefix(text, m[0]), about: about})
	}
	if m := dropIndex.FindStringSubmatch(text); m != nil {
		for _, t := range s.tables {
			if i := slices.IndexFunc(t.indexes, func(x index) bool { return x.name == m[1] }); i >= 0 {
				t.indexes = slices.Delete(t.indexes, i, i+1)
				return nil
			}
		}
		return fmt.Errorf("there is no index %s to drop", m[1])
	}
	if otherwise.MatchString(text) {
		return nil
	}
	return fmt.Errorf("genschema does not know such a statement: %.100s", text)
}

func (s *schema) table(name string) (*table, error) {
	if t := s.tables[name]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("there is no table %s", name)
}

func newTable(name string, st statement) (*table, error) {
	t := &table{name: name, about: st.above, optionsNote: st.after}
	list, end, err := parts(st.text, strings.IndexByte(st.text, '('))
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		if err := t.part(p); err != nil {
			return nil, err
		}
	}
	t.options = flat(st.text[end+1:])
	return t, nil
}

var (
	constraintForm = regexp.MustCompile(`^(?:CONSTRAINT (\w+) )?(PRIMARY KEY|UNIQUE|FOREIGN KEY|CHECK) ?(.+)$`)
	columnForm     = regexp.MustCompile(`^(\w+) (.+?)( NOT NULL)?( PRIMARY KEY)?(?: DEFAULT (.+))?$`)
	kindForm       = regexp.MustCompile(`^[A-Za-z]+(\(\d+\))?( COLLATE "C")?$`)
)

func (t *table) part(p part) error {
	if m := constraintForm.FindStringSubmatch(p.text); m != nil {
		c := constraint{name: m[1], text: m[3]}
		switch m[2] {
		case "PRIMARY KEY":
			t.primary = strings.Trim(c.text, "()")
		case "UNIQUE":
			t.uniques = append(t.uniques, c)
		case "FOREIGN KEY":
			t.foreign = append(t.foreign, c)
		default:
			t.checks = append(t.checks, c)
		}
		return nil
	}
	m := columnForm.FindStringSubmatch(p.text)
	if m == nil || !kindForm.MatchString(m[2]) {
		return fmt.Errorf("genschema does not know such a column: %s", p.text)
	}
	if m[4] != "" {
		t.primary = m[1]
	}
	t.columns = append(t.columns, column{name: m[1], kind: m[2], required: m[3] != "", preset: m[5], about: p.about})
	return nil
}
