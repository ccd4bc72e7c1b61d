package logs

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/connwarden/connwarden"
)

// Directives that name other columns in the middle of a log, after a hole too, once none, and the same again.
func TestDirectives(t *testing.T) {
	text := "#Version: 1.0\n#Fields: date time c-ip cs-method cs-uri-stem sc-status\n" +
		"2026-11-22 14:03:07 192.0.2.1 GET /1 200\n" +
		"#Fields: sc-status cs-uri-stem cs-method c-ip time date\r\n" +
		"404 /2 POST 192.0.2.2 14:03:08 2026-11-22\r\n" +
		"\x00\x00#Fields: time date cs-uri-stem c-ip\n" +
		"14:03:09 2026-11-22 /3 192.0.2.3\n" +
		"14:03:09 2026-11-22 /3#Fields: 192.0.2.3\n" +
		"#Fields:\n" +
		"14:03:09 2026-11-22 /no 192.0.2.3\n" +
		"#Fields: sc-status cs-uri-stem cs-method c-ip time date\n" +
		"404 /4 POST 192.0.2.4 14:03:10 2026-11-22\n" +
		"#Fields: sc-status cs-uri-stem cs-method c-ip time date\n" +
		"404 /5 POST 192.0.2.5 14:03:11 2026-11-22\n" +
		"#Fields: date\ttime\tx-edge-location\tsc-status\tc-ip\tcs-uri-stem\n" +
		"2026-11-22\t14:03:12\tFRA\t206\t192.0.2.6\t/6\n"
	f := Detect("x.log", []byte(text))
	if f == nil || f.Carry() == nil {
		t.Fatalf("read as %v", f)
	}
	var s noted
	p := f.NewParser(Options{})
	if stats := p.Parse(connwarden.Source{}, []byte(text), &s); stats.Parsed != 7 || stats.Unparsed != 1 {
		t.Errorf("%+v: %q", stats, s.lines)
	}
	for _, auto := range []bool{false, true} {
		checkCuts(t, f, []byte(text), Options{Auto: auto})
	}
}

