package report

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestNumbersAreRead(t *testing.T) {
	for value, text := range map[float64]string{0: "0", 7: "7", 1234: "1,234", 1234567: "1,234,567", 0.1234: "0.12", 12.34: "12.3", 1234.5: "1,234"} {
		if number(value) != text {
			t.Errorf("%v: %s, not %s", value, number(value), text)
		}
	}
}

func TestAGoalThatIsMissedIsTold(t *testing.T) {
	result := Result{Key: "a", Title: "A thing"}
	result.Add("failed", 3, "").MustBe(0).Noting("all in a row")
	result.Duration("slow", 1500*time.Microsecond).AtMost(1)
	result.Add("told", 9, "MiB")
	result.Check("well", nil)
	result.Check("ill", errors.New("no Event"))
	run := Report{Results: []Result{result, {Key: "b", Error: "no rig"}}}
	wrong := run.Failed()
	if len(wrong) != 3 || !strings.Contains(wrong[0], "failed: 3 (all in a row)") || wrong[1] != "a: ill: no (no Event)" || wrong[2] != "b: no rig" {
		t.Error(wrong)
	}
	text := run.Markdown()
	for _, row := range []string{"| failed | 3 (all in a row) | 0, **missed** |", "| slow | 1.50 ms | 1, **missed** |", "| told | 9 MiB |  |", "| well | yes |  |", "| ill | no (no Event) |  |"} {
		if !strings.Contains(text, row) {
			t.Errorf("no %s in %s", row, text)
		}
	}
}

func TestADocumentKeepsWhatIsAroundTheTables(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("nothing")
	if err := (Report{}).Into(path); err == nil {
		t.Error("a page without a place is refused")
	}
	write("above\n" + begin + "\nold\n" + end + "\nbelow\n")
	run := Report{Date: "today"}
	for range 2 {
		if err := run.Into(path); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(text), "above\n"+begin) || !strings.HasSuffix(string(text), end+"\nbelow\n") ||
		strings.Contains(string(text), "old") || strings.Count(string(text), "today") != 1 {
		t.Error(string(text))
	}
}
