package conns

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"github.com/connwarden/connwarden"
)

// everything wants every row there is.
var everything = Options{Listen: true, Loopback: true, Processes: true, States: allStates}

// rows keeps what a text gave, a line a row: protocol, state, direction, local and remote end, and PID and program if
// any. A truncated address is followed by "~".
type rows struct {
	nowhere
	list []string
}

func (r *rows) Conn(c *connwarden.Conn) {
	remote := "*"
	switch {
	case c.Truncated != "":
		remote = fmt.Sprintf("%s~%d", c.Truncated, c.Remote.Port())
	case c.Remote.Addr().IsValid():
		remote = c.Remote.String()
	}
	local := c.Local.String()
	if !c.Local.Addr().IsValid() {
		local = fmt.Sprintf("*:%d", c.Local.Port())
	}
	line := fmt.Sprintf("%s %s %s %s %s", c.Proto, c.State, c.Dir, local, remote)
	if c.Process.PID != 0 {
		line += fmt.Sprintf(" %d", c.Process.PID)
	}
	if c.Process.Name != "" {
		line += " " + c.Process.Name
	}
	r.list = append(r.list, line)
}

func readText(t testing.TB, text string, opt Options) (*Result, []string) {
	t.Helper()
	var got rows
	res, err := Read(context.Background(), strings.NewReader(text), "text", opt, &got)
	if err != nil {
		t.Fatal(err)
	}
	return res, got.list
}

// TestReadSamples reads every sample in testdata/text; beside each stands what it must give.
func TestReadSamples(t *testing.T) {
	files, err := filepath.Glob("testdata/text/*.txt")
	if err != nil || len(files) < 9 {
		t.Fatalf("%d samples, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(strings.TrimSuffix(file, ".txt") + ".want")
			if err != nil {
				t.Fatal(err)
			}
			res, list := readText(t, string(text), everything)
			got := fmt.Sprintf("source %s rows %d unparsed %d guessed %v\n%s\n", res.Source, res.Rows, res.Unparsed, res.Guessed, strings.Join(list, "\n"))
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			// The form must not depend on how lines end, and headers are needed for nothing.
			crlf := strings.ReplaceAll(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n", "\r\n")
			if _, again := readText(t, crlf, everything); strings.Join(again, "\n") != strings.Join(list, "\n") {
				t.Errorf("with other line ends: got\n%s", strings.Join(again, "\n"))
			}
		})
	}
}

// TestReadHeaders is trap 3: the words of headers are no addresses, in any form and alone.
func TestReadHeaders(t *testing.T) {
	res, list := readText(t, "Active Internet connections (w/o servers)\n"+
		"Proto Recv-Q Send-Q Local Address           Foreign Address         State      \n", everything)
	if len(list) != 0 || res.Rows != 0 || res.Unparsed != 0 || len(res.Problems) != 0 {
		t.Errorf("got %v, %+v", list, res)
	}
}

// TestReadColumns is trap 8: the peer's column moves with ss's options; and trap 1: an IPv6 peer is one address.
func TestReadColumns(t *testing.T) {
	for _, line := range []string{
		"tcp 0 0 [2001:db8::1]:443 [2001:db8::7]:5555",
		"tcp ESTAB 0 0 [2001:db8::1]:443 [2001:db8::7]:5555",
		"ESTAB 0 0 [2001:db8::1]:443 [2001:db8::7]:5555",
		"0 0 [2001:db8::1]:443 [2001:db8::7]:5555",
		"tcp6 0 0 2001:db8::1:443 2001:db8::7:5555 ESTABLISHED",
		"tcp6 0 0 2001:db8::1.443 2001:db8::7.5555 ESTABLISHED",
		"TCP [2001:db8::1]:443 [2001:db8::7]:5555 ESTABLISHED 4",
	} {
		_, list := readText(t, line, Options{})
		if want := "tcp established in [2001:db8::1]:443 [2001:db8::7]:5555"; len(list) != 1 || list[0] != want {
			t.Errorf("%s: got %v, want %s", line, list, want)
		}
	}
}

