package awsmodel

import (
	"strings"
	"testing"
)

func TestPatternsOfJava(t *testing.T) {
	for _, test := range []struct {
		pattern, value string
		fits           bool
	}{
		{`[a-z]+`, "abc", true},
		{`[a-z]+`, "abc1", false}, // the whole value, though nothing says so
		{`a|b`, "ab", false},
		{`^[a-z]+$`, "abc\n", false},
		{`[\w]+`, "ä", false},
		{`\d`, "٣", false},
		{`\_\-`, "_-", true},
		{`[\u0020-\u00FF]+`, "ÿ", true},
		{`[\u0020-\u00FF]+`, "Ā", false},
		{`[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*`, "a 😀", true},
		{`[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*`, "a\x01", false},
		{`\p{Print}+`, "a b~", true},
		{`\p{Print}+`, "ä", false},
		{`([\p{L}\p{Z}\p{N}_.:/=+\-@]*)`, "ä 1", true},
		{`(?!aws:)[a-z:]+`, "aws:a", false},
		{`(?!aws:)[a-z:]+`, "a:aws:", true},
		{`[!-~]{1,1024}`, "a", true}, // more than Go's own regexp repeats
	} {
		if fits, known := newPattern(test.pattern).matches(test.value); fits != test.fits || !known {
			t.Errorf("%q and %s: got %t (known: %t), want %t", test.value, test.pattern, fits, known, test.fits)
		}
	}
}

func TestAPatternThatCannotBeTranslatedIsNotGuessed(t *testing.T) {
	for _, pattern := range []string{`[\p{Print}&&[^|:/]]+\p{ASCII}`, `\d{12}+`} {
		if _, known := newPattern(pattern).matches("a"); known {
			t.Errorf("%s is applied", pattern)
		}
	}
}

func TestAMatchThatTakesTooLongIsGivenUp(t *testing.T) {
	t.Parallel() // it waits for the limit
	if _, known := newPattern(`(a+)+(a+)+b`).matches(strings.Repeat("a", 5000)); known {
		t.Error("an exponential match came to an end")
	}
}
