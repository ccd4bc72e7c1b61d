package web

import (
	"bytes"
	"embed"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"sync"
	"time"
)

// The page as Vite built it from ui; see ui/README.md. static/sources.sha256 says from which sources.
//
//go:embed static
var static embed.FS

//go:embed door.html
var doorText string

var doorPage = sync.OnceValue(func() *template.Template { return template.Must(template.New("door").Parse(doorText)) })

// styleName is the one file that is given to whoever asks: the door is dressed in it, and it tells nothing.
const styleName = "/page.css"

func (s *Server) page(w http.ResponseWriter, r *http.Request) { s.file(w, r, "index.html") }

func (s *Server) asset(w http.ResponseWriter, r *http.Request) { s.file(w, r, path.Base(r.URL.Path)) }

func (s *Server) file(w http.ResponseWriter, r *http.Request, name string) {
	b, err := fs.ReadFile(static, "static/"+name)
	if err != nil {
		refuse(w, http.StatusNotFound, "there is no "+name)
		return
	}
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(b))
}

// door is what is shown to who may not come in yet.
func (s *Server) door(w http.ResponseWriter, code int, wrong string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Referrer-Policy", "same-origin") // with none a form names no origin
	w.WriteHeader(code)
	doorPage().Execute(w, struct { //nolint:errcheck // a client that left needs no answer
		Password bool
		Wrong    string
	}{s.opt.Password != "", wrong})
}
