package awsmodel

// correct mends what a model says wrongly. It is filled from what real runs met.
func correct(service string, shapes map[string]*shape) {}
