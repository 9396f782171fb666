package infra

// ReadTopics reads all settings without the rules between them.
var ReadTopics = read

// Anew lists what a preview would make anew.
var Anew = (*Stack).anew
