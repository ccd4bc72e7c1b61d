package conns

import "testing"

// BenchmarkRow is all that is done with a socket between the kernel and the sink.
func BenchmarkRow(b *testing.B) {
	bufs := someDump(3500)
	var sink nowhere
	opt := Options{}
	l := &look{filter: newFilter(&opt), sink: &sink, res: &Result{}}
	var listen listeners
	listen.tcp.add(ap("0.0.0.0:443"), false)
	listen.tcp.add(ap("[::]:8443"), false)
	row := func(m []byte) {
		if diagConn(m, &l.conn) {
			l.row(&listen)
		}
	}
	b.ReportAllocs()
	i, rows := 0, 0
	for b.Loop() {
		buf := bufs[i%(len(bufs)-1)]
		if _, err := parseDiag(buf, 1, row); err != nil {
			b.Fatal(err)
		}
		i++
		rows += 350
	}
	b.SetBytes(int64(len(bufs[0])))
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(rows), "ns/row")
}
