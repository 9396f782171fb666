package task

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"fargate-nginx-sidecar/images/nginx"
	"fargate-nginx-sidecar/infra/settings"
)

// StaticFiles are files of the app's image that NGINX serves itself: those of Directory, at Path and below it. The
// directory is a volume of the task. Because the image declares it as a VOLUME, its files are copied to the volume when
// the app's container is made, and NGINX gets the same volume, read-only.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bind-mounts.html
type StaticFiles struct{ Path, Directory string }

// staticVolume names the volume with the given index.
func staticVolume(index int) string { return fmt.Sprintf("static-%d", index+1) }

// The files of all releases whose names have a hash lie in a directory of an EFS file system. NGINX copies those of its own
// task there before it serves the first request, and looks there for what its own task lacks. So a page of either release
// finds its files while a deployment is under way, whichever task answers, and a page that a browser has open does later.
// The program's own volumes cannot do that: each belongs to one task.
const historyVolume = "static-history"

func readStaticHistory(http settings.Group) AccessPoint {
	return readAccessPoint(http.Group("staticHistory", "Directory of an EFS file system in which NGINX keeps the static files of all releases whose names have a hash, so that the pages of two releases find their files on every task while a deployment is under way. `network.groups` must open port 2049. The access point's user must be allowed to write."))
}

func (a AccessPoint) given() bool { return a != AccessPoint{} }

func readStaticFiles(g settings.Group) []StaticFiles {
	given := g.Map("static",
		"Files of the app's image that NGINX serves itself: paths with directories, as in `{/assets: /app/public}`. With `/`, the health page is at `/.sidecar/health`. Of these paths and `http.paths`, the longest that covers a request counts. The image has to declare each directory as a `VOLUME`: Fargate then copies its files to a volume that both containers share.",
		"https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bind-mounts.html")

	var all []StaticFiles
	for _, path := range slices.Sorted(maps.Keys(given)) {
		directory := given[path]
		if !nginx.StaticPaths.Allows(path) {
			g.Fail("static", strconv.Quote(path), nginx.StaticPaths.Each)
		}
		if !pathOfVolume.MatchString(directory) || strings.Contains(directory, "..") {
			g.Fail("static."+path, strconv.Quote(directory), "a directory of the app's image, such as /app/public")
		}
		all = append(all, StaticFiles{Path: path, Directory: directory})
	}

	return all
}

// checkStaticFiles refuses a path that is the app's as well, and a directory that is a volume for another purpose.
func checkStaticFiles(r *settings.Reader, s Settings) {
	files := s.Sidecar.StaticFiles
	if s.Sidecar.SPAFallback && len(files) == 0 && !r.Wrong("http.static") {
		r.Conflict([]string{"http.spaFallback", "http.static"}, "there are no static files, so there is no page to fall back to; allowed with: at least one path")
	}
	for _, path := range s.Sidecar.HashedPaths {
		if longestCover(path, s.Sidecar.staticPaths()) == 0 && !r.Wrong("http.static") {
			r.Conflict([]string{"http.staticHashed", "http.static"}, path+" has no static files; allowed: a path of http.static, or one below it")
		}
	}
	if s.Sidecar.StaticHistory.given() {
		if len(files) == 0 && !r.Wrong("http.static") {
			r.Conflict([]string{"http.staticHistory", "http.static"}, "there are no static files to keep; allowed with: at least one path")
		}
		checkMount(r, s, "http.staticHistory", "the history", s.Sidecar.StaticHistory)
	}
	for _, rate := range s.Sidecar.PathRates {
		if s.Sidecar.ServesFiles(rate.Path) {
			r.Conflict([]string{"http.limits.paths", "http.static"},
				rate.Path+" is a path of static files, whose requests are not counted; allowed: a path of the app's")
		}
	}
	taken := map[string]string{}
	for _, path := range s.App.WritablePaths {
		taken[path] = "app.writablePaths"
	}
	if s.Sidecar.AppListen == OnSocket {
		taken[socketDirectory] = "app.socket"
	}
	take := func(key, directory string) {
		for _, other := range slices.Sorted(maps.Keys(taken)) {
			inRoot := key == "app.documentRoot" && taken[other] == "app.writablePaths" && other != directory && within(other, directory)
			if overlap(directory, other) && !inRoot {
				r.Conflict([]string{key, taken[other]}, fmt.Sprintf("the directories %s and %s overlap, but each is a volume; allowed: separate ones", directory, other))
			}
		}
		taken[directory] = key
	}
	if s.App.DocumentRoot != "" {
		take("app.documentRoot", s.App.DocumentRoot)
	}
	for _, each := range files {
		if slices.Contains(s.Sidecar.PathPrefixes, each.Path) {
			r.Conflict([]string{"http.static", "http.paths"}, each.Path+" is in both; allowed: in one of them")
		}
		take("http.static", each.Directory)
	}
}

// ServesFiles reports whether a path is one of static files.
func (s Sidecar) ServesFiles(path string) bool {
	return longestCover(path, s.staticPaths()) > longestCover(path, s.PathPrefixes)
}

// longestCover is the length of the longest of the given paths at or below which a path lies, and 0 if it lies below none.
func longestCover(path string, all []string) int {
	longest := 0
	for _, one := range all {
		if one == nginx.Site && !within(path, "/.sidecar") || within(path, one) {
			longest = max(longest, len(one))
		}
	}

	return longest
}

// within reports whether a path is another or lies below it.
func within(path, other string) bool { return path == other || strings.HasPrefix(path, other+"/") }

// overlap reports whether one of two directories lies within the other.
func overlap(one, other string) bool { return within(one, other) || within(other, one) }

// staticPaths are the paths in the order of the volumes.
func (s Sidecar) staticPaths() []string {
	var paths []string
	for _, files := range s.StaticFiles {
		paths = append(paths, files.Path)
	}

	return paths
}
