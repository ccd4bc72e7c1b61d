package conns

import "strings"

// unitOf finds the systemd unit in the text of /proc/PID/cgroup: the innermost part of a path that ends like a service
// or a scope. systemd.special(7) and the two forms of cgroups(7): "0::/system.slice/nginx.service" and
// "1:name=systemd:/system.slice/nginx.service".
func unitOf(text string) string {
	for line := range strings.Lines(text) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controller, path, ok := strings.Cut(rest, ":")
		if !ok || controller != "" && controller != "name=systemd" {
			continue
		}
		for path != "" {
			i := strings.LastIndexByte(path, '/')
			part := path[i+1:]
			if strings.HasSuffix(part, ".service") || strings.HasSuffix(part, ".scope") {
				return part
			}
			path = path[:max(i, 0)]
		}
	}
	return ""
}

// containerOf finds a container's ID in the text of /proc/PID/cgroup, cut to the twelve digits that docker ps and podman ps
// show; or the name of an LXC container. Empty when there is none.
func containerOf(text string) string {
	for line := range strings.Lines(text) {
		path := strings.TrimSpace(line)
		for part := range strings.SplitSeq(path, "/") {
			if name, ok := strings.CutPrefix(part, "lxc.payload."); ok {
				return name
			}
			part = strings.TrimSuffix(part, ".scope")
			if i := strings.LastIndexByte(part, '-'); i >= 0 {
				part = part[i+1:]
			}
			if len(part) == 64 && strings.Trim(part, "0123456789abcdef") == "" {
				return part[:12]
			}
		}
	}
	return ""
}
