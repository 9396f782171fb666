// Package app holds the sample API and its image. The Go code here is tests
// only: they run the built image as ECS does. The API's own tests are in test/
// and run with `npm test`; one test here runs them on the image's Node.
package app