// TestReadTruncated is trap 2. What may have been cut is never a whole address, even when it looks like one.
func TestReadTruncated(t *testing.T) {
	const head = "tcp6 0 0 2001:db8::1:80 "
	for _, tt := range []struct{ name, text, want, problem string }{
		{"not an address any more", head + "2001:db8:ffff:9:d:37539 ESTABLISHED", "2001:db8:ffff:9:d~37539", "netstat -W"},
		{"ends in a colon", head + "2001:db8:ffff:9::37539 ESTABLISHED", "[2001:db8:ffff:9:]", ""},
		{"looks whole, 23 wide", head + "2001:db8:a:23::ca:51442 ESTABLISHED", "2001:db8:a:23::ca~51442", "netstat -W"},
		{"whole, 22 wide", head + "2001:db8:a:23::ca:5144 ESTABLISHED", "[2001:db8:a:23::ca]:5144", ""},
		{"-W was used", head + "2001:db8:a:23::ca:51442 ESTABLISHED\n" + head + "2001:db8:aaaa:bbbb::1:51443 ESTABLISHED", "[2001:db8:a:23::ca]:51442", ""},
		{"mapped, 23 wide", "tcp6 0 0 ::ffff:10.0.0.5:443 ::ffff:192.0.2.10:50001 ESTABLISHED", "192.0.2.10:50001", ""},
		{"mapped here, 23 wide", "tcp6 0 0 ::ffff:10.0.0.50:40443 192.0.2.9:5001 ESTABLISHED", "192.0.2.9:5001", ""},
		{"mapped, another was cut", "tcp6 0 0 ::ffff:10.0.0.5:443 ::ffff:203.0.113.:50001 ESTABLISHED\ntcp6 0 0 ::ffff:10.0.0.5:443 ::ffff:192.0.2.10:50001 ESTABLISHED", "::ffff:203.0.113.~50001", "netstat -W"},
		{"mapped, another was cut later", "tcp6 0 0 ::ffff:10.0.0.5:443 ::ffff:192.0.2.10:50001 ESTABLISHED\ntcp6 0 0 ::ffff:10.0.0.5:443 ::ffff:203.0.113.:50001 ESTABLISHED", "::ffff:192.0.2.10~50001", "netstat -W"},
		{"BSD cuts to 16", "tcp6 0 0 2001:db8::1.80 2001:db8:1:2::33.37539 ESTABLISHED", "2001:db8:1:2::33~37539", "netstat -W"},
		{"BSD, 15 wide", "tcp6 0 0 2001:db8::1.80 2001:db8:1:2::3.37539 ESTABLISHED", "[2001:db8:1:2::3]:37539", ""},
		{"brackets are never cut", "ESTAB 0 0 [2001:db8::1]:80 [2001:db8:a:2::a]:51442", "[2001:db8:a:2::a]:51442", ""},
	} {
		res, list := readText(t, tt.text, Options{})
		if tt.name == "ends in a colon" {
			// "2001:db8:ffff:9:" and the port, 22 wide: no printer writes that, and it is no address.
			if len(list) != 1 || !strings.Contains(list[0], "2001:db8:ffff:9:~37539") {
				t.Errorf("%s: got %v", tt.name, list)
			}
			continue
		}
		if len(list) == 0 || !strings.HasSuffix(list[0], " "+tt.want) {
			t.Errorf("%s: got %v, want %s", tt.name, list, tt.want)
		}
		if got := fmt.Sprint(res.Problems); strings.Contains(got, "netstat -W") != (tt.problem != "") {
			t.Errorf("%s: problems %v, want one with %q", tt.name, got, tt.problem)
		}
	}
}

// TestReadListen is trap 4: LISTEN and unconnected UDP are not counted unless asked for, nor UDP as TCP.
func TestReadListen(t *testing.T) {
	text, err := os.ReadFile("testdata/text/netstat_tuna.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, list := readText(t, string(text), Options{})
	for _, line := range list {
		if strings.Contains(line, " listen ") || strings.Contains(line, "udp close") || strings.Contains(line, "127.0.0.1") {
			t.Errorf("counted by default: %s", line)
		}
	}
	if len(list) != 7 {
		t.Errorf("%d rows by default, want 7: %v", len(list), list)
	}
	res, list := readText(t, string(text), Options{Listen: true, Ports: []uint16{443}, Dir: connwarden.DirIn})
	if len(list) != 3 {
		t.Errorf("in on 443 with LISTEN: %v", list)
	}
	if len(res.Listeners) != 4 {
		t.Errorf("listeners %v", res.Listeners)
	}
}

// TestReadGuess is trap 5 without LISTEN rows.
func TestReadGuess(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"well known here", "tcp 0 0 192.0.2.1:443 203.0.113.5:51234 ESTABLISHED", "in"},
		{"well known there", "tcp 0 0 192.0.2.1:51234 203.0.113.5:443 ESTABLISHED", "out"},
		{"a panel's port", "tcp 0 0 192.0.2.1:2083 203.0.113.5:1025 ESTABLISHED", "in"},
		{"half open came in", "tcp 0 0 192.0.2.1:51234 203.0.113.5:443 SYN_RECV", "in"},
		{"not answered went out", "tcp 0 0 192.0.2.1:443 203.0.113.5:51234 SYN_SENT", "out"},
		{"much repeated here", "tcp 0 0 192.0.2.1:40123 203.0.113.5:30001 ESTABLISHED\ntcp 0 0 192.0.2.1:40123 203.0.113.6:30002 ESTABLISHED", "in"},
		{"much repeated there", "tcp 0 0 192.0.2.1:30001 203.0.113.5:40123 ESTABLISHED\ntcp 0 0 192.0.2.1:30002 203.0.113.6:40123 ESTABLISHED", "out"},
		{"a peer from a service's port", "tcp 0 0 192.0.2.1:443 203.0.113.5:53 ESTABLISHED\ntcp 0 0 192.0.2.1:443 203.0.113.6:54000 ESTABLISHED", "in"},
	} {
		_, list := readText(t, tt.text, Options{})
		if len(list) == 0 || strings.Fields(list[0])[2] != tt.want {
			t.Errorf("%s: got %v, want %s", tt.name, list, tt.want)
		}
	}
}

