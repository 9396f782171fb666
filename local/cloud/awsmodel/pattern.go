package awsmodel

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf16"

	"github.com/dlclark/regexp2"
)

// matchWait bounds one match. AWS's patterns look ahead, which Go's own regexp cannot, and matching that can take long.
const matchWait = 5 * time.Second

// pattern is a shape's pattern, in the syntax of Java, made ready for its first use.
type pattern struct {
	text    string
	prepare func() *regexp2.Regexp
}

func newPattern(text string) *pattern {
	if text == "" {
		return nil
	}
	return &pattern{text: text, prepare: sync.OnceValue(func() *regexp2.Regexp { return compile(text) })}
}

// compile returns nothing for a pattern that cannot be translated.
func compile(java string) *regexp2.Regexp {
	// A value must match as a whole. The older models rely on that, the newer ones write ^ and $.
	ready, err := regexp2.Compile(`\A(?:`+translate(java)+`)\z`, regexp2.RE2)
	if err != nil {
		return nil
	}
	ready.MatchTimeout = matchWait
	return ready
}

// matches says whether a value fits, and whether that could be found out.
func (p *pattern) matches(value string) (fits, known bool) {
	ready := p.prepare()
	if ready == nil {
		return false, false
	}
	fits, err := ready.MatchString(value)
	return fits, err == nil
}

// surrogates is a character beyond U+FFFF, which Java writes as two.
var surrogates = regexp.MustCompile(`\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})`)

// translate turns what Java alone writes into what Go's libraries read. What else differs is not worth its code: no
// service that this project asks has it, and a pattern that cannot be compiled is reported as not checked.
// https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/util/regex/Pattern.html
func translate(java string) string {
	joined := surrogates.ReplaceAllStringFunc(java, func(pair string) string {
		high, _ := strconv.ParseUint(pair[2:6], 16, 16)
		low, _ := strconv.ParseUint(pair[8:12], 16, 16)
		return string(utf16.DecodeRune(rune(high), rune(low)))
	})
	return strings.ReplaceAll(joined, `\p{Print}`, `[\x20-\x7E]`)
}
