package scenario

import "testing"

func TestALogIsSignedThatHasRecordsAndASignature(t *testing.T) {
	for text, want := range map[string]bool{
		`{"segments":[1,1],"lines":7,"records":4,"dropped":0,"unfinished":[[1,0]],"unsigned":2,"keys":["a"],"end":"b"}`: true,
		`{"lines":7,"records":4,"unsigned":7}`: false,
		`{"lines":3,"records":0,"unsigned":0}`: false,
		`{}`:                                   false,
		`whole: segments 1 to 1`:               false,
	} {
		if err := isSigned([]byte(text)); (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}