// Lines without a day have that of the last "#Date:", wherever a log is cut; it may stand before the names, behind them, or come again.
func TestDatedDirectives(t *testing.T) {
	text := "#Version: 1.0\n#Date: 2001-05-02 17:42:15\n#Fields: time c-ip cs-method cs-uri-stem sc-status\n" +
		"17:42:16 192.0.2.1 GET /1 200\n" + "00:10:02 192.0.2.2 GET /2 200\n" +
		"#Date: 2001-05-04 00:00:01\n" + "00:10:02 192.0.2.3 GET /3 200\n" +
		"#Fields: time c-ip cs-uri-stem\n" + "00:10:03 192.0.2.4 /4\n" +
		"#Date: nonsense\n" + "00:10:03 192.0.2.4 /5\n"
	f := Detect("x.log", []byte(text))
	if f == nil || f.Name != "w3c_extended" {
		t.Fatalf("read as %v", f)
	}
	var got []string
	f.NewParser(Options{}).Parse(connwarden.Source{}, []byte(text), &each{f: func(r *connwarden.Request) { got = append(got, r.Time.Format("2 15:04:05")) }})
	if want := []string{"2 17:42:16", "3 00:10:02", "4 00:10:02", "4 00:10:03"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, auto := range []bool{false, true} {
		checkCuts(t, f, []byte(text), Options{Auto: auto})
		checkCuts(t, w3cExtended, []byte(text[len("#Version: 1.0\n"):]), Options{Auto: auto})
	}
}

// quoted is a line as a container's runtime writes it.
func inDocker(text, stream string) string {
	return fmt.Sprintf(`{"log":%q,"stream":"%s","time":"2026-11-22T14:03:07.1Z"}`+"\n", text, stream)
}

func inCRI(text, stream, tag string) string {
	return fmt.Sprintf("2026-11-22T14:03:07.123456789Z %s %s %s\n", stream, tag, text)
}

// What a runtime cut in parts is one line again, each stream's apart.
func TestParts(t *testing.T) {
	long := `192.0.2.7 - - [22/Nov/2026:14:03:07 +0000] "GET /` + strings.Repeat(`a\"`, 100) + ` HTTP/1.1" 200 5 "-" "x"`
	other := strings.ReplaceAll(goodLine, "192.0.2.7", "192.0.2.8")
	cri, docker := inCRI(goodLine, "stdout", "F")+inCRI(goodLine, "stderr", "F:x"), inDocker(goodLine+"\n", "stdout")
	for n := 1; n < len(long); n += 7 {
		half := n / 2
		cri += inCRI(long[:half], "stdout", "P") + inCRI(other[:9], "stderr", "P") + inCRI(long[half:n], "stdout", "P:y") +
			inCRI(other[9:], "stderr", "F") + inCRI(long[n:], "stdout", "F") + inCRI(goodLine, "stdout", "F")
		docker += inDocker(long[:half], "stdout") + inDocker(other[:9], "stderr") + inDocker(long[half:n], "stdout") +
			inDocker(other[9:]+"\n", "stderr") + inDocker(long[n:]+"\n", "stdout")
	}
	cri += inCRI(goodLine, "stdout", "P") + inCRI("", "stdout", "F")
	for name, text := range map[string]string{"cri": cri, "docker": docker} {
		t.Run(name, func(t *testing.T) {
			f := Detect("x.log", []byte(text))
			if f == nil || f.Name != name+"/apache_combined" {
				t.Fatalf("read as %v", f)
			}
			var long, other, good int
			stats := f.NewParser(Options{Auto: true}).Parse(connwarden.Source{}, []byte(text), &each{f: func(r *connwarden.Request) {
				switch {
				case len(r.Path) > 250:
					long++
				case r.Client.String() == "192.0.2.8" && string(r.Agent) == "curl/7.88.1":
					other++
				case string(r.Agent) == "curl/7.88.1":
					good++
				}
			}})
			if stats.Unparsed > 0 || long != other || long < 40 || good < 1 {
				t.Errorf("%+v: %d long lines, %d of the other stream, %d whole", stats, long, other, good)
			}
			checkCuts(t, f, []byte(text[:9000]), Options{Auto: true})
			checkCuts(t, f, []byte(text[:9000]), Options{})
		})
	}
}

// A line that never ends takes no more than its bound, and is the same wherever it is cut.
func TestPartsBound(t *testing.T) {
	part := strings.Repeat("a", 16<<10)
	head := `192.0.2.7 - - [22/Nov/2026:14:03:07 +0000] "GET /`
	var cri, docker strings.Builder
	cri.WriteString(inCRI(goodLine, "stdout", "F") + inCRI(head, "stdout", "P"))
	docker.WriteString(inDocker(goodLine+"\n", "stdout") + inDocker(head, "stdout"))
	for range 70 {
		cri.WriteString(inCRI(part, "stdout", "P"))
		docker.WriteString(inDocker(part, "stdout"))
	}
	for name, text := range map[string]string{"cri": cri.String(), "docker": docker.String()} {
		f, err := Lookup(name + "/combined")
		if err != nil {
			t.Fatal(err)
		}
		before := f.Carry()(nil, []byte(text))
		if len(before) > maxJoined+100 {
			t.Errorf("%s: %d bytes are handed on", name, len(before))
		}
		last := inCRI(` HTTP/1.1" 200 5`, "stdout", "F")
		if name == "docker" {
			last = inDocker(` HTTP/1.1" 200 5`+"\n", "stdout")
		}
		var whole, cut noted
		f.NewParser(Options{}).Parse(connwarden.Source{}, []byte(text+last), &whole)
		p := f.NewParser(Options{})
		p.Parse(connwarden.Source{}, []byte(text), &cut)
		p.Resume(before)
		p.Parse(connwarden.Source{}, []byte(last), &cut)
		if len(whole.lines) != 2 || !slices.Equal(whole.lines, cut.lines) {
			t.Errorf("%s: %d readings whole, %d cut", name, len(whole.lines), len(cut.lines))
		}
	}
}

// Who writes Docker's form but leaves the ends of lines away cuts nothing.
func TestDockerWithoutEnds(t *testing.T) {
	text := []byte(strings.Repeat(inDocker(goodLine, "stdout"), 3))
	forced, err := Lookup("docker/combined")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []*Format{Detect("x", text), forced.WithHead(text)} {
		if f == nil || f.Name != "docker/apache_combined" {
			t.Fatalf("read as %v", f)
		}
		if s := f.NewParser(Options{}).Parse(connwarden.Source{}, text, &counter{}); s.Parsed != 3 {
			t.Errorf("%+v", s)
		}
	}
}

// The glance at a line never takes a part for a whole.
func TestWhole(t *testing.T) {
	for _, text := range []string{"x\n", "x", `\n`, `x\`, "\\\n", `"\n","stream":"`, ""} {
		for _, c := range []struct {
			*carrier
			line string
		}{{&docker, inDocker(text, "stdout")}, {carriers[1], inCRI(strings.TrimRight(text, "\n"), "stdout", "P")}, {carriers[1], inCRI("x", "stderr", "F")}} {
			line := bytes.TrimSpace([]byte(c.line))
			p := anyJSON.NewParser(Options{})
			if _, ok := c.strip(p, line); !ok {
				t.Fatalf("not read: %s", line)
			}
			if whole := c.whole(line); whole && p.partial || !whole && !p.partial && !strings.Contains(text, "stream") && !strings.Contains(text, `\`) {
				t.Errorf("whole %v, part %v: %s", whole, p.partial, line)
			}
		}
	}
}

func FuzzCarry(f *testing.F) {
	f.Add([]byte("#Fields: date time c-ip\n2026-11-22 14:03:07 192.0.2.1\n#Fields: time\n"), uint8(10))
	f.Add([]byte(inCRI("a", "stdout", "P")+inCRI("b", "stderr", "P")+inCRI("c", "stdout", "F")), uint8(40))
	f.Add([]byte(inDocker("a", "stdout")+inDocker("b", "stderr")+inDocker("c\n", "stdout")), uint8(40))
	var formats []*Format
	for _, spec := range []string{"iis", "cri/combined", "docker/combined"} {
		format, err := Lookup(spec)
		if err != nil {
			f.Fatal(err)
		}
		formats = append(formats, format)
	}
	f.Fuzz(func(t *testing.T, text []byte, at uint8) {
		n := min(int(at), len(text))
		if end := bytes.IndexByte(text[n:], '\n'); end >= 0 {
			n += end + 1
		} else {
			n = len(text)
		}
		for _, format := range formats {
			carry := format.Carry()
			before := carry(nil, text[:n])
			if again, whole := carry(before, text[n:]), carry(nil, text); !bytes.Equal(again, whole) {
				t.Errorf("%s: cut at %d %q is known at the end, else %q", format.Name, n, again, whole)
			}
			p := format.NewParser(Options{})
			p.Resume(before)
			p.Parse(connwarden.Source{}, text[n:], &counter{})
		}
	})
}