// TestReadUTF16 reads what PowerShell's redirection writes.
func TestReadUTF16(t *testing.T) {
	text, err := os.ReadFile("testdata/text/windows_ano.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, want := readText(t, string(text), everything)
	for _, big := range []bool{false, true} {
		var b bytes.Buffer
		for _, u := range utf16.Encode([]rune("\ufeff" + string(text))) {
			if big {
				b.Write([]byte{byte(u >> 8), byte(u)})
			} else {
				b.Write([]byte{byte(u), byte(u >> 8)})
			}
		}
		_, got := readText(t, b.String(), everything)
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("big-endian %v: got\n%s", big, strings.Join(got, "\n"))
		}
	}
}

// TestReadNames: a host's name may be anyone's, and is not read.
func TestReadNames(t *testing.T) {
	res, list := readText(t, "tcp 0 0 web:https crawl-66-249-66-1.goo:51234 ESTABLISHED\n"+
		"ESTAB 0 0 192.0.2.1:https 203.0.113.5:51234\nESTAB 0 0 192.0.2.1:no-such 203.0.113.5:51234\n", Options{})
	if res.Unparsed != 2 || len(list) != 1 || list[0] != "tcp established in 192.0.2.1:443 203.0.113.5:51234" {
		t.Errorf("got %v, %d unparsed, want the row with a known service's name and 2 unparsed", list, res.Unparsed)
	}
}

// TestReadUDPAlone: ss -uan prints no Netid; UNCONN tells that it is about UDP.
func TestReadUDPAlone(t *testing.T) {
	_, list := readText(t, "UNCONN 0 0 0.0.0.0:53 0.0.0.0:*\nESTAB 0 0 192.0.2.1:50000 198.51.100.53:53\n", everything)
	want := []string{"udp close in 0.0.0.0:53 *", "udp established out 192.0.2.1:50000 198.51.100.53:53"}
	if fmt.Sprint(list) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", list, want)
	}
}

// TestReadConntrackOurs: our address is the one with the most peers, not the busiest, so that one peer with most of the
// connections is still a peer.
func TestReadConntrackOurs(t *testing.T) {
	var b strings.Builder
	for i := range 300 {
		fmt.Fprintf(&b, "tcp 6 100 ESTABLISHED src=203.0.113.5 dst=192.0.2.1 sport=%d dport=443 src=192.0.2.1 dst=203.0.113.5 sport=443 dport=%d [ASSURED] mark=0 use=1\n", 20000+i, 20000+i)
	}
	fmt.Fprintln(&b, "tcp 6 100 ESTABLISHED src=203.0.113.6 dst=192.0.2.1 sport=1234 dport=443 src=192.0.2.1 dst=203.0.113.6 sport=443 dport=1234 mark=0 use=1")
	fmt.Fprintln(&b, "tcp 6 100 ESTABLISHED src=192.0.2.1 dst=198.51.100.7 sport=1234 dport=25 src=198.51.100.7 dst=192.0.2.1 sport=25 dport=1234 mark=0 use=1")
	_, list := readText(t, b.String(), Options{})
	in := 0
	for _, line := range list {
		if strings.Contains(line, " in 192.0.2.1:443 203.0.113.") {
			in++
		}
	}
	if in != 301 || list[301] != "tcp established out 192.0.2.1:1234 198.51.100.7:25" {
		t.Errorf("%d of 301 came in from their peers; the last is %s", in, list[len(list)-1])
	}
}

