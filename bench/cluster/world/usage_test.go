package world

import "testing"

func TestSamplesAreRead(t *testing.T) {
	text := "# HELP x y\nplain 7\n" +
		`a_total{gateway="ns/gw",path="/\"x,}\\"} 1.5e3 1764130000000` + "\n" +
		`empty{} NaN` + "\nbroken{a=\"b} 1\nnothing\n"
	all := samples([]byte(text))
	if len(all) != 3 {
		t.Fatalf("%d samples: %v", len(all), all)
	}
	if all[0].name != "plain" || all[0].value != 7 {
		t.Error(all[0])
	}
	labelled := all[1]
	if labelled.value != 1500 || labelled.time != "1764130000000" || labelled.labels["path"] != `/"x,}\` || !labelled.has(map[string]string{"gateway": "ns/gw"}) {
		t.Error(labelled)
	}
	if labelled.has(map[string]string{"gateway": "other"}) {
		t.Error("a label that is another is no match")
	}
}
