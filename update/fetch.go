package update

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// client asks over HTTP.
type client struct {
	http.Client
	plain bool // the user named a mirror without encryption
}

func newClient(from string) *client {
	c := &client{plain: strings.HasPrefix(from, "http://")}
	c.Transport = &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 15 * time.Second}).DialContext,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    15 * time.Second,
		ResponseHeaderTimeout:  30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
	c.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if len(via) >= 5 {
			return errors.New("it leads on and on")
		}
		return c.safe(req.URL)
	}
	return c
}

// safe refuses what anyone on the way could change.
func (c *client) safe(u *url.URL) error {
	if u.Scheme == "https" || c.plain && u.Scheme == "http" {
		return nil
	}
	return fmt.Errorf("%s is not encrypted, so that anyone on the way could change it: refused", u.Redacted())
}

// part is one file of a source: a URL, or a file.
type part struct {
	url  *url.URL
	name string // a file, or the URL as written when it is none
}

func (p part) shown() string {
	if p.url != nil {
		return p.url.Redacted()
	}
	return p.name
}

// parts returns where a source is to be had.
func (r *run) parts(s Source) (parts []part) {
	switch base, err := url.Parse(r.From); {
	case r.From == "":
		for _, text := range s.URLs {
			u, err := url.Parse(text)
			if err != nil {
				u = nil
			}
			parts = append(parts, part{u, text})
		}
		return parts
	case err == nil && isRemote(r.From):
		return []part{{url: base.JoinPath(s.File())}}
	default:
		return []part{{name: filepath.Join(r.From, filepath.FromSlash(s.File()))}}
	}
}

// isRemote tells a URL from a folder.
func isRemote(from string) bool {
	return strings.HasPrefix(from, "https://") || strings.HasPrefix(from, "http://")
}

// fetcher opens the parts of one source and counts what comes.
type fetcher struct {
	ctx   context.Context
	run   *run
	parts []part
	bytes int64
}

// content is an opened part. Reading more than its bound is an error.
type content struct {
	io.Reader
	io.Closer
	modified time.Time // as its server says; zero if that is not known
}

// each opens the parts one after the other, each bounded to a number of bytes, and hands them on with their names.
func (f *fetcher) each(most int64, read func(p part, c content) error) error {
	for _, p := range f.parts {
		c, err := f.open(p)
		if err != nil {
			return fmt.Errorf("get %s: %w", p.shown(), err)
		}
		c.Reader = &bounded{c.Reader, most, &f.bytes}
		err = read(p, c)
		c.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *fetcher) open(p part) (c content, err error) {
	if p.url == nil {
		file, err := os.Open(p.name)
		if err != nil {
			return c, err
		}
		info, err := file.Stat()
		if err == nil && !info.Mode().IsRegular() {
			err = errors.New("it is no regular file")
		}
		if err != nil {
			file.Close()
			return c, err
		}
		return content{Reader: file, Closer: file}, nil
	}
	if err := f.run.client.safe(p.url); err != nil {
		return c, err
	}
	req, err := http.NewRequestWithContext(f.ctx, http.MethodGet, p.url.String(), nil)
	if err != nil {
		return c, err
	}
	req.Header.Set("User-Agent", f.run.Agent)
	req.Header.Set("Accept", "application/json, text/csv, text/plain, */*;q=0.1")
	res, err := f.run.client.Do(req)
	if err != nil {
		var wrapped *url.Error // says the URL, as we do
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return c, err
	}
	if res.StatusCode != http.StatusOK {
		res.Body.Close()
		if res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusGone {
			return c, fmt.Errorf("the server says %s: %w", res.Status, fs.ErrNotExist)
		}
		return c, fmt.Errorf("the server says %s", res.Status)
	}
	modified, _ := http.ParseTime(res.Header.Get("Last-Modified"))
	return content{res.Body, res.Body, modified}, nil
}

// bounded reads no more than is left, counts, and says so when there is more.
type bounded struct {
	r     io.Reader
	left  int64
	count *int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, errors.New("it is larger than anything that is published there")
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left+1)])
	b.left -= int64(n)
	*b.count += int64(n)
	if b.left < 0 {
		return n - 1, errors.New("it is larger than anything that is published there")
	}
	return n, err
}