// TestReadHostile: lines of any length and any bytes, and readers that fail.
func TestReadHostile(t *testing.T) {
	const row = "tcp 0 0 192.0.2.1:443 203.0.113.5:51234 ESTABLISHED"
	long := strings.Repeat("x", 10<<20)
	res, list := readText(t, long+"\n"+row+" "+long+"\n"+row+"\n\x00\x00\x1b[31m 9\n", Options{})
	if len(list) != 2 || res.Unparsed != 2 {
		t.Errorf("%d rows, %d unparsed, want 2 and 2", len(list), res.Unparsed)
	}
	res, _ = readText(t, "garbage 1\nmore of it 2\n", Options{})
	if len(res.Problems) != 1 || !res.Problems[0].Named || res.Problems[0].What != "text" {
		t.Errorf("problems of garbage: %+v", res.Problems)
	}
	if res, _ := readText(t, "", Options{}); len(res.Problems) != 0 {
		t.Errorf("problems of nothing: %+v", res.Problems)
	}
	var got rows
	broken := io.MultiReader(strings.NewReader(row+"\n"), iotest.ErrReader(errors.New("disk on fire")))
	res, err := Read(context.Background(), broken, "text", Options{}, &got)
	if err == nil || !strings.Contains(err.Error(), "read text: disk on fire") || len(got.list) != 1 || res.Rows != 1 {
		t.Errorf("a failing reader: %v, %v", err, got.list)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Read(ctx, strings.NewReader(row), "text", Options{}, &got); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context: %v", err)
	}
}

// TestReadAllocs: a line that is read costs no allocation.
func TestReadAllocs(t *testing.T) {
	for _, line := range []string{
		"tcp        0      0 192.0.2.1:443           203.0.113.5:51234       ESTABLISHED 1234/nginx: worker",
		"tcp6       0      0 2001:db8::1:443         2001:db8::7:5555        ESTABLISHED -",
		"tcp   ESTAB  0      0      [2001:db8::1]:80   [2001:db8::7]:51234 users:((\"nginx\",pid=901,fd=9))",
		"   1: 0000000000000000FFFF0000010200C0:01BB 0000000000000000FFFF0000057100CB:C824 01 00000000:00000000 00:00000000 00000000    33        0 13322 1 0 20 4 30 10 -1",
		"tcp      6 431999 ESTABLISHED src=203.0.113.5 dst=192.0.2.1 sport=51234 dport=443 src=192.0.2.1 dst=203.0.113.5 sport=443 dport=51234 [ASSURED] mark=0 use=1",
		"  TCP    192.0.2.1:443          203.0.113.5:51234      ESTABLISHED     4",
		"tcp4       0      0  192.0.2.1.443          203.0.113.5.51234      ESTABLISHED",
		"this is nothing at all 9",
	} {
		tx := &text{opt: everything}
		b := []byte(line)
		tx.line(b)
		if tx.rows.n > 0 { // rows are held in chunks: have one that takes all of this test's
			tx.rows.chunks[0] = make([]textRow, 0, rowChunk)
		}
		if n := testing.AllocsPerRun(1000, func() { tx.line(b) }); n != 0 {
			t.Errorf("%v allocations for %s", n, line)
		}
	}
}

func TestParseAddresses(t *testing.T) {
	for _, s := range []string{"::", "::1", "1::", "2001:db8::1", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "::ffff:1.2.3.4", "1:2:3:4:5:6:1.2.3.4",
		"", ":", ":::", "1", "1:2", "1::2::3", "12345::", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1.2.3", "1.2.3.4::", "g::", "1:2:3:4:5:6:7:", "::1.2.3.400", "fe80::1%x"} {
		checkAddr(t, s)
	}
	for _, s := range []string{"0.0.0.0", "255.255.255.255", "1.2.3.4", "1.2.3", "1.2.3.4.5", "01.2.3.4", "256.1.1.1", "1..2.3", ".1.2.3", "1.2.3.", "a.b.c.d", ""} {
		checkAddr(t, s)
	}
}

// checkAddr holds our readers of addresses against netip's.
func checkAddr(t *testing.T, s string) {
	t.Helper()
	want, err := netip.ParseAddr(s)
	if want.Zone() != "" {
		want, err = netip.Addr{}, errors.New("zones are cut off before")
	}
	var v6 [16]byte
	var v4 [4]byte
	switch {
	case parseIPv4([]byte(s), v4[:]):
		if err != nil || netip.AddrFrom4(v4) != want {
			t.Errorf("%q: got %v, want %v, %v", s, netip.AddrFrom4(v4), want, err)
		}
	case parseIPv6([]byte(s), &v6):
		if err != nil || netip.AddrFrom16(v6) != want {
			t.Errorf("%q: got %v, want %v, %v", s, netip.AddrFrom16(v6), want, err)
		}
	case err == nil:
		t.Errorf("%q: got nothing, want %v", s, want)
	}
}

