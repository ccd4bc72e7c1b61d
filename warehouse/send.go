package warehouse

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/connwarden/connwarden/report"
)

//go:embed schema.sql
var schema string

// Statements are those that make a database's tables, as a warehouse runs them when it finds none.
func Statements(database string) []string {
	list := []string{"CREATE DATABASE IF NOT EXISTS " + database}
	for part := range strings.SplitSeq(schema, ";\n") {
		var text []string
		for line := range strings.Lines(part) {
			if !strings.HasPrefix(line, "--") && strings.TrimSpace(line) != "" {
				text = append(text, line)
			}
		}
		if len(text) > 0 {
			list = append(list, strings.TrimSpace(strings.Join(text, "")))
		}
	}
	return list
}

// exception is what ClickHouse answers instead of doing it.
type exception struct {
	status int
	code   int // of ClickHouse's src/Common/ErrorCodes.cpp; 0: unknown
	text   string
}

// Error gives the server's own words.
func (e *exception) Error() string { return fmt.Sprintf("it answered %d: %s", e.status, e.text) }

// refusal wraps an error that sending again does not help against.
type refusal struct{ error }

// Unwrap returns the reason.
func (r *refusal) Unwrap() error { return r.error }

// Codes of ErrorCodes.cpp.
const (
	unknownTable    = 60
	unknownDatabase = 81
)

// unreadable are the codes for text that cannot be read as rows of the table: CANNOT_PARSE_TEXT, CANNOT_PARSE_ESCAPE_SEQUENCE,
// CANNOT_PARSE_QUOTED_STRING, CANNOT_PARSE_INPUT_ASSERTION_FAILED, CANNOT_PARSE_DATE, CANNOT_PARSE_DATETIME, TYPE_MISMATCH,
// CANNOT_PARSE_NUMBER, INCORRECT_DATA, CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN.
var unreadable = []int{6, 25, 26, 27, 38, 41, 53, 72, 117, 349}

// send sends one file, and makes the tables first where there are none.
func (w *Warehouse) send(ctx context.Context, f file) error {
	text, err := os.ReadFile(filepath.Join(w.opt.Spool, f.name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it found no room meanwhile
	}
	if err != nil {
		return err
	}
	query := "INSERT INTO " + f.table + " FORMAT JSONEachRow"
	err = w.post(ctx, w.opt.Database, query, text)
	var no *exception
	if errors.As(err, &no) && (no.code == unknownTable || no.code == unknownDatabase) {
		for i, s := range Statements(w.opt.Database) {
			database := w.opt.Database
			if i == 0 {
				database = "" // it is not there yet
			}
			if err := w.post(ctx, database, s, nil); err != nil {
				return fmt.Errorf("there are no tables, and making them failed: %w", err)
			}
		}
		err = w.post(ctx, w.opt.Database, query, text)
	}
	if errors.As(err, &no) && slices.Contains(unreadable, no.code) {
		return &refusal{err}
	}
	return err
}

// post has one statement run, with rows if there are any.
func (w *Warehouse) post(ctx context.Context, database, statement string, rows []byte) error {
	u, err := url.Parse(w.opt.URL)
	if err != nil {
		return err
	}
	q := u.Query()
	if database != "" {
		q.Set("database", database)
	}
	body := []byte(statement)
	if rows != nil {
		q.Set("query", statement)
		q.Set("input_format_skip_unknown_fields", "1") // tables of an older version
		body = rows
	}
	u.RawQuery = q.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("User-Agent", "connwarden")
	r.Header.Set("X-ClickHouse-User", w.opt.User)
	if w.opt.Password != "" {
		r.Header.Set("X-ClickHouse-Key", w.opt.Password)
	}
	if rows != nil {
		r.Header.Set("Content-Encoding", "gzip")
	}
	answer, err := w.client.Do(r)
	if err != nil {
		var e *url.Error // whose text has the whole address, with all its settings
		if errors.As(err, &e) {
			err = e.Err
		}
		return fmt.Errorf("%s: %w", u.Host, err)
	}
	defer answer.Body.Close()
	const most = 4 << 10
	said, err := io.ReadAll(io.LimitReader(answer.Body, most))
	if answer.StatusCode == http.StatusOK && err == nil {
		return nil
	}
	if answer.StatusCode == http.StatusOK {
		return fmt.Errorf("%s: %w", u.Host, err)
	}
	return wrong(answer, said)
}

// wrong reads an answer that is no success.
func wrong(answer *http.Response, said []byte) error {
	e := &exception{status: answer.StatusCode, code: codeOf(string(said))}
	if n, err := strconv.Atoi(answer.Header.Get("X-ClickHouse-Exception-Code")); err == nil {
		e.code = n
	}
	const shown = 300
	e.text = report.Clean(strings.TrimSpace(string(said[:min(len(said), shown)])))
	return e
}

// codeOf is the number in "Code: 60. DB::Exception: …" or "Code: 60, e.displayText() = …"; 0 if there is none.
func codeOf(said string) int {
	rest, ok := strings.CutPrefix(said, "Code: ")
	n := 0
	for n < len(rest) && n < 5 && rest[n] >= '0' && rest[n] <= '9' {
		n++
	}
	code, err := strconv.Atoi(rest[:n])
	if !ok || err != nil {
		return 0
	}
	return code
}
