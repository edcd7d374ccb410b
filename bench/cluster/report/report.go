// Package report is what a run found: figures, with what they should be, as JSON and as tables of a document.
package report

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
)

// Report is a run.
type Report struct {
	Date    string   `json:"date"`
	Command string   `json:"command"`
	Machine string   `json:"machine"`
	Version string   `json:"version"`
	Build   string   `json:"build"`
	Results []Result `json:"results"`
}

// Result is what a scenario found.
type Result struct {
	Key     string   `json:"key"`
	Title   string   `json:"title"`
	Seconds float64  `json:"seconds"`
	Figures []Figure `json:"figures"`
	// Why it could not be done, or not to its end.
	Error string `json:"error,omitempty"`
	Left  string `json:"left,omitempty"`
}

// Figure is a number with a name.
type Figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Note  string  `json:"note,omitempty"`
	// At most so much; a figure without a goal is told, and not judged.
	Goal *float64 `json:"goal,omitempty"`
	// Whether the run fails where the goal is missed: what is wrong, rather than slow.
	Must bool `json:"must,omitempty"`
}

// Met tells whether the figure is what it should be.
func (f Figure) Met() bool { return f.Goal == nil || f.Value <= *f.Goal }

// Add a figure.
func (r *Result) Add(name string, value float64, unit string) *Figure {
	r.Figures = append(r.Figures, Figure{Name: name, Value: value, Unit: unit})
	return &r.Figures[len(r.Figures)-1]
}

// Duration adds a time in milliseconds.
func (r *Result) Duration(name string, value time.Duration) *Figure {
	return r.Add(name, float64(value.Microseconds())/1000, "ms")
}

// held is the unit of what is so or is not.
const held = "held"

// Check adds something that has to be so, with why it is not.
func (r *Result) Check(name string, wrong error) {
	figure := r.Add(name, 0, held).MustBe(0)
	if wrong != nil {
		figure.Value = 1
		figure.Note = wrong.Error()
	}
}

// AtMost is what a figure should be, as a goal.
func (f *Figure) AtMost(goal float64) *Figure {
	f.Goal = &goal
	return f
}

// MustBe is what a figure has to be at most, or the run fails.
func (f *Figure) MustBe(goal float64) *Figure {
	f.Must = true
	return f.AtMost(goal)
}

// Noting says something beside a figure.
func (f *Figure) Noting(format string, arguments ...any) *Figure {
	f.Note = fmt.Sprintf(format, arguments...)
	return f
}

// Failed tells what is wrong with a run; nothing where all is well.
func (r Report) Failed() []string {
	var wrong []string
	for _, result := range r.Results {
		if result.Error != "" {
			wrong = append(wrong, result.Key+": "+result.Error)
		}
		for _, figure := range result.Figures {
			if figure.Must && !figure.Met() {
				wrong = append(wrong, fmt.Sprintf("%s: %s: %s (%s)", result.Key, figure.Name, figure.text(), figure.Note))
			}
		}
	}
	return wrong
}

// WriteJSON writes it for programs.
func (r Report) WriteJSON(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// Markdown writes it for people.
func (r Report) Markdown() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s, %s; %s, %s build. `%s`\n", r.Date, r.Machine, r.Version, r.Build, r.Command)
	out.WriteString(r.Table())
	return out.String()
}

// Table is the results alone.
func (r Report) Table() string {
	var out strings.Builder
	for _, result := range r.Results {
		fmt.Fprintf(&out, "\n**%s. %s** (%.0f s)\n\n", result.Key, result.Title, result.Seconds)
		if result.Left != "" {
			fmt.Fprintf(&out, "Left out: %s\n", result.Left)
			continue
		}
		out.WriteString("| | measured | at most |\n|---|---|---|\n")
		for _, figure := range result.Figures {
			goal := ""
			if figure.Goal != nil && figure.Unit != held {
				goal = number(*figure.Goal)
				if !figure.Met() {
					goal += ", **missed**"
				}
			}
			text := figure.text()
			if figure.Note != "" {
				text += " (" + figure.Note + ")"
			}
			fmt.Fprintf(&out, "| %s | %s | %s |\n", figure.Name, text, goal)
		}
		if result.Error != "" {
			fmt.Fprintf(&out, "\nIt did not come to its end: %s\n", result.Error)
		}
	}
	return out.String()
}

func (f Figure) text() string {
	if f.Unit == held {
		return map[bool]string{true: "yes", false: "no"}[f.Met()]
	}
	if f.Unit == "" {
		return number(f.Value)
	}
	return number(f.Value) + " " + f.Unit
}

// number has three digits that mean something, or all that a whole number has.
func number(value float64) string {
	if value == float64(int64(value)) {
		return thousands(fmt.Sprint(int64(value)))
	}
	switch {
	case value >= 100:
		return thousands(fmt.Sprintf("%.0f", value))
	case value >= 10:
		return fmt.Sprintf("%.1f", value)
	default:
		return fmt.Sprintf("%.2f", value)
	}
}

func thousands(digits string) string {
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

// Marks between which a document has the tables.
const (
	begin = "<!-- bench-cluster: made by `make bench-cluster WRITE=1` -->"
	end   = "<!-- bench-cluster: end -->"
)

// Into puts the tables into a document, in the place of those before.
func (r Report) Into(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(text), begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		return fmt.Errorf("%s has no place for the tables: it wants the lines %s and %s", path, begin, end)
	}
	return os.WriteFile(path, []byte(before+begin+"\n\n"+r.Markdown()+"\n"+end+after), 0o644)
}