func FuzzParseAddr(f *testing.F) {
	for _, s := range []string{"2001:db8::1", "::ffff:1.2.3.4", "1.2.3.4", "1:2:3:4:5:6:7:8"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { checkAddr(t, s) })
}

func FuzzRead(f *testing.F) {
	files, _ := filepath.Glob("testdata/text/*.txt")
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var sink checker
		sink.t = t
		res, err := Read(context.Background(), bytes.NewReader(b), "fuzz", everything, &sink)
		if err != nil {
			t.Fatal(err)
		}
		if res.Rows < int64(sink.n) || res.Rows > int64(bytes.Count(b, []byte("\n"))+1) && len(b) > 1 && b[0] != 0xff && b[0] != 0xfe {
			t.Fatalf("%d rows pushed, %d counted", sink.n, res.Rows)
		}
	})
}

// checker fails on connections that no source may push.
type checker struct {
	nowhere
	t *testing.T
}

func (s *checker) Conn(c *connwarden.Conn) {
	s.n++
	switch {
	case c.State >= connwarden.NumStates || c.State == connwarden.StateNewSynRecv:
		s.t.Fatalf("state %d", c.State)
	case c.Remote.Addr().Is4In6() || c.Local.Addr().Is4In6():
		s.t.Fatalf("mapped address in %v %v", c.Local, c.Remote)
	case c.Truncated != "" && c.Remote.Addr().IsValid():
		s.t.Fatalf("address %v and truncated %q", c.Remote, c.Truncated)
	case c.Dir == connwarden.DirUnknown:
		s.t.Fatalf("no direction: %+v", c)
	}
}

func BenchmarkRead(b *testing.B) {
	for _, tt := range []struct{ name, line string }{
		{"netstat", "tcp        0      0 192.0.2.1:443           203.0.113.%d:%d       ESTABLISHED\n"},
		{"ss", "ESTAB     0      0                    192.0.2.1:443         203.0.113.%d:%d        \n"},
		{"conntrack", "tcp      6 431999 ESTABLISHED src=203.0.113.%d dst=192.0.2.1 sport=%d dport=443 src=192.0.2.1 dst=203.0.113.5 sport=443 dport=51234 [ASSURED] mark=0 use=1\n"},
	} {
		var text bytes.Buffer
		for i := range 10_000 {
			fmt.Fprintf(&text, tt.line, i%256, 1024+i)
		}
		b.Run(tt.name, func(b *testing.B) {
			b.SetBytes(int64(text.Len()))
			b.ReportAllocs()
			for b.Loop() {
				var sink nowhere
				if _, err := Read(context.Background(), bytes.NewReader(text.Bytes()), "bench", Options{}, &sink); err != nil || sink.n != 10_000 {
					b.Fatal(err, sink.n)
				}
			}
		})
	}
}

// TestReadTranslated: net-tools writes the states in the language of whoever runs it.
func TestReadTranslated(t *testing.T) {
	for word, want := range map[string]string{
		"VERBUNDEN": "established", "ESTABELECIDA": "established", "SPOJENO": "established", "SYN_RECEBIDO": "syn_recv", "SYN_ENVIADO": "syn_sent",
		"ESPERA_FIN1": "fin_wait1", "ESPERA_FIN2": "fin_wait2", "ESPERANDO_FECHAR": "close_wait", "FECHAR": "close", "FECHANDO": "closing",
		"ÚLTIMO_ACK": "last_ack", "\xdaLTIMO_ACK": "last_ack", "ZAVŘEN": "close", "ZAVÍRÁ": "closing", "OUÇA": "listen", "OU\xc7A": "listen", "NASLOUCHÁ": "listen",
	} {
		if got, ok := stateWord([]byte(word)); !ok || got.String() != want {
			t.Errorf("%q is %v, %v; want %s", word, got, ok, want)
		}
	}
	res, list := readText(t, "tcp 0 0 0.0.0.0:443 0.0.0.0:* OU\xc7A\ntcp 0 0 192.0.2.1:443 203.0.113.5:51234 ESTABELECIDA\n", Options{})
	if res.Guessed || len(res.Problems) > 0 || len(list) != 1 || list[0] != "tcp established in 192.0.2.1:443 203.0.113.5:51234" {
		t.Errorf("got %v, %+v", list, res)
	}
}
