package gitsource

import (
	"fmt"
	"io"
	"sync/atomic"
)

// meter counts what arrives from a remote and stops it at a limit. The layers
// above lose error values on the way, so it remembers that it tripped.
type meter struct {
	limit   int64
	n       atomic.Int64
	tripped atomic.Bool
}

func (m *meter) reader(r io.Reader) io.Reader { return &meteredReader{r, m} }

func (m *meter) err() error {
	if !m.tripped.Load() {
		return nil
	}
	return refusef("more than %s arrived, which is the limit: is this the right repository? If so, raise the byte limit or fetch less history", bytesText(m.limit))
}

type meteredReader struct {
	io.Reader
	meter *meter
}

func (r *meteredReader) Read(p []byte) (int, error) {
	if err := r.meter.err(); err != nil {
		return 0, err
	}
	n, err := r.Reader.Read(p)
	if r.meter.n.Add(int64(n)) > r.meter.limit {
		r.meter.tripped.Store(true)
		return 0, r.meter.err()
	}
	return n, err
}

// bytesText writes a size for people.
func bytesText(n int64) string {
	const unit = 1 << 10
	switch {
	case n >= unit*unit*unit:
		return fmt.Sprintf("%.4g GiB", float64(n)/(unit*unit*unit))
	case n >= unit*unit:
		return fmt.Sprintf("%.4g MiB", float64(n)/(unit*unit))
	case n >= unit:
		return fmt.Sprintf("%.4g KiB", float64(n)/unit)
	}
	return fmt.Sprintf("%d bytes", n)
}
