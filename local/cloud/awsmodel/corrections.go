package awsmodel

// correction takes back what a model says wrongly. Where a model says too little, see documented.
type correction struct {
	service, shape string
	pattern        string // as the model has it; another one is not taken back
	why, source    string
}

// corrections are the wrong places that are known. No run of this project has met another one.
var corrections = []correction{
	{
		"sts", "arnType", `[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+`,
		"Java reads four digits after \\u: U+10000 to U+10FFFF, which are meant, are refused",
		"https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html",
	},
}

// correct mends a model that has just been read.
func correct(service string, shapes map[string]*shape) {
	for _, c := range corrections {
		if s := shapes[c.shape]; c.service == service && s != nil && s.Pattern == c.pattern {
			s.pattern = nil
		}
	}
}
