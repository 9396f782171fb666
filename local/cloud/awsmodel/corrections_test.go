package awsmodel

import "testing"

func TestModelsAreCorrectedWhereTheyAreWrong(t *testing.T) {
	c := checker(t)
	for _, correction := range corrections {
		s, err := readService(correction.service, c.models.file(correction.service))
		if err != nil {
			t.Fatal(err)
		}
		mended := false
		for _, o := range s.operations {
			o.input.walk(map[*shape]bool{}, func(below *shape) {
				mended = mended || below.name == correction.shape && below.Pattern == correction.pattern && below.pattern == nil
			})
		}
		if !mended {
			t.Errorf("%s %s is not what is corrected any more; take the correction out", correction.service, correction.shape)
		}
	}
	// What the first one is for.
	request, body := asForm("sts", "Version=2011-06-15&Action=AssumeRole&RoleArn=arn:aws:iam::123456789012:role/😀&RoleSessionName=ci")()
	assertSentences(t, "a character beyond U+FFFF", c.Check(request, body), nil)
	if fits, _ := newPattern(corrections[0].pattern).matches("arn:aws:iam::123456789012:role/😀"); fits {
		t.Error("the pattern needs no correction")
	}
}
